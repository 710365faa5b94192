"""Backbones, heads, cutting and initial values."""

import subprocess
import sys
from itertools import pairwise

import pytest
import torch
import torchvision
from torch import nn

from cnn_core.backbones.catalog import BACKBONES, backbone_mistakes
from cnn_core.backbones.network import Network, build_network
from cnn_core.backbones.shapes import forward_shapes
from cnn_core.config import Model
from cnn_core.errors import UserError

# A network of a few thousand parameters, for tests of what all networks share.
SMALL = {"widths": [4, 8]}


def shapes_of(backbone: str, *, classes: int = 1000, image_size: int = 224, **keys) -> Network:
    model = Model(backbone=backbone, **keys)
    return build_network(model, classes=classes, image_size=image_size, device="meta")


def images(count: int, side: int) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def parameters(network: Network) -> int:
    return sum(p.numel() for p in network.module.parameters())


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18"])
def test_torchvision_names_and_shapes(name):
    with torch.device("meta"):
        reference = torchvision.models.get_model(name, weights=None, num_classes=101)
    ours = shapes_of(name, classes=101).module.state_dict()
    theirs = reference.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize(("name", "side"), [("alexnet", 63), ("vgg16", 32), ("resnet18", 64)])
def test_logits_equal_torchvisions(name, side):
    network = build_network(Model(backbone=name), classes=7, image_size=side, seed=0)
    with torch.device("meta"):
        reference = torchvision.models.get_model(name, weights=None, num_classes=7)
    reference.load_state_dict(network.module.state_dict(), assign=True)
    images_NCHW = images(2, side)
    with torch.no_grad():
        ours = network.module.eval()(images_NCHW)
        assert torch.equal(ours, reference.eval()(images_NCHW))
    assert ours.std() > 0


def test_cnn_is_the_network_of_its_description():
    network = build_network(Model(backbone="cnn"), classes=2, image_size=32, seed=0)
    widths = [3, 32, 64, 128, 256, 512]
    convolutions = sum(9 * a * b + b for a, b in pairwise(widths))
    assert parameters(network) == convolutions + 512 * 2 + 2
    x = images_NCHW = images(2, 32)
    state = list(network.module.parameters())
    for block in range(5):
        x = nn.functional.conv2d(x, state[2 * block], state[2 * block + 1], padding=1).relu()
        x = nn.functional.max_pool2d(x, 2) if block < 4 else x
    expected = x.mean((2, 3)) @ state[10].T + state[11]
    torch.testing.assert_close(network.module(images_NCHW), expected)


def test_convnet_is_the_network_of_its_description():
    model = Model(backbone="convnet", options={"batch_norm": True})
    network = build_network(model, classes=10, image_size=32, seed=0)
    widths = [3, 128, 512, 512, 512, 512]
    convolutions = sum(9 * a * b + 2 * b for a, b in pairwise(widths))
    assert parameters(network) == convolutions + 512 * 10 + 10
    x = images_NCHW = images(4, 32)
    state = list(network.module.parameters())
    for block in range(5):
        x = nn.functional.conv2d(x, state[3 * block], padding=1)
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        scale = state[3 * block + 1] / (variance + 1e-5).sqrt()
        x = (x - mean[:, None, None]) * scale[:, None, None]
        x = nn.functional.max_pool2d(x, 2).relu()
    expected = x.flatten(1) @ state[15].T + state[16]
    torch.testing.assert_close(network.module.train()(images_NCHW), expected, rtol=1e-3, atol=1e-4)


def test_convnet_without_batch_norm_has_biases():
    widths = [3, 128, 512, 512, 512, 512]
    convolutions = sum(9 * a * b + b for a, b in pairwise(widths))
    network = shapes_of("convnet", classes=10, image_size=32)
    assert parameters(network) == convolutions + 512 * 10 + 10


def test_convnet_flattens_what_larger_images_leave():
    network = shapes_of("convnet", classes=10, image_size=96)
    assert network.module.get_submodule("fc").in_features == 512 * 3 * 3


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "cnn", "convnet", "strided_cnn", "small_vgg"])
def test_images_too_small(name):
    smallest = BACKBONES[name].facts().min_size
    shapes_of(name, image_size=smallest)
    expected = (
        f"data.image_size: {smallest - 1} is too small for {name}; the smallest is {smallest}$"
    )
    with pytest.raises(UserError, match=expected):
        shapes_of(name, image_size=smallest - 1)


