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

    dropout: float | None = None
    """Dropout probability in place of the backbone's own."""


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """A module from normalised ``images_NCHW`` to logits of shape (N, classes), and its parts.

    The parts are prefixes of module names. Every module with parameters lies in exactly one
    of the stages or in the head, and in exactly one of ``convolutional`` and ``classifier``.
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
    loaded: frozenset[str] = frozenset()
    """Names of the parameters and buffers that came from a file of weights."""

    def parameters_under(self, prefixes: Iterable[str]) -> dict[str, nn.Parameter]:
        """Return the parameters of the modules named by ``prefixes``, by full name."""
        wanted = tuple(prefixes)
        named = self.module.named_parameters()
        return {name: parameter for name, parameter in named if under(name, wanted)}


def under(name: str, prefixes: Iterable[str]) -> bool:
    """Return whether ``name`` is one of the modules named by ``prefixes`` or lies inside one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
