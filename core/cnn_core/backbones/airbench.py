"""A network that learns 32x32 images in few epochs, after Jordan's airbench94.

Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024 (arXiv 2404.00498).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from cnn_core.backbones.catalog import BACKBONES, Backbone
from cnn_core.backbones.facts import facts_of
from cnn_core.backbones.structure import Network, Request, Stage, assembled
from cnn_core.config import Positive, Section, Width

if TYPE_CHECKING:
    from torch import nn

_PATCH = 2
# In torch's convention: the share of the batch in the gathered statistics.
_MOMENTUM = 0.4


class AirbenchOptions(Section):
    """Options of ``airbench``."""

    widths: Annotated[list[Width], Field(min_length=1)] = Field(default=[64, 256, 256])
    """Filters of both convolutions of each block."""
    whiten: bool = True
    """Whether the first convolution whitens the training images' 2x2 patches, or learns."""
    bias_lr_scale: Positive = 64.0
    """Learning rate of the batch norms' biases, relative to the others, at equal decay (SGD)."""


def build_airbench(options: AirbenchOptions, _request: Request) -> Network:
    """A 2x2 convolution, then blocks of two 3x3 ones; a 3x3 max pool and a head without bias.

    A block is convolution, max pool, batch norm, GELU, convolution, batch norm, GELU.
    """
    from torch import nn

    from cnn_core.backbones.layers import FixedConv2d, Scale

    channels = 2 * 3 * _PATCH**2
    module = nn.Sequential()
    first = (FixedConv2d if options.whiten else nn.Conv2d)(3, channels, _PATCH)
    assert first.bias is not None
    nn.init.zeros_(first.bias)
    module.add_module("stem", first)
    module.add_module("gelu", nn.GELU())
    for number, width in enumerate(options.widths, 1):
        module.add_module(f"block{number}", _block(channels, width, options.bias_lr_scale**0.5))
        channels = width
    stages = [Stage(name, (name,)) for name, _ in module.named_children() if name != "gelu"]
    module.add_module("pool", nn.MaxPool2d(3))
    module.add_module("flatten", nn.Flatten())
    module.add_module("head", nn.Linear(1, 1, bias=False))
    module.add_module("scale", Scale(1 / 9))
    network = assembled(module, stages, head=("head",))
    return dataclasses.replace(network, whitened="stem" if options.whiten else None)


def _block(inputs: int, width: int, gain: float) -> nn.Module:
    from torch import nn

    from cnn_core.backbones.layers import ShiftNorm2d

    return nn.Sequential(
        _convolution(inputs, width),
        nn.MaxPool2d(2),
        ShiftNorm2d(width, momentum=_MOMENTUM, gain=gain),
        nn.GELU(),
        _convolution(width, width),
        ShiftNorm2d(width, momentum=_MOMENTUM, gain=gain),
        nn.GELU(),
    )


def _convolution(inputs: int, width: int) -> nn.Module:
    """Return a 3x3 convolution whose first filters hand their channel on, others random."""
    from torch import nn

    convolution = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight.data[:inputs])
    return convolution


BACKBONES.add(
    "airbench",
    Backbone(
        name="airbench",
        help="whitened 2x2 patches, 3x3 convolutions that start as the identity, few epochs",
        options=AirbenchOptions,
        build=build_airbench,
        facts=functools.partial(facts_of, "airbench"),
    ),
)
