"""Checkpoints: whole or absent, and readable without running code."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from cnn_core.backbones.structure import Network, convolutions
from cnn_core.errors import UserError, is_out_of_memory, printable
from cnn_core.files import write_atomically
from cnn_core.regular_files import open_regular
from cnn_core.training.events import CheckpointName

# model, optimizer, schedule, scaler, progress, random; config, classes, mean, std,
# dataset_fingerprint
State = dict[str, Any]


def checkpoint_path(run_dir: Path, name: CheckpointName) -> Path:
    """Return where a run keeps this checkpoint."""
    return run_dir / "checkpoints" / f"{name}.pt"


def save_checkpoint(run_dir: Path, state: State, *names: CheckpointName) -> None:
    """Write one state under one or more names; further names are links, not copies."""
    first, *others = (checkpoint_path(run_dir, name) for name in names)
    first.parent.mkdir(exist_ok=True)  # somebody may have made room
    write_atomically(first, lambda file: _save(state, file))
    for other in others:
        _link_or_write(first, other, lambda file: _save(state, file))


def load_checkpoint(run_dir: Path, name: CheckpointName) -> State:
    """Return a checkpoint with its tensors on the CPU; UserError if it is absent or damaged.

    OSError where it can't be read.
    """
    path = checkpoint_path(run_dir, name)
    try:
        return _load(path, "model")
    except FileNotFoundError as error:
        raise UserError(f"{printable(path)}: this run has no such checkpoint") from error


def has_checkpoint(run_dir: Path) -> bool:
    """Return whether there is one that a run would go on from."""
    return any(checkpoint_path(run_dir, name).exists() for name in ("last", "best"))


def load_furthest(run_dir: Path) -> State | None:
    """Return the checkpoint to go on from, None where there is none; UserError if it is damaged.

    That is last.pt, which becomes what best.pt is where a process was killed between the two:
    trained again, on a GPU or with another rate, its epochs might not come to what best.pt holds.
    """
    last = checkpoint_path(run_dir, "last")
    best = checkpoint_path(run_dir, "best")
    if best.exists() and not (last.exists() and _position(last) >= _position(best)):
        _link_or_write(best, last, lambda file: file.write(best.read_bytes()))
    return load_checkpoint(run_dir, "last") if last.exists() else None


def initial_path(run_dir: Path) -> Path:
    """Return where a run keeps the filters that its training started from."""
    return run_dir / "checkpoints" / "initial.pt"


def save_initial_filters(run_dir: Path, network: Network, *, all_train: bool) -> None:
    """Write the weights of the convolutions as they are now, to be compared with later ones.

    Those that never train are in every checkpoint as they are now: ``all_train`` says that there
    are none, whatever is frozen at first.
    """
    named = dict(network.module.named_parameters())  # filters that whiten the images are buffers
    weights = {
        name: weight.detach().cpu().contiguous()
        for name in convolutions(network.module)
        if (weight := named.get(f"{name}.weight")) is not None
        and (all_train or weight.requires_grad)
    }
    write_atomically(initial_path(run_dir), lambda file: _save({"convolutions": weights}, file))


def load_initial_filters(run_dir: Path) -> dict[str, torch.Tensor]:
    """Return the weights (O,I,H,W) before the first step of the convolutions that train, by name.

    Raises UserError where the run has not kept them, or the file is damaged.
    """
    path = initial_path(run_dir)
    try:
        weights: dict[str, torch.Tensor] = _load(path, "convolutions")["convolutions"]
    except FileNotFoundError as error:
        raise UserError(
            f"run {printable(run_dir.name)} has not kept its filters from before the training "
            f"({printable(path.name)}): those of best and last can be shown"
        ) from error
    return weights


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Return where torch's global generators stand, on the CPU and on the device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Put the generators where they stood; a checkpoint of another device tells the CPU's only."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def remove_partial_checkpoints(run_dir: Path) -> None:
    """Remove what a process killed while saving has left; only for who holds the run's lock."""
    for left in checkpoint_path(run_dir, "last").parent.glob(".*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _position(path: Path) -> tuple[int, int]:
    """Return epoch and step of a checkpoint, whose tensors are not read."""
    progress = _load(path, "progress", mmap=True)["progress"]
    return int(progress["epoch"]), int(progress["step"])


def _load(path: Path, key: str, *, mmap: bool = False) -> State:
    """Return a file's dict, which has the key; UserError if it is damaged or another's."""
    try:
        open_regular(path).close()
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # on broken bytes the unpickler raises almost anything, EINVAL too
        unread = isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.EISDIR)
        if unread or is_out_of_memory(error):  # the file may be whole
            raise
        raise UserError(f"{printable(path)}: damaged or not a checkpoint") from error
    if not isinstance(state, dict) or key not in state:
        raise UserError(f"{printable(path)}: not a checkpoint of a run")
    return state


def _save(state: State, file: BinaryIO) -> None:
    try:
        torch.save(state, file)
    except RuntimeError as error:
        # Where a write fails or is interrupted, torch closes its archive all the same, and
        # complains of what that meets instead.
        if error.__context__ is not None:
            raise error.__context__ from None
        raise


def _link_or_write(source: Path, target: Path, write: Callable[[BinaryIO], object]) -> None:
    try:
        _link_atomically(source, target)
    except OSError:  # a file system without hard links
        write_atomically(target, write)


def _link_atomically(source: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".link-") as folder:
        link = Path(folder) / target.name
        os.link(source, link)
        link.replace(target)
