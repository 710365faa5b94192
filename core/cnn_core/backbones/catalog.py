"""The backbones a preset can name, and what is wrong with a preset's choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cnn_core.backbones import timm_names
from cnn_core.backbones.structure import Network, Request
from cnn_core.config import Model, Section
from cnn_core.errors import UserError, did_you_mean
from cnn_core.options import option_mistakes
from cnn_core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Normalization: TypeAlias = Literal["imagenet", "half"]
# Where weights are: in an installed package, among downloaded files, on a server, or in a package
# that an extra installs.
Place: TypeAlias = Literal["offline", "cached", "network", "extra"]


class NoOptions(Section):
    """The options of a backbone that has none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """Trained weights that a backbone knows by name."""

    place: Callable[[], Place]
    """Return where they are now; costs no torch."""
    tensors: Callable[[Request], Mapping[str, Tensor]]
    """Return them under the backbone's own names, downloaded first if need be; UserError."""
    normalize: Callable[[], Normalization | None]
    """Return the ``data.normalize`` that they were trained with, None where there is none."""
    top1: float | None = None
    """Accuracy on ImageNet's validation images, in 0..1, as their makers state it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What a backbone is with its default options and its usual classes: 1000, as a rule."""

    parameters: int
    stages: tuple[str, ...]
    image_size: int
    """Usual side of the images in pixels."""
    min_size: int | None
    """Smallest side that the whole network takes; None where it is not known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Backbone:
    """How a network is made; nothing of it needs torch before ``build`` is called."""

    name: str
    help: str
    """One line for lists."""
    options: type[Section]
    build: Callable[[Any, Request], Network]
    """Make the network from the options, with some head in the place of the head.

    Raises UserError where the images' side does not suit it.
    """
    facts: Callable[[], Facts]
    """Return what it is; of timm's models that needs timm, and thus torch."""
    weights: Mapping[str, Weights] = dataclasses.field(default_factory=dict)
    """Trained weights by name."""
    extra: str | None = None
    """The extra of this package that must be installed for it."""


class _Backbones(Registry[Backbone]):
    """The shipped backbones by name, and those of timm as ``timm:NAME``."""

    def miss(self, name: str) -> str | None:
        if name.startswith(timm_names.PREFIX):
            return timm_names.miss(name)
        return super().miss(name)

    def __getitem__(self, name: str) -> Backbone:
        if not name.startswith(timm_names.PREFIX):
            return super().__getitem__(name)
        if why := timm_names.miss(name):
            raise UserError(why)
        from cnn_core.backbones.timm_models import timm_backbone  # which needs this module

        return timm_backbone(name)


BACKBONES = _Backbones(
    "backbone",
    (
        "cnn_core.backbones.seed",
        "cnn_core.backbones.small",
        "cnn_core.backbones.airbench",
        "cnn_core.backbones.torchvision_models",
        "cnn_core.backbones.offline",
    ),
)


def backbone_mistakes(model_table: dict[str, Any]) -> list[tuple[str, str]]:
    """Return ``(key path, message)`` for mistakes of a preset's raw ``[model]`` section.

    Checks what depends on the backbone: its name, its options and the names of its weights.
    Wrong types of the section's own keys are left to ``config.Model``.
    """
    name, options = model_table.get("backbone"), model_table.get("options", {})
    if not isinstance(name, str):
        return []
    if why := BACKBONES.miss(name):
        return [("backbone", why)]
    backbone = BACKBONES[name]
    wrong = []
    if model_table.get("weights") == "imagenet" and "imagenet" not in backbone.weights:
        wrong.append(("weights", no_such_weights(backbone, "imagenet")))
    if isinstance(options, dict):
        mistakes = option_mistakes(backbone.options, options)
        wrong += [(f"options.{key}", message) for key, message in mistakes]
    return wrong


def no_such_weights(backbone: Backbone, name: str) -> str:
    """Return why ``name`` gives no weights: neither a name nor a file."""
    known = ("none", *backbone.weights)
    return f"no weights {name!r} for {backbone.name}, nor such a file{did_you_mean(name, known)}"


def normalization_warning(model: Model, normalize: str) -> str | None:
    """Return a sentence where the weights named by ``model`` expect another normalisation.

    ``normalize`` is ``data.normalize``. Asking a model of timm imports it.
    """
    known = BACKBONES[model.backbone].weights.get(model.weights)
    trained = known.normalize() if known else None
    if trained in (None, normalize):
        return None
    return (
        f'data.normalize = "{normalize}", but the {model.weights} weights of {model.backbone} '
        f'were trained with "{trained}"'
    )
