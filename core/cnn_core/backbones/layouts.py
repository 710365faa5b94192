"""Where the parts of torchvision's models lie: names of their modules, family by family."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from cnn_core.backbones.structure import Stage

if TYPE_CHECKING:
    from torch import nn

# From a model to its steps before the head, in forward order.
Stages: TypeAlias = "Callable[[nn.Module], Iterable[Stage]]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The parts of the models of a family."""

    models: str
    """Pattern of their names."""
    title: str
    """What such a network is, in a few words."""
    stages: Stages
    head: str
    fully_connected: tuple[str, ...] = ()
    """Names of the stages that are fully connected layers."""
    side: str | None = None
    """Argument of the builder that takes the image size, where positions are learnt."""


def _named(*rules: tuple[str, str]) -> Stages:
    """Return stages by name: ``(name or template, pattern of the modules' names)``.

    Parameters that lie in no such module are matched by their own names.
    """
    compiled = [(template, re.compile(pattern)) for template, pattern in rules]

    def stages(module: nn.Module) -> Iterable[Stage]:
        found: dict[str, list[str]] = {}
        for name, _ in chain(module.named_modules(), module.named_parameters()):
            for template, pattern in compiled:
                if match := pattern.fullmatch(name):
                    found.setdefault(match.expand(template), []).append(name)
                    break
        return [Stage(name, tuple(modules)) for name, modules in found.items()]

    return stages


def _blocks_and(*rules: tuple[str, str]) -> Stages:
    """Return the layers of ``features`` up to each max pool as a block, then stages by name."""
    others = _named(*rules)

    def stages(module: nn.Module) -> Iterable[Stage]:
        from torch import nn

        blocks: list[list[str]] = [[]]
        for index, layer in module.get_submodule("features").named_children():
            blocks[-1].append(f"features.{index}")
            if isinstance(layer, nn.MaxPool2d):
                blocks.append([])
        numbered = enumerate((block for block in blocks if block), 1)
        return [*(Stage(f"block{n}", tuple(block)) for n, block in numbered), *others(module)]

    return stages


# Stages of which the later ones begin with a layer that halves the sides (Swin, ConvNeXt).
_HALVING = (
    ("stem", r"features\.0"),
    ("stage1", r"features\.1"),
    ("stage2", r"features\.[23]"),
    ("stage3", r"features\.[45]"),
)
_TWO_HIDDEN = (("fc6", r"avgpool|classifier\.[0-2]"), ("fc7", r"classifier\.[3-5]"))

