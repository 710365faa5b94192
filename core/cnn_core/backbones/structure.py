"""A network and the names of its parts: what cutting, freezing and summaries work on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """A step of the forward pass: the names of its modules, prefixes of parameter names."""

    name: str
    modules: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What a preset may ask of every backbone; each heeds what concerns it."""

    image_size: int
    """Side in pixels of the square images."""
    dropout: float | None = None
    """Dropout probability in place of the backbone's own."""
    weights: str = "none"
    """Name of the weights that will be loaded, or a file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Auxiliary:
    """Classifiers on side branches, heard in training only.

    In training mode the network returns a tuple: its logits, then those of each branch. Their
    losses count ``weight`` times.
    """

    branches: tuple[str, ...]
    heads: tuple[str, ...]
    """The last layer of each branch; they are among the network's heads."""
    weight: float


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """A module from normalised ``images_NCHW`` to logits of shape (N, classes), and its parts.

    The parts are prefixes of module names. Every parameter lies in exactly one of the stages or
    in the head, and in exactly one of ``convolutional`` and ``classifier``. What stands between
    the last stage and the head without parameters, such as global average pooling, is no part.
    """

    module: nn.Module
    stages: tuple[Stage, ...]
    """The steps before the head, in forward order."""
    convolutional: tuple[str, ...]
    """The part before the fully connected layers."""
    classifier: tuple[str, ...]
    """The fully connected layers, the head included."""
    head: tuple[str, ...]
    """The last layers, which are made for the classes at hand."""
    auxiliary: Auxiliary | None = None
    """Side branches, where the backbone has them."""
    whitened: str | None = None
    """The convolution whose filters are set from the training images before the first step."""
    loaded: frozenset[str] = frozenset()
    """Names of the parameters and buffers that came from weights."""

    def parameters_under(self, prefixes: Iterable[str]) -> dict[str, nn.Parameter]:
        """Return the parameters of the modules named by ``prefixes``, by full name."""
        wanted = tuple(prefixes)
        named = self.module.named_parameters()
        return {name: parameter for name, parameter in named if under(name, wanted)}


def assembled(
    module: nn.Module,
    stages: Iterable[Stage],
    *,
    head: tuple[str, ...],
    fully_connected: Iterable[str] = (),
    auxiliary: Auxiliary | None = None,
) -> Network:
    """Return the network of these parts; ``fully_connected`` names the stages of such layers."""
    stages, dense = tuple(stages), set(fully_connected)
    parts: dict[bool, list[str]] = {True: [], False: []}
    for stage in stages:
        parts[stage.name in dense] += stage.modules
    return Network(
        module=module,
        stages=stages,
        convolutional=tuple(parts[False]),
        classifier=(*parts[True], *head),
        head=head,
        auxiliary=auxiliary,
    )


def convolutions(module: nn.Module) -> tuple[str, ...]:
    """Return the names of the two-dimensional convolutions, in the order of the forward pass.

    That is the order in which networks register them; those of side branches are among them.
    """
    from torch import nn

    return tuple(name for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d))


def under(name: str, prefixes: Iterable[str]) -> bool:
    """Return whether ``name`` is one of the modules named by ``prefixes`` or lies inside one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
