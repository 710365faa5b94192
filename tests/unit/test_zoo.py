"""Networks of every family train a step and evaluate, in every freezing policy."""

import pytest
import torch
from torch import Tensor

from cnn_core.backbones.network import Network, build_network
from cnn_core.backbones.structure import under
from cnn_core.config import Model, Optim
from cnn_core.errors import UserError
from cnn_core.freezing import apply_freezing, count_parameters, train_mode
from cnn_core.training.loss import logits_and_loss
from cnn_core.training.optimizer import build_optimizer

CLASSES = 3
# Name: side of the images, and how many features reach the head.
OWN = {
    "airbench": (32, 256),
    "cnn": (32, 512),
    "convnet": (32, 512),
    "mlp": (16, 4096),
    "strided_cnn": (32, 4096),
    "small_vgg": (32, 512),
}
TORCHVISION = {
    "alexnet": (64, 4096),
    "convnext_tiny": (32, 768),
    "densenet121": (32, 1024),
    "densenet169": (64, 1664),
    "efficientnet_b0": (32, 1280),
    "efficientnet_b1": (32, 1280),
    "efficientnet_v2_s": (64, 1280),
    "googlenet": (64, 1024),
    "inception_v3": (299, 2048),
    "mnasnet0_5": (32, 1280),
    "mnasnet1_0": (32, 1280),
    "mobilenet_v2": (32, 1280),
    "mobilenet_v3_large": (32, 1280),
    "mobilenet_v3_small": (32, 1024),
    "regnet_x_400mf": (64, 400),
    "regnet_y_400mf": (64, 440),
    "resnet18": (32, 512),
    "resnet34": (32, 512),
    "resnet50": (64, 2048),
    "resnext50_32x4d": (64, 2048),
    "shufflenet_v2_x0_5": (32, 1024),
    "shufflenet_v2_x1_0": (32, 1024),
    "squeezenet1_0": (64, 512),
    "squeezenet1_1": (64, 512),
    "swin_t": (64, 768),
    "swin_v2_t": (64, 768),
    "vit_b_32": (64, 768),
}
TIMM = {
    "convnext_atto": (64, 320),
    "deit_tiny_distilled_patch16_224": (224, 192),
    "densenet121": (32, 1024),
    "edgenext_xx_small": (64, 168),
    "ghostnet_100": (32, 1280),
    "levit_128s": (224, 384),
    "mobilenetv3_small_050": (32, 1024),
    "pit_ti_224": (224, 256),
    "regnetx_002": (64, 368),
    "resnet18d": (32, 512),
    "tf_efficientnet_lite0": (32, 1280),
    "vit_tiny_patch16_224": (64, 192),
}
ZOO = OWN | TORCHVISION | {f"timm:{name}": known for name, known in TIMM.items()}
QUICK = {*OWN, "resnet18", "squeezenet1_1", "mobilenet_v3_small", "timm:levit_128s"}
# Parameters for the classes beside a linear layer: of side branches, of a second token, no bias.
OTHER_HEADS = {
    "airbench": -CLASSES,
    "googlenet": 2 * (1024 + 1) * CLASSES,
    "inception_v3": (768 + 1) * CLASSES,
    "timm:deit_tiny_distilled_patch16_224": (192 + 1) * CLASSES,
    "timm:levit_128s": (384 + 1) * CLASSES,
}


def built(name: str) -> Network:
    size, _ = ZOO[name]
    return build_network(Model(backbone=name), classes=CLASSES, image_size=size, seed=0)


def head_size(name: str) -> int:
    _, features = ZOO[name]
    return (features + 1) * CLASSES + OTHER_HEADS.get(name, 0)


def images(name: str) -> Tensor:
    size, _ = ZOO[name]
    count = 4 if size < 224 else 2
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def step(network: Network, images_NCHW: Tensor) -> None:
    """Train one step as the trainer does, and check what the optimizer holds."""
    labels = torch.arange(len(images_NCHW)) % CLASSES
    optimizer = build_optimizer(Optim(lr=1e-3, weight_decay=0.1), network.module.parameters())
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in network.module.parameters() if p.requires_grad}
    train_mode(network)
    logits, loss = logits_and_loss(network, network.module(images_NCHW), labels)
    assert logits.shape == (len(images_NCHW), CLASSES)
    loss.backward()
    optimizer.step()


