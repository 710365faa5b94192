"""Trained weights: read without running code, checked against the network, and told about."""

import pickle
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnn_core.backbones.catalog import Backbone, no_such_weights
from cnn_core.backbones.structure import Network, Request, under
from cnn_core.errors import UserError, printable
from cnn_core.locations import expanded
from cnn_core.progress import Progress, Work

# Where checkpoints keep the network's own tensors beside the optimizer's and others.
_KEYS = ("model", "state_dict")
# What DistributedDataParallel and torch.compile put before every name.
_WRAPPERS = ("module.", "_orig_mod.")
# Names shown of those that are missing or unknown.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Source:
    """Tensors by name, and what they are called in messages."""

    title: str
    tensors: Mapping[str, Tensor]


def weights_file(backbone: Backbone, weights: str) -> Path:
    """Return the file that ``model.weights`` names by its path; UserError where there is none."""
    file = expanded(weights)
    if not file.is_file():
        raise UserError(f"model.weights: {no_such_weights(backbone, weights)}")
    return file


def named_tensors(backbone: Backbone, request: Request) -> Source:
    """Return the weights that were asked for, by name or as a file; UserError if there are none."""
    if known := backbone.weights.get(request.weights):
        return Source(f"{request.weights} weights of {backbone.name}", known.tensors(request))
    file = weights_file(backbone, request.weights)
    return Source(f"weights in {printable(file)}", read_tensors(file))


def fetch_weights(backbone: Backbone, request: Request) -> Work[None]:
    """Download weights that are asked for by name and are not here yet; UserError if in vain.

    So that who lacks them learns of it before images are decoded, and who has them coming is told.
    """
    known = backbone.weights.get(request.weights)
    if known is not None and known.place() == "network":
        yield Progress(f"downloading the {request.weights} weights of {backbone.name}", 0, 0)
        known.tensors(request)


def load_weights(
    network: Network, source: Source, *, backbone: str, expected: Collection[str]
) -> Network:
    """Copy the tensors into the network; return it with the names of those that were copied.

    The head is copied only where the whole of it fits, and otherwise stays as it is.
    ``expected`` are the names of all tensors of the backbone before it was cut: those which
    the cut took away are passed over. Raises UserError where the tensors belong to another
    network or one has another shape.
    """
    tensors = source.tensors
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
        found = [_list("missing", missing), _list("unexpected", foreign)]
        raise UserError(
            f"model.weights: the {source.title} are not those of {backbone}: "
            f"{', '.join(part for part in found if part)}"
        )
    for name in sorted(body & tensors.keys()):
        if tensors[name].shape != own[name].shape:
            there, here = _sides(tensors[name]), _sides(own[name])
            raise UserError(
                f"model.weights: the {source.title} have another shape: {printable(name)} is "
                f"{there}, expected {here}"
            )
    if all(name in tensors and tensors[name].shape == own[name].shape for name in head):
        body |= head
    chosen = {name: tensors[name] for name in body & tensors.keys()}
    network.module.load_state_dict(chosen, strict=False)
    return replace(network, loaded=frozenset(chosen))


def _list(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = ", …" if len(names) > _SHOWN else ""
    return f"{len(names)} {what} ({', '.join(printable(name) for name in names[:_SHOWN])}{more})"


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict, or of a checkpoint that holds one as "model".

    Only tensors and plain values are read: a file that names code is refused, not run. Raises
    UserError where the file is unreadable, would run code, or holds something else.
    """
    content = _read_safetensors(file) if file.suffix == ".safetensors" else _read(file)
    if isinstance(content, dict):
        content = next((content[key] for key in _KEYS if key in content), content)
    if not isinstance(content, dict) or not content:
        raise _mistake(file, f"are a {type(content).__name__}, expected names and tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise _mistake(file, f"hold a {type(value).__name__} at {name!r}, expected a tensor")
        if value.layout != torch.strided or value.is_complex() or value.is_meta:
            kind = "complex" if value.is_complex() else "meta" if value.is_meta else "sparse"
            raise _mistake(file, f"hold a {kind} tensor at {name!r}, expected one of plain numbers")
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) for name in content):
            return {name.removeprefix(wrapper): value for name, value in content.items()}
    return content


def _read(file: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about the file is told below
            return torch.load(file, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise _mistake(file, f"cannot be read: {error.strerror}") from error
    # Damaged bytes make the reader raise nearly anything.
    except Exception as error:
        refused = isinstance(error, pickle.UnpicklingError)
        if refused and (code := re.search(r"GLOBAL (\S+)", str(error))):
            what = f"were refused: reading them would run code ({code[1]}); "
            raise _mistake(file, f"{what}save the state dict alone") from error
        if isinstance(error, RuntimeError) and "TorchScript" in str(error):
            what = "were refused: TorchScript is a program; save the state dict alone"
            raise _mistake(file, what) from error
        raise _mistake(file, "are damaged, or not a file written by torch.save") from error


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    import safetensors.torch

    try:
        return safetensors.torch.load_file(file)
    except OSError as error:
        raise _mistake(file, f"cannot be read: {error.strerror or error}") from error
    except safetensors.SafetensorError as error:
        raise _mistake(file, f"are damaged, or no safetensors ({error})") from error


def _mistake(file: Path, what: str) -> UserError:
    return UserError(f"model.weights: the weights in {printable(file)} {printable(what)}")


def _sides(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a scalar"