def test_resnets_stem_for_small_images():
    options = {"stem": "small"}
    network = shapes_of("resnet18", classes=10, image_size=32, options=options)
    # The usual ResNet18 for CIFAR-10.
    assert parameters(network) == 11_173_962
    shapes = []
    network.module.get_submodule("layer1").register_forward_hook(
        lambda _layer, _inputs, output: shapes.append(tuple(output.shape))
    )
    forward_shapes(network.module, 32)
    assert shapes == [(1, 64, 32, 32)]


def test_images_that_a_transformer_cannot_divide():
    with pytest.raises(
        UserError, match=r"data.image_size: 225 does not suit vit_b_16 \(.*\); 224 "
    ):
        shapes_of("vit_b_16", image_size=225)


@pytest.mark.parametrize(
    ("backbone", "cut", "side", "features"),
    [
        ("vgg16", 3, 224, 200_704),
        ("vgg16", 4, 224, 100_352),
        ("vgg16", 5, 32, 512),
        ("vgg16", 6, 224, 4096),
        ("alexnet", 5, 224, 256 * 6 * 6),
        ("convnet", 2, 32, 512 * 8 * 8),
        # Global average pooling stays.
        ("resnet18", 3, 64, 128),
        ("cnn", 2, 32, 64),
        ("densenet121", 2, 64, 128),
        ("convnext_tiny", 2, 64, 96),
        ("swin_t", 3, 64, 192),
        ("maxvit_t", 4, 224, 256),
        ("mobilenet_v3_small", 12, 64, 96),
        ("inception_v3", 2, 128, 288),
        ("squeezenet1_1", 2, 64, 128),
    ],
)
def test_cut(backbone, cut, side, features):
    network = shapes_of(backbone, classes=256, image_size=side, cut=cut)
    (head,) = network.head
    assert network.module.get_submodule(head).weight.shape[:2] == (256, features)
    assert len(network.stages) == cut
    usual = BACKBONES[backbone].facts().image_size
    whole = shapes_of(backbone, classes=256, image_size=usual).parameters_under(
        prefix for stage in network.stages for prefix in stage.modules
    )
    last = 256 * features if backbone == "maxvit_t" else 256 * (features + 1)  # it has no bias
    assert parameters(network) == sum(p.numel() for p in whole.values()) + last


def test_cut_network_computes_its_first_stages():
    network = build_network(
        Model(backbone="cnn", cut=1, options=SMALL), classes=3, image_size=8, seed=0
    )
    images_NCHW = images(2, 8)
    conv, bias, weight, offset = network.module.parameters()
    x = nn.functional.conv2d(images_NCHW, conv, bias, padding=1).relu()
    expected = nn.functional.max_pool2d(x, 2).mean((2, 3)) @ weight.T + offset
    torch.testing.assert_close(network.module(images_NCHW), expected)


def test_cut_beyond_the_last_stage():
    with pytest.raises(UserError, match=r"model.cut: 6 stages of resnet18, which has 5 \(stem, "):
        shapes_of("resnet18", cut=6)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_mlp_head(batch_norm):
    model = Model(
        backbone="cnn", options=SMALL, head="mlp", head_hidden=6, head_batch_norm=batch_norm
    )
    network = build_network(model, classes=3, image_size=8, seed=0)
    head = network.module.get_submodule("fc")
    kinds = [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in head] == [k for k in kinds if batch_norm or k != kinds[1]]
    hidden = 8 * 6 + (2 * 6 if batch_norm else 6)
    assert sum(p.numel() for p in head.parameters()) == hidden + 6 * 3 + 3
    assert network.module(images(2, 8)).shape == (2, 3)


def test_dropout_takes_the_place_of_the_backbones_own():
    def probabilities(**keys):
        modules = shapes_of("alexnet", **keys).module.modules()
        return [layer.p for layer in modules if isinstance(layer, nn.Dropout)]

    assert probabilities() == [0.5, 0.5]
    assert probabilities(dropout=0.2) == [0.2, 0.2]
    assert probabilities(dropout=0.0) == [0.0, 0.0]


