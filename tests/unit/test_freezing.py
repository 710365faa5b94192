"""What each policy freezes, by hand count, and that frozen things do not move."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from cnn_core.backbones.network import Network, Stage, build_network
from cnn_core.config import Model
from cnn_core.errors import UserError
from cnn_core.freezing import apply_freezing, count_parameters, train_mode, unfreeze

# Convolutions: 9 (or 121, 25) weights for each pair of channels, and a bias for each filter.
ALEXNET_CONVOLUTIONS = (
    (121 * 3 * 64 + 64)
    + (25 * 64 * 192 + 192)
    + (9 * 192 * 384 + 384)
    + (9 * 384 * 256 + 256)
    + (9 * 256 * 256 + 256)
)
ALEXNET_HIDDEN = (9216 * 4096 + 4096) + (4096 * 4096 + 4096)
VGG_WIDTHS = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
VGG_CONVOLUTIONS = sum(9 * a * b + b for a, b in pairwise(VGG_WIDTHS))
VGG_HIDDEN = (25088 * 4096 + 4096) + (4096 * 4096 + 4096)
RESNET_STEM = 49 * 3 * 64 + 2 * 64
RESNET_LAYER1 = 4 * (9 * 64 * 64 + 2 * 64)
RESNET_DEEPER = sum(
    9 * (w // 2) * w + 3 * 9 * w * w + (w // 2) * w + 5 * 2 * w for w in (128, 256, 512)
)
RESNET = RESNET_STEM + RESNET_LAYER1 + RESNET_DEEPER
CNN_FIRST = 9 * 3 * 32 + 32
CNN = CNN_FIRST + sum(9 * a * 2 * a + 2 * a for a in (32, 64, 128, 256))
CONVNET_FIRST = 9 * 3 * 128 + 128
CONVNET = CONVNET_FIRST + (9 * 128 * 512 + 512) + 3 * (9 * 512 * 512 + 512)
WIDE_HEAD, NARROW_HEAD = 4096 * 101 + 101, 512 * 101 + 101

FROZEN = {
    "alexnet": (
        ALEXNET_CONVOLUTIONS + ALEXNET_HIDDEN + WIDE_HEAD,
        {
            "none": 0,
            "convolutional": ALEXNET_CONVOLUTIONS,
            "classifier": ALEXNET_HIDDEN + WIDE_HEAD,
            "backbone": ALEXNET_CONVOLUTIONS + ALEXNET_HIDDEN,
            "first:1": 121 * 3 * 64 + 64,
            "first:5": ALEXNET_CONVOLUTIONS,
        },
    ),
    "vgg16": (
        VGG_CONVOLUTIONS + VGG_HIDDEN + WIDE_HEAD,
        {
            "none": 0,
            "convolutional": VGG_CONVOLUTIONS,
            "classifier": VGG_HIDDEN + WIDE_HEAD,
            "backbone": VGG_CONVOLUTIONS + VGG_HIDDEN,
            "first:1": (9 * 3 * 64 + 64) + (9 * 64 * 64 + 64),
            "first:5": VGG_CONVOLUTIONS,
        },
    ),
    "resnet18": (
        RESNET + NARROW_HEAD,
        {
            "none": 0,
            "convolutional": RESNET,
            "classifier": NARROW_HEAD,
            "backbone": RESNET,
            "first:1": RESNET_STEM,
            "first:2": RESNET_STEM + RESNET_LAYER1,
            "first:5": RESNET,
        },
    ),
    "cnn": (
        CNN + NARROW_HEAD,
        {
            "none": 0,
            "convolutional": CNN,
            "classifier": NARROW_HEAD,
            "backbone": CNN,
            "first:1": CNN_FIRST,
        },
    ),
    "convnet": (
        CONVNET + 49 * 512 * 101 + 101,  # 224 pixels leave 7x7
        {
            "none": 0,
            "convolutional": CONVNET,
            "classifier": 49 * 512 * 101 + 101,
            "backbone": CONVNET,
            "first:1": CONVNET_FIRST,
        },
    ),
}


@pytest.mark.parametrize("backbone", FROZEN)
def test_trainable_parameters_of_every_policy(backbone):
    network = build_network(Model(backbone=backbone), classes=101, image_size=224, device="meta")
    total, policies = FROZEN[backbone]
    for policy, frozen in policies.items():
        apply_freezing(network, policy)
        assert count_parameters(network) == (total, total - frozen), policy


def test_statistics_kept_while_everything_trains():
    network = small(head="mlp", head_hidden=6, head_batch_norm=True)
    train_mode(network, keep_statistics=True)
    kept = [name for name, layer in network.module.named_modules() if not layer.training]
    norms = [name for name, layer in network.module.named_modules() if is_norm(layer)]
    assert set(norms) - set(kept) == {"fc.1"}
    assert kept == [name for name in norms if name != "fc.1"]
    assert all(p.requires_grad for p in network.module.parameters())


def is_norm(layer: nn.Module) -> bool:
    return isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)


def test_too_many_stages():
    network = small()
    with pytest.raises(UserError) as raised:
        apply_freezing(network, "first:3")
    expected = "freeze.policy: 'first:3', and the network has 2 stages (block1, block2)"
    assert str(raised.value) == expected


def test_nothing_left_to_train():
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    network = Network(
        module, stages=(Stage("flatten", ("0",)),), convolutional=(), classifier=("1",), head=("1",)
    )
    with pytest.raises(UserError, match=r"freeze.policy: 'classifier' freezes the whole network"):
        apply_freezing(network, "classifier")
    assert count_parameters(network) == (26, 26)


def small(backbone="cnn", **keys) -> Network:
    options = {"widths": [4, 8], "batch_norm": True} if backbone == "cnn" else {}
    model = Model(backbone=backbone, options=options, **keys)
    return build_network(model, classes=3, image_size=32, seed=0)


def train(network: Network, steps: int = 3) -> None:
    draws = torch.Generator().manual_seed(0)
    trainable = [p for p in network.module.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=0.1, momentum=0.9, weight_decay=0.1)
    train_mode(network)
    for _ in range(steps):
        images_NCHW = torch.randn(4, 3, 32, 32, generator=draws)
        labels = torch.randint(3, (4,), generator=draws)
        loss = nn.functional.cross_entropy(network.module(images_NCHW), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("backbone", "policy", "still", "moved"),
    [
        ("cnn", "first:1", "block1.", "block2."),
        ("cnn", "backbone", "block", "fc."),
        ("cnn", "convolutional", "block", "fc."),
        ("cnn", "classifier", "fc.", "block"),
        ("resnet18", "first:2", ("conv1.", "bn1.", "layer1."), ("layer2.", "layer3.", "fc.")),
    ],
)
def test_frozen_tensors_and_statistics_do_not_move(backbone, policy, still, moved):
    network = small(backbone)
    apply_freezing(network, policy)
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    train(network)
    after = network.module.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith(still)} <= same
    assert not {name for name in same if name.startswith(moved)}


def test_unfrozen_layers_train_and_gather_statistics_again():
    network = small()
    apply_freezing(network, "backbone")
    frozen = network.parameters_under(("block1", "block2"))
    thawed = unfreeze(network)
    assert {id(p) for p in thawed} == {id(p) for p in frozen.values()}
    assert unfreeze(network) == []
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    train(network)
    after = network.module.state_dict()
    assert not [name for name in before if torch.equal(before[name], after[name])]


def test_batch_norm_without_parameters_follows_its_stage():
    def stage() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, affine=False))

    module = nn.Sequential(stage(), stage(), nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    network = Network(
        module,
        stages=(Stage("a", ("0",)), Stage("b", ("1",))),
        convolutional=("0", "1"),
        classifier=("3",),
        head=("3",),
    )
    apply_freezing(network, "first:1")
    train(network)
    assert module[0][1].num_batches_tracked == 0
    assert module[1][1].num_batches_tracked == 3


def test_head_batch_norm_gathers_statistics_while_the_backbone_is_frozen():
    network = small(head="mlp", head_hidden=4, head_batch_norm=True)
    apply_freezing(network, "backbone")
    train(network)
    counters = {
        name: int(count)
        for name, count in network.module.named_buffers()
        if name.endswith("num_batches_tracked")
    }
    assert counters == {
        "block1.1.num_batches_tracked": 0,
        "block2.1.num_batches_tracked": 0,
        "fc.1.num_batches_tracked": 3,
    }


def test_dropout_stays_active_in_training_mode():
    network = small("convnet", dropout=0.5)
    apply_freezing(network, "backbone")
    train_mode(network)
    assert all(m.training for m in network.module.modules() if isinstance(m, nn.Dropout))
