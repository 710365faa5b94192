"""Weights from a file: read without running code, and checked against the network."""

import pickle
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnn_core.backbones.catalog import Backbone, no_such_weights
from cnn_core.backbones.structure import Network, under
from cnn_core.errors import UserError, printable
from cnn_core.locations import expanded

# Where checkpoints keep the network's own tensors beside the optimizer's and others.
_KEYS = ("model", "state_dict")


def weights_file(backbone: Backbone, weights: str) -> Path:
    """Return the file that ``model.weights`` names; raise UserError where there is none."""
    if weights in backbone.weights and backbone.fetch is not None:
        return backbone.fetch(weights)
    file = expanded(weights)
    if not file.is_file():
        raise UserError(f"model.weights: {no_such_weights(backbone, weights)}")
    return file


def load_weights(
    network: Network, file: Path, *, backbone: str, expected: Collection[str]
) -> frozenset[str]:
    """Copy the file's tensors into the network; return the names of those that were copied.

    The head is copied only where the whole of it fits, and otherwise stays as it is.
    ``expected`` are the names of all tensors of the backbone before it was cut: those which
    the cut took away are passed over. Raises UserError where the file is unreadable, would
    run code, belongs to another network, or holds a tensor of another shape.
    """
    tensors = read_tensors(file)
    own = network.module.state_dict()
    head = {name for name in own if under(name, network.head)}
    body = own.keys() - head
    # Files older than batch norm's counter of batches lack it; it plays no part in the forward.
    counters = {name for name in body if name.endswith(".num_batches_tracked")}
    missing = sorted(body - counters - tensors.keys())
    foreign = sorted(
        name for name in tensors if name not in expected and not under(name, network.head)
    )
    if missing or foreign:
        what = f"has no {missing[0]!r}" if missing else f"has {foreign[0]!r} besides"
        raise _mistake(
            file,
            f"are not those of {backbone}: the file {what} ({len(missing)} names missing, "
            f"{len(foreign)} unknown)",
        )
    for name in sorted(body & tensors.keys()):
        if tensors[name].shape != own[name].shape:
            there, here = _sides(tensors[name]), _sides(own[name])
            raise _mistake(file, f"have another shape: {name} is {there}, expected {here}")
    if all(name in tensors and tensors[name].shape == own[name].shape for name in head):
        body |= head
    chosen = {name: tensors[name] for name in body & tensors.keys()}
    network.module.load_state_dict(chosen, strict=False)
    return frozenset(chosen)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict, or of a checkpoint that holds one as "model".

    Only tensors and plain values are read: a file that names code is refused, not run.
    """
    content = _read(file)
    if isinstance(content, dict):
        content = next((content[key] for key in _KEYS if key in content), content)
    if not isinstance(content, dict) or not content:
        raise _mistake(file, f"are a {type(content).__name__}, expected names and tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise _mistake(file, f"hold a {type(value).__name__} at {name!r}, expected a tensor")
    return content


def _read(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise _mistake(file, f"cannot be read: {error.strerror}") from error
    # Damaged bytes make the reader raise nearly anything.
    except Exception as error:
        refused = isinstance(error, pickle.UnpicklingError)
        if refused and (code := re.search(r"GLOBAL (\S+)", str(error))):
            what = f"were refused: reading them would run code ({code[1]}); "
            raise _mistake(file, f"{what}save the state dict alone") from error
        raise _mistake(file, "are damaged, or not a file written by torch.save") from error


def _mistake(file: Path, what: str) -> UserError:
    return UserError(f"model.weights: the weights in {printable(file)} {printable(what)}")


def _sides(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a scalar"