LAYOUTS = (
    Layout(
        models="alexnet",
        title="AlexNet: 5 convolutions, 3 fully connected layers",
        stages=_named(
            ("conv1", r"features\.[0-2]"),
            ("conv2", r"features\.[3-5]"),
            ("conv3", r"features\.[67]"),
            ("conv4", r"features\.[89]"),
            ("conv5", r"features\.1[0-2]"),
            *_TWO_HIDDEN,
        ),
        head="classifier.6",
        fully_connected=("fc6", "fc7"),
    ),
    Layout(
        models=r"vgg\d+(_bn)?",
        title="VGG: 5 blocks of 3x3 convolutions, 3 fully connected layers",
        stages=_blocks_and(*_TWO_HIDDEN),
        head="classifier.6",
        fully_connected=("fc6", "fc7"),
    ),
    Layout(
        models=r"(wide_)?resnet\d+(_2)?|resnext.*",
        title="residual blocks in 4 stages",
        stages=_named(("stem", r"conv1|bn1|relu|maxpool"), (r"\g<0>", r"layer\d")),
        head="fc",
    ),
    Layout(
        models=r"densenet\d+",
        title="each layer sees the outputs of all before it, in 4 dense blocks",
        stages=_named(
            ("stem", r"features\.(conv0|norm0|relu0|pool0)"),
            ("denseblock4", r"features\.(denseblock4|norm5)"),
            (r"denseblock\2", r"features\.(denseblock|transition)(\d)"),
        ),
        head="classifier",
    ),
    Layout(
        models=r"squeezenet\d_\d",
        title="fire modules (squeeze, expand), a convolution as head; very few parameters",
        stages=_blocks_and(),
        head="classifier.1",
    ),
    Layout(
        models="googlenet",
        title="inception modules, two auxiliary classifiers (images of 224 pixels)",
        stages=_named(
            ("stem", r"conv\d|maxpool[12]"),
            ("inception3", r"inception3\w|maxpool3"),
            ("inception4", r"inception4\w|maxpool4|aux\d\.(conv|fc1)"),
            ("inception5", r"inception5\w"),
        ),
        head="fc",
    ),
    Layout(
        models="inception_v3",
        title="factorised inception modules, an auxiliary classifier (images of 299 pixels)",
        stages=_named(
            ("stem", r"Conv2d_\w+|maxpool\d"),
            ("mixed5", r"Mixed_5\w"),
            ("mixed6", r"Mixed_6\w|AuxLogits\.conv\d"),
            ("mixed7", r"Mixed_7\w"),
        ),
        head="fc",
    ),
    Layout(
        models=r"mobilenet_v2",
        title="inverted residual blocks, for small devices",
        stages=_named(("stem", r"features\.0"), (r"block\1", r"features\.(\d+)")),
        head="classifier.1",
    ),
    Layout(
        models=r"mobilenet_v3_\w+",
        title="inverted residual blocks with squeeze and excitation, for small devices",
        stages=_named(
            ("stem", r"features\.0"), (r"block\1", r"features\.(\d+)"), ("fc", r"classifier\.[0-2]")
        ),
        head="classifier.3",
        fully_connected=("fc",),
    ),
    Layout(
        models=r"mnasnet\d_\d+",
        title="inverted residual blocks found by search, for small devices",
        stages=_named(
            ("stem", r"layers\.[0-7]"),
            *((f"stack{index - 7}", rf"layers\.{index}") for index in range(8, 14)),
            ("conv", r"layers\.1[4-6]"),
        ),
        head="classifier.1",
    ),
    Layout(
        models=r"shufflenet_v2_x\d_\d",
        title="grouped convolutions with shuffled channels, for small devices",
        stages=_named(("stem", r"conv1|maxpool"), (r"\g<0>", r"stage\d|conv5")),
        head="fc",
    ),
    Layout(
        models=r"efficientnet_\w+",
        title="inverted residual blocks scaled in depth, width and image size together",
        stages=_named(("stem", r"features\.0"), (r"stage\1", r"features\.(\d)")),
        head="classifier.1",
    ),
    Layout(
        models=r"regnet_[xy]_\w+",
        title="residual blocks of widths found by search, in 4 stages",
        stages=_named(("stem", "stem"), (r"\1", r"trunk_output\.(block\d)")),
        head="fc",
    ),
    Layout(
        models=r"convnext_\w+",
        title="a ResNet rebuilt after the pattern of transformers: 7x7 depthwise convolutions",
        stages=_named(*_HALVING, ("stage4", r"features\.[67]|classifier\.0")),
        head="classifier.2",
    ),
    Layout(
        models=r"swin_(v2_)?\w",
        title="transformer with attention in shifted windows, in 4 stages",
        stages=_named(*_HALVING, ("stage4", r"features\.[67]|norm")),
        head="head",
    ),
    Layout(
        models="maxvit_t",
        title="convolution, attention in blocks and attention over a grid, in turns",
        stages=_named(
            ("stem", "stem"),
            *((f"block{index + 1}", rf"blocks\.{index}") for index in range(4)),
            ("fc", r"classifier\.[2-4]"),
        ),
        head="classifier.5",
        fully_connected=("fc",),
        side="input_size",
    ),
    Layout(
        models=r"vit_\w_\d+",
        title="vision transformer: attention between patches of the image",
        stages=_named(
            ("embedding", r"conv_proj|class_token|encoder\.pos_embedding"),
            *((f"layer{n + 1}", rf"encoder\.layers\.encoder_layer_{n}") for n in range(32)),
            ("norm", r"encoder\.ln"),
        ),
        head="heads.head",
        side="image_size",
    ),
)


def layout_of(model: str) -> Layout:
    """Return the layout of a torchvision model; KeyError where no family knows it."""
    for layout in LAYOUTS:
        if re.fullmatch(layout.models, model):
            return layout
    raise KeyError(model)
