"""More networks for small images: fully connected, strided, and in blocks after VGG's pattern."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from cnn_core.backbones.catalog import BACKBONES, Backbone
from cnn_core.backbones.facts import facts_of
from cnn_core.backbones.structure import Network, Request, Stage, assembled
from cnn_core.config import Section, Width

if TYPE_CHECKING:
    from torch import nn

Widths = Annotated[list[Width], Field(min_length=1)]


class MlpOptions(Section):
    """Options of ``mlp``."""

    widths: Widths = Field(default=[4096, 4096])
    """Units of each hidden layer."""
    activation: Literal["sigmoid", "tanh", "relu"] = "sigmoid"
    """Function after each hidden layer."""


class StridedCnnOptions(Section):
    """Options of ``strided_cnn``."""

    widths: Widths = Field(default=[256, 256, 256, 256])
    """Filters of each convolution: the first 5x5 with stride 2, the others 3x3."""
    hidden: Width = 4096
    """Units of the fully connected layer."""
    batch_norm: bool = False
    """Batch norm after each convolution, which then has no bias."""


class SmallVggOptions(Section):
    """Options of ``small_vgg``."""

    blocks: list[Widths] = Field(default=[[64, 64], [128, 128]], min_length=1)
    """Filters of each convolution, block by block; a 2x2 max pool ends each block."""
    batch_norm: Literal["none", "between", "all"] = "between"
    """Batch norm after no convolution, after each but the last of a block, or after all."""
    hidden: list[Width] = Field(default=[512])
    """Units of the fully connected layers before the head."""


def build_mlp(options: MlpOptions, request: Request) -> Network:
    """Fully connected layers on the flattened pixels; dropout after each, if asked."""
    from torch import nn

    activation = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}[options.activation]
    module = nn.Sequential()
    module.add_module("flatten", nn.Flatten())
    inputs = 3 * request.image_size**2
    for number, width in enumerate(options.widths, 1):
        layers = [nn.Linear(inputs, width), activation(), *_dropout(request)]
        module.add_module(f"fc{number}", nn.Sequential(*layers))
        inputs = width
    return _with_head(module, fully_connected=[f"fc{n + 1}" for n in range(len(options.widths))])


def build_strided_cnn(options: StridedCnnOptions, request: Request) -> Network:
    """Convolutions without padding, a 2x2 max pool, one fully connected layer, dropout if asked."""
    from torch import nn

    module = nn.Sequential()
    channels = 3
    for number, width in enumerate(options.widths, 1):
        side, stride = (5, 2) if number == 1 else (3, 1)
        convolution = nn.Conv2d(channels, width, side, stride, bias=not options.batch_norm)
        norm = [nn.BatchNorm2d(width)] if options.batch_norm else []
        pool = [nn.MaxPool2d(2)] if number == len(options.widths) else []
        layers = [convolution, *norm, nn.ReLU(inplace=True), *pool]
        module.add_module(f"conv{number}", nn.Sequential(*layers))
        channels = width
    module.add_module("flatten", nn.Flatten())
    # 5x5 with stride 2, then two pixels less for each further convolution, then the pool.
    side = ((request.image_size - 5) // 2 + 1 - 2 * (len(options.widths) - 1)) // 2
    _add_hidden(module, "fc", channels * max(side, 0) ** 2, options.hidden, request)
    return _with_head(module, fully_connected=["fc"])


def build_small_vgg(options: SmallVggOptions, request: Request) -> Network:
    """Blocks of 3x3 convolutions of padding 1, each with ReLU; fully connected layers with ReLU.

    Dropout follows each block and each fully connected layer, if asked.
    """
    from torch import nn

    module = nn.Sequential()
    channels = 3
    for number, widths in enumerate(options.blocks, 1):
        layers: list[nn.Module] = []
        for place, width in enumerate(widths, 1):
            last = place == len(widths)
            norm = options.batch_norm == "all" or (options.batch_norm == "between" and not last)
            layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not norm))
            layers += [nn.BatchNorm2d(width)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = width
        layers += [nn.MaxPool2d(2), *_dropout(request)]
        module.add_module(f"block{number}", nn.Sequential(*layers))
    module.add_module("flatten", nn.Flatten())
    inputs = channels * (request.image_size // 2 ** len(options.blocks)) ** 2
    names = [f"fc{number}" for number, _ in enumerate(options.hidden, 1)]
    for name, width in zip(names, options.hidden, strict=True):
        _add_hidden(module, name, inputs, width, request)
        inputs = width
    return _with_head(module, fully_connected=names)


def _add_hidden(
    module: nn.Sequential, name: str, inputs: int, width: int, request: Request
) -> None:
    from torch import nn

    # Images too small for the convolutions leave nothing: the forward pass will tell.
    layers = [nn.Linear(max(inputs, 1), width), nn.ReLU(inplace=True), *_dropout(request)]
    module.add_module(name, nn.Sequential(*layers))


def _dropout(request: Request) -> list[nn.Module]:
    from torch import nn

    return [nn.Dropout(request.dropout)] if request.dropout else []


def _with_head(module: nn.Sequential, fully_connected: list[str]) -> Network:
    from torch import nn

    stages = [Stage(name, (name,)) for name, _ in module.named_children() if name != "flatten"]
    module.add_module("head", nn.Linear(1, 1))
    return assembled(module, stages, head=("head",), fully_connected=fully_connected)


BACKBONES.add(
    "mlp",
    Backbone(
        name="mlp",
        help="fully connected layers on the flattened pixels, no convolution",
        options=MlpOptions,
        build=build_mlp,
        facts=functools.partial(facts_of, "mlp"),
    ),
)
BACKBONES.add(
    "strided_cnn",
    Backbone(
        name="strided_cnn",
        help="a 5x5 convolution of stride 2, 3x3 ones, one max pool, a wide fully connected layer",
        options=StridedCnnOptions,
        build=build_strided_cnn,
        facts=functools.partial(facts_of, "strided_cnn"),
    ),
)
BACKBONES.add(
    "small_vgg",
    Backbone(
        name="small_vgg",
        help="VGG's pattern for small images: blocks of 3x3 convolutions, fully connected layers",
        options=SmallVggOptions,
        build=build_small_vgg,
        facts=functools.partial(facts_of, "small_vgg"),
    ),
)
