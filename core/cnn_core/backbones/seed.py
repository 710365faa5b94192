"""Small networks for small images, trained from scratch."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pydantic import Field

from cnn_core.backbones.catalog import BACKBONES, Backbone
from cnn_core.backbones.facts import facts_of
from cnn_core.backbones.structure import Network, Request, Stage, assembled
from cnn_core.config import Section, Width

if TYPE_CHECKING:
    from torch import nn


class CnnOptions(Section):
    """Options of ``cnn``."""

    widths: list[Width] = Field(default=[32, 64, 128, 256, 512], min_length=1)
    """Filters of each block."""
    batch_norm: bool = False
    """Batch norm after each convolution, which then has no bias."""


class ConvnetOptions(CnnOptions):
    """Options of ``convnet``."""

    widths: list[Width] = Field(default=[128, 512, 512, 512, 512], min_length=1)
    """Filters of each block."""


def build_cnn(options: CnnOptions, _request: Request) -> Network:
    """Blocks of 3x3 convolution, ReLU and 2x2 max pool (not in the last); global average."""
    from torch import nn

    blocks = [
        [*convolution, nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        for convolution in _convolutions(options)
    ]
    blocks[-1].pop()
    return _assemble(blocks, nn.AdaptiveAvgPool2d(1))


def build_convnet(options: ConvnetOptions, request: Request) -> Network:
    """Blocks of 3x3 convolution, 2x2 max pool and ReLU; dropout between blocks if asked."""
    from torch import nn

    blocks = [
        [*convolution, nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        for convolution in _convolutions(options)
    ]
    if request.dropout:
        for block in blocks[:-1]:
            block.append(nn.Dropout(request.dropout))
    return _assemble(blocks)


def _convolutions(options: CnnOptions) -> list[list[nn.Module]]:
    """Return for each width a 3x3 convolution of padding 1, with its batch norm if asked."""
    from torch import nn

    layers: list[list[nn.Module]] = []
    channels = 3
    for width in options.widths:
        convolution = nn.Conv2d(channels, width, 3, padding=1, bias=not options.batch_norm)
        layers.append([convolution, *([nn.BatchNorm2d(width)] if options.batch_norm else [])])
        channels = width
    return layers


def _assemble(blocks: list[list[nn.Module]], pool: nn.Module | None = None) -> Network:
    from torch import nn

    module = nn.Sequential()
    stages = [Stage(name, (name,)) for name in (f"block{n + 1}" for n in range(len(blocks)))]
    for stage, block in zip(stages, blocks, strict=True):
        module.add_module(stage.name, nn.Sequential(*block))
    if pool is not None:
        module.add_module("avgpool", pool)
    module.add_module("flatten", nn.Flatten())
    module.add_module("fc", nn.Linear(1, 1))
    return assembled(module, stages, head=("fc",))


BACKBONES.add(
    "cnn",
    Backbone(
        name="cnn",
        help="3x3 convolutions, ReLU and max pools, then the global average of each filter",
        options=CnnOptions,
        build=build_cnn,
        facts=functools.partial(facts_of, "cnn"),
    ),
)
BACKBONES.add(
    "convnet",
    Backbone(
        name="convnet",
        help="3x3 convolutions, max pools and ReLU down to 1x1 at 32 pixels",
        options=ConvnetOptions,
        build=build_convnet,
        facts=functools.partial(facts_of, "convnet"),
    ),
)