def frozen_state(network: Network) -> dict[str, Tensor]:
    """Return frozen parameters, and the buffers of the stages that have no others."""
    named = dict(network.module.named_parameters())
    frozen = {name for name, parameter in named.items() if not parameter.requires_grad}
    whole = [
        prefix
        for stage in network.stages
        if set(network.parameters_under(stage.modules)) <= frozen
        for prefix in stage.modules
    ]
    return {
        name: tensor.clone()
        for name, tensor in network.module.state_dict().items()
        if name in frozen or under(name, whole)
    }


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in ZOO]
)
def test_a_step_in_every_policy(name):
    network = built(name)
    total = sum(p.numel() for p in network.module.parameters())
    policies = ["none", "convolutional", "classifier", "backbone", "first:1"]
    if len(network.stages) > 2:
        policies.append(f"first:{len(network.stages) - 1}")
    images_NCHW = images(name)
    for policy in policies:
        if name == "mlp" and policy in ("convolutional", "classifier"):
            with pytest.raises(UserError, match=r"freeze.policy"):
                apply_freezing(network, policy)
            continue
        apply_freezing(network, policy)
        before = frozen_state(network)
        start = {n: p.detach().clone() for n, p in network.module.named_parameters()}
        step(network, images_NCHW)
        after = network.module.state_dict()
        assert all(torch.equal(after[key], before[key]) for key in before), policy
        trainable = count_parameters(network)[1]
        moved = [n for n, p in network.module.named_parameters() if not torch.equal(p, start[n])]
        assert moved, policy
        match policy:
            case "none":
                assert trainable == total
                assert not before
            case "backbone":
                assert trainable == head_size(name)
                assert all(under(n, network.head) for n in moved)
                assert len(before) == len(after) - sum(under(key, network.head) for key in after)
            case _:
                assert head_size(name) <= trainable < total or policy == "classifier"
                assert before
        network.module.eval()
        with torch.inference_mode():
            logits = network.module(images_NCHW)
        assert logits.shape == (len(images_NCHW), CLASSES)
        assert logits.isfinite().all()


@pytest.mark.parametrize(("name", "weight"), [("inception_v3", 0.4), ("googlenet", 0.3)])
def test_auxiliary_losses_are_added(name, weight):
    network = built(name)
    images_NCHW = images(name)
    labels = torch.arange(len(images_NCHW)) % CLASSES
    train_mode(network)
    output = network.module(images_NCHW)
    logits, loss = logits_and_loss(network, output, labels)
    losses = [torch.nn.functional.cross_entropy(one, labels) for one in output]
    assert torch.equal(logits, output[0])
    torch.testing.assert_close(loss, losses[0] + weight * sum(losses[1:]))


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_no_auxiliary_classifier_without_weight(name):
    model = Model(backbone=name, options={"aux_weight": 0})
    network = build_network(model, classes=CLASSES, image_size=96, seed=0)
    assert network.auxiliary is None
    assert len(network.head) == 1
    assert isinstance(network.module.train()(torch.randn(2, 3, 96, 96)), Tensor)


def test_a_frozen_stage_skips_no_block_but_drops_out():
    network = built("efficientnet_b0")
    apply_freezing(network, "first:8")
    train_mode(network)
    modes = {
        type(layer).__name__: layer.training
        for name, layer in network.module.named_modules()
        if under(name, [p for stage in network.stages[:8] for p in stage.modules])
    }
    assert modes["StochasticDepth"] is False
    assert modes["BatchNorm2d"] is False
    alexnet = built("alexnet")
    apply_freezing(alexnet, "backbone")
    train_mode(alexnet)
    assert alexnet.module.get_submodule("classifier.0").training
