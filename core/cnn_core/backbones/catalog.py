"""The backbones a preset can name, and what is wrong with a preset's choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnn_core.backbones.structure import Network, Request
from cnn_core.config import Section
from cnn_core.errors import did_you_mean
from cnn_core.options import option_mistakes
from cnn_core.registry import Registry


class NoOptions(Section):
    """The options of a backbone that has none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Backbone:
    """How a network is made; nothing of it needs torch before ``build`` is called."""

    name: str
    help: str
    """One line for lists."""
    options: type[Section]
    build: Callable[[Any, Request], Network]
    """Make the network from the options; what stands in the head's place is replaced."""
    image_size: int
    """Usual side of the images in pixels."""
    min_size: int
    """Smallest side that the whole network takes, with its default options."""
    weights: tuple[str, ...] = ()
    """Names of the weights that ``fetch`` knows."""
    fetch: Callable[[str], Path] | None = None
    """Return the file of the named weights, downloaded first if need be."""


BACKBONES: Registry[Backbone] = Registry(
    "backbone", ("cnn_core.backbones.seed", "cnn_core.backbones.torchvision_models")
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
