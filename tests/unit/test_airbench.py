"""The network airbench against the same written in plain torch."""

from collections import OrderedDict
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_core.backbones.network import Network, build_network
from cnn_core.config import Model, Optim
from cnn_core.training.optimizer import build_optimizer

WIDTHS = [24, 5, 7, 6]


def built(*, classes: int = 3, widths: list[int] | None = None, **options: object) -> Network:
    options |= {"widths": widths or WIDTHS[1:]}
    model = Model(backbone="airbench", options=options)
    return build_network(model, classes=classes, image_size=32, seed=0)


def images(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=dtype)


class Plain(nn.Module):
    """The description in plain layers: a norm's bias is the shift itself."""

    def __init__(self, widths: list[int], classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 2)
        self.stem.weight.requires_grad = False
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for inputs, width in pairwise(widths):
            for channels in (inputs, width):
                self.convs.append(nn.Conv2d(channels, width, 3, padding="same", bias=False))
                self.norms.append(nn.BatchNorm2d(width, momentum=0.4))
                self.norms[-1].weight.requires_grad = False
        self.head = nn.Linear(widths[-1], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.stem(x))
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = conv(x)
            x = F.max_pool2d(x, 2) if number % 2 == 0 else x
            x = F.gelu(norm(x))
        return self.head(F.max_pool2d(x, 3).flatten(1)) / 9

    def take(self, state: dict[str, Tensor], gain: float) -> None:
        """Copy the tensors of ours; both list their layers in the order of the forward pass."""
        own = OrderedDict((k, v) for k, v in self.stem.state_dict().items())
        self.stem.load_state_dict({name: state[f"stem.{name}"] for name in own})
        blocks = [
            (n, place) for n in range(1, len(self.convs) // 2 + 1) for place in ((0, 2), (4, 5))
        ]
        for conv, norm, (number, (first, second)) in zip(
            self.convs, self.norms, blocks, strict=True
        ):
            conv.load_state_dict({"weight": state[f"block{number}.{first}.weight"]})
            norm.bias.data.copy_(gain * state[f"block{number}.{second}.bias"])
            norm.running_mean.copy_(state[f"block{number}.{second}.running_mean"])
            norm.running_var.copy_(state[f"block{number}.{second}.running_var"])
        self.head.load_state_dict({"weight": state["head.weight"]})


def test_parameters_of_the_default_network():
    network = build_network(Model(backbone="airbench"), classes=10, image_size=32, device="meta")
    widths = [24, 64, 256, 256]
    convolutions = sum(9 * (a * b + b * b) for a, b in pairwise(widths))
    shifts = 2 * sum(widths[1:])
    total = 24 + convolutions + shifts + 256 * 10
    assert sum(p.numel() for p in network.module.parameters()) == total == 1_971_352
    assert network.module.get_submodule("stem").weight.shape == (24, 3, 2, 2)


def test_logits_and_statistics_are_those_of_the_description():
    network, plain = built(), Plain(WIDTHS, 3)
    for name, parameter in network.module.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    plain.take(network.module.state_dict(), gain=8.0)
    images_NCHW = images(6)
    for training in (True, False):  # in evaluation by what training gathered
        network.module.train(training)
        plain.train(training)
        torch.testing.assert_close(network.module(images_NCHW), plain(images_NCHW))
    again = Plain(WIDTHS, 3).eval()
    again.take(network.module.state_dict(), gain=8.0)
    torch.testing.assert_close(again(images_NCHW), plain(images_NCHW))


def test_convolutions_start_by_handing_their_channels_on():
    block = built(widths=[32, 32]).module.get_submodule("block1")
    features = torch.randn(2, 24, 8, 8, generator=torch.Generator().manual_seed(0))
    out = block[0](features)
    assert torch.equal(out[:, :24], features)
    assert out[:, 24:].std() > 0
    features = torch.randn(2, 32, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block[4](features), features)


@pytest.mark.parametrize("scale", [64.0, 1.0])
def test_biases_train_as_a_group_of_their_own_would(scale):
    """A few steps in double precision, against groups of torch's SGD made by hand."""
    network = built(bias_lr_scale=scale)
    network.module.double().train()
    plain = Plain(WIDTHS, 3).double()
    plain.take(network.module.state_dict(), gain=scale**0.5)
    lr, decay = 0.3, 0.05
    optim = Optim(lr=lr, momentum=0.85, nesterov=True, weight_decay=decay)
    ours = build_optimizer(optim, network.module.parameters())
    biases = [norm.bias for norm in plain.norms]
    others = [plain.stem.bias, *plain.convs.parameters(), *plain.head.parameters()]
    theirs = torch.optim.SGD(
        [
            {"params": others, "lr": lr, "weight_decay": decay},
            {"params": biases, "lr": lr * scale, "weight_decay": decay / scale},
        ],
        momentum=0.85,
        nesterov=True,
    )
    images_NCHW, labels = images(6, torch.float64), torch.arange(6) % 3
    for _ in range(4):
        for module, optimizer in ((network.module, ours), (plain, theirs)):
            optimizer.zero_grad()
            F.cross_entropy(module(images_NCHW), labels).backward()
            optimizer.step()
    moved = Plain(WIDTHS, 3).double()
    moved.take(network.module.state_dict(), gain=scale**0.5)
    for (name, one), (_, two) in zip(
        moved.named_parameters(), plain.named_parameters(), strict=True
    ):
        torch.testing.assert_close(one, two, msg=lambda text, name=name: f"{name}: {text}")
    assert all(bias.any() for bias in biases)


def test_a_first_convolution_that_learns():
    network = built(whiten=False)
    assert network.whitened is None
    assert "stem.weight" in dict(network.module.named_parameters())
    assert built().whitened == "stem"