def test_convnet_has_dropout_between_blocks_only():
    network = shapes_of("convnet", image_size=32, dropout=0.3)
    last = {
        name: list(block)[-1]
        for name, block in network.module.named_children()
        if name.startswith("block")
    }
    dropped = {name for name, layer in last.items() if isinstance(layer, nn.Dropout)}
    assert dropped == {"block1", "block2", "block3", "block4"}
    assert {last[name].p for name in dropped} == {0.3}


@pytest.mark.parametrize(("backbone", "keys"), [("resnet18", {}), ("alexnet", {"cut": 5})])
def test_dropout_where_there_is_none(backbone, keys):
    with pytest.raises(UserError, match=f"model.dropout: {backbone} has no dropout layer"):
        shapes_of(backbone, dropout=0.5, **keys)


def test_initial_values():
    def weights(init):
        model = Model(backbone="cnn", init=init, options={"widths": [64, 128]})
        network = build_network(model, classes=100, image_size=32, seed=3)
        return dict(network.module.named_parameters())

    for init, variances in {
        # fan_in 576 and fan_out 1152 of the second convolution; 128 and 100 of the last layer.
        "xavier": {"block2.0.weight": 2 / (576 + 1152), "fc.weight": 2 / 228},
        "kaiming": {"block2.0.weight": 2 / 576, "fc.weight": 2 / 128},
    }.items():
        named = weights(init)
        for name, variance in variances.items():
            assert named[name].var().item() == pytest.approx(variance, rel=0.05)
        assert all(not p.any() for name, p in named.items() if name.endswith("bias"))
    bound = (6 / 228) ** 0.5
    assert weights("xavier")["fc.weight"].abs().max() <= bound
    assert weights("kaiming")["fc.weight"].abs().max() > bound


def test_seed_decides_the_initial_values_and_nothing_else():
    def built(seed):
        network = build_network(
            Model(backbone="cnn", options=SMALL), classes=3, image_size=8, seed=seed
        )
        return torch.cat([p.flatten() for p in network.module.parameters()])

    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = built(1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(9)
    assert torch.equal(built(1), first)
    assert not torch.equal(built(2), first)


def test_without_seed_the_global_generator_decides():
    def built():
        torch.manual_seed(5)
        return build_network(Model(backbone="cnn", options=SMALL), classes=3, image_size=8)

    first, second = built().module.parameters(), built().module.parameters()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["cnn", "resnet18", "inception_v3", "vit_b_32", "regnet_x_400mf"])
def test_meta_draws_nothing_and_reads_no_weights(name):
    before = torch.get_rng_state()
    size = BACKBONES[name].facts().image_size
    network = shapes_of(name, image_size=size, init="kaiming", weights="missing.pt")
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.is_meta for p in network.module.parameters())


def test_wrong_options_are_all_named():
    with pytest.raises(UserError) as raised:
        shapes_of("cnn", options={"widths": [32, "64"], "batchnorm": True})
    assert str(raised.value).splitlines() == [
        "model.options.widths[1]: should be a valid integer, got '64'; "
        "model.options.batchnorm: unknown option; did you mean 'batch_norm'?"
    ]


def test_mistakes_of_a_preset():
    assert backbone_mistakes({"backbone": "cnn", "options": {"widths": [8]}}) == []
    assert backbone_mistakes({"backbone": "resnet18", "weights": "imagenet"}) == []
    assert backbone_mistakes({"backbone": "resnet81"}) == [
        ("backbone", "unknown backbone 'resnet81'; did you mean 'resnet18'?")
    ]
    wrong = {"backbone": "convnet", "weights": "imagenet", "options": {"widths": [], "depth": 3}}
    keys = [key for key, _ in backbone_mistakes(wrong)]
    assert keys == ["weights", "options.widths", "options.depth"]


@pytest.mark.parametrize("table", [{}, {"backbone": 3}, {"backbone": "cnn", "options": [1]}])
def test_wrong_types_of_the_sections_own_keys_are_left_to_the_config(table):
    assert backbone_mistakes(table) == []


def test_checking_a_preset_imports_no_torch():
    code = (
        "import sys\n"
        "from cnn_core.backbones.catalog import BACKBONES, backbone_mistakes\n"
        "from cnn_core.augment.catalog import TRANSFORMS, augment_mistakes\n"
        "assert backbone_mistakes({'backbone': 'alexnet', 'options': {'a': 1}})\n"
        "assert augment_mistakes({'transforms': [{'name': 'random_crop', 'padding': 0}]})\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
