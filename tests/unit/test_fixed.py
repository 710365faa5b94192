"""A network in two: the part that is the same in every epoch, and the rest."""

import copy

import pytest
import torch
from torch import nn

from cnn_core.backbones.network import build_network
from cnn_core.backbones.structure import Stage, assembled
from cnn_core.config import Model
from cnn_core.freezing import apply_freezing, train_mode
from cnn_core.training.fixed import divide_network

# Side branches, dense links, code that can't be traced into, attention, functional dropout.
BACKBONES = {
    "densenet121": 32,
    "efficientnet_lite0": 32,
    "googlenet": 64,
    "resnet18": 32,
    "shufflenet_v2_x0_5": 32,
    "swin_t": 32,
}


def frozen(name: str, policy: str, side: int):
    network = build_network(Model(backbone=name), classes=3, image_size=side, seed=0)
    apply_freezing(network, policy)
    train_mode(network)
    return network


def outputs(module, *inputs) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)  # of dropout
    output = module(*inputs)
    return output if isinstance(output, tuple) else (output,)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("policy", ["backbone", "first:2"])
@pytest.mark.parametrize("name", BACKBONES)
def test_the_two_parts_are_the_network(name, policy, mode):
    side = BACKBONES[name]
    network = frozen(name, policy, side)
    if mode == "eval":
        network.module.eval()
    generator = torch.Generator().manual_seed(1)
    images_NCHW = torch.randn(5, 3, side, side, generator=generator)
    images_NCHW = images_NCHW.contiguous(memory_format=torch.channels_last)
    before = copy.deepcopy(network.module.state_dict())
    state = torch.get_rng_state()
    division = divide_network(network, images_NCHW[:2])
    assert division is not None
    assert torch.equal(torch.get_rng_state(), state)
    assert all(
        torch.equal(before[key], value) for key, value in network.module.state_dict().items()
    )

    # Evaluation runs without gradients: attention takes another way then.
    with torch.set_grad_enabled(mode == "train"):
        whole = outputs(network.module, images_NCHW)
        network.module.load_state_dict(before)
        features = division.fixed(images_NCHW)
        parts = outputs(division.rest, *features)
    for feature, found in zip(division.features, features, strict=True):
        assert found.shape[1:] == feature.shape
        assert found.dtype == feature.dtype
    assert len(whole) == len(parts)
    for one, two in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
    trained = {p for p in network.module.parameters() if p.requires_grad}
    if mode == "train":  # side branches are not there otherwise
        assert trained <= set(division.rest.parameters())
    assert not trained & set(division.fixed.parameters())


@pytest.mark.parametrize("policy", ["none", "classifier"])
def test_without_frozen_layers_at_the_front_nothing_is_fixed(policy):
    network = frozen("vgg11", policy, 32)
    assert divide_network(network, torch.randn(2, 3, 32, 32)) is None


class Layers(nn.Module):
    """A frozen convolution, what a test puts behind it, and a head."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.first, self.middle, self.second = nn.Conv2d(3, 4, 3), middle, nn.Conv2d(4, 4, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.middle(self.first(images_NCHW))).mean((2, 3)))


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Noise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn_like(x)


@pytest.mark.parametrize(
    ("middle", "fixed"),
    [
        (nn.ReLU(inplace=True), (4,)),
        (nn.Dropout(0.5), (4, 6, 6)),
        (nn.Dropout(0.0), (4,)),
        (Noise(), (4, 6, 6)),
        (nn.BatchNorm2d(4, affine=False), (4, 6, 6)),
        (nn.BatchNorm2d(4, affine=False).eval(), (4,)),
        (Branching(), (4,)),  # no layers inside: called as a whole
    ],
)
def test_fixed_ends_before_what_is_random_or_looks_at_the_batch(middle, fixed):
    module = Layers(middle)
    for layer in (module.first, module.second):
        layer.requires_grad_(False)
    stages = [Stage(name, (name,)) for name in ("first", "middle", "second")]
    network = assembled(module, stages, head=("head",))
    division = divide_network(network, torch.randn(2, 3, 8, 8))
    assert [feature.shape for feature in division.features] == [fixed]


def test_code_that_depends_on_values_is_left_whole():
    class Outer(Layers):
        def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
            return super().forward(images_NCHW if images_NCHW.sum() > 0 else -images_NCHW)

    module = Outer(nn.ReLU())
    module.first.requires_grad_(False)
    network = assembled(module, [Stage("first", ("first",))], head=("head",))
    assert divide_network(network, torch.randn(2, 3, 8, 8)) is None
