"""Features of the fixed part of a network: computed once, kept on the disk, trained on."""

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib import format as npy
from torch import Tensor, fx

from cnn_core.arrays import BROKEN_ARRAY
from cnn_core.errors import UserError, first_line, is_of_process, printable
from cnn_core.made_once import META, check_room, made_once, read_meta, sync, write_meta
from cnn_core.progress import Progress, Remark
from cnn_core.training.device import Precision, autocast
from cnn_core.training.fixed import Division, Feature
from cnn_core.training.memory import in_halves
from cnn_core.training.plan import chunks, derived_seed
from cnn_core.training.rows import Rows
from cnn_core.training.supply import ImageSupply, Inputs, Output, Supply

# Images that go through the fixed part at once: it keeps no activations for a backward pass.
_AT_ONCE = 64
# Bytes of features from which on their cost is told first.
_WORTH_TELLING = 1e9
# Share of the disk that all stored features together may take; those unused for longest go first.
DISK_SHARE = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Views:
    """Fixed random changes of the training images, each drawn once from the seed."""

    count: int
    seed: int
    name: str
    """Tells augmentations apart, for the cache."""


class FeatureSupply(Supply):
    """Stored features through the rest of the network; views were changed when they were made."""

    def __init__(
        self,
        arrays: Sequence[npt.NDArray[Any]],
        division: Division,
        positions: Tensor,
        device: torch.device,
        forward: Callable[..., Output],
    ) -> None:
        """``positions`` (N,) are sorted; the arrays hold N rows for each view."""
        self._rows = [Rows(array, device) for array in arrays]
        self._division, self._positions, self._forward = division, positions, forward
        self._views = len(arrays[0]) // len(positions)

    def load(self, parts: Sequence[Tensor], epoch: int) -> Generator[Inputs, None, None]:
        """Yield the features of each part, of the epoch's view."""
        first = (epoch - 1) % self._views * len(self._positions)
        indices = [first + torch.searchsorted(self._positions, part) for part in parts]
        streams = [rows.stream(indices) for rows in self._rows]
        with ExitStack() as stack:
            for stream in streams:
                stack.callback(stream.close)
            for stored in zip(*streams, strict=True):
                pairs = zip(stored, self._division.features, strict=True)
                yield tuple(_unpacked(rows, feature) for rows, feature in pairs)

    def output(self, inputs: Inputs) -> Output:
        """Return the network's output from features."""
        return self._forward(*inputs)


def stored_features(
    division: Division,
    source: ImageSupply,
    positions: Tensor,
    *,
    views: Views | None,
    images: str,
    cache_dir: Path,
    device: torch.device,
    precision: Precision,
) -> Generator[Progress | Remark, None, list[npt.NDArray[Any]]]:
    """Return arrays (views x N, ...), mapped from the disk: computed at the first call only.

    ``images`` names the data set's pixels and their normalisation. Raises UserError where the
    cache's folder can't be used or is too small.
    """
    rows = len(positions) * (views.count if views else 1)
    settings = {
        "layers": _digest_of_layers(division.fixed),
        "images": images,
        "positions": hashlib.blake2b(positions.numpy().tobytes(), digest_size=16).hexdigest(),
        "views": None if views is None else [views.count, views.seed, views.name],
        "precision": precision,
        "device": device.type,
        "torch": torch.__version__,
    }
    key = hashlib.blake2b(repr(sorted(settings.items())).encode(), digest_size=16).hexdigest()
    folder = cache_dir / key
    layouts = [
        _Layout((rows, *_stored_shape(feature)), _stored_dtype(feature.dtype))
        for feature in division.features
    ]

    def make(part: Path) -> Generator[Progress | Remark, None, None]:
        cost = check_room(
            rows * division.bytes_per_image,
            part,
            f"computing once what the frozen layers give: features of {rows:,} images",
            "make room, or set freeze.reuse = false",
        )
        if rows * division.bytes_per_image > _WORTH_TELLING:
            yield cost
        with ExitStack() as stack:
            files = [
                stack.enter_context((part / _name(number)).open("wb"))
                for number in range(len(layouts))
            ]
            for file, (shape, dtype) in zip(files, layouts, strict=True):
                descr = npy.dtype_to_descr(dtype)
                header = {"descr": descr, "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(file, header)
            done = 0
            for features in _computed(division, source, positions, views, device, precision):
                for file, values, feature in zip(files, features, division.features, strict=True):
                    file.write(_packed(values, feature).data)
                done += len(features[0])
                yield Progress("computing features", done, rows)
            for file in files:
                sync(file)
        write_meta(part, {"settings": settings})

    try:
        yield from made_once(folder, "stored features", lambda: _fault(folder, layouts), make)
        (folder / META).touch()  # used now: others are removed before it
        _remove_unused(cache_dir, folder)
        return [np.load(folder / _name(i), mmap_mode="r") for i in range(len(layouts))]
    except OSError as error:
        if is_of_process(error):
            raise
        raise UserError(
            f"{printable(error.filename or cache_dir)}: {error.strerror or error}; features are "
            f"kept in {printable(cache_dir)}: CNN_TUI_CACHE names another folder, "
            "freeze.reuse = false does without"
        ) from error


def _computed(
    division: Division,
    source: ImageSupply,
    positions: Tensor,
    views: Views | None,
    device: torch.device,
    precision: Precision,
) -> Generator[Inputs, None, None]:
    """Yield the features of some images after the other; of all of them for each view."""

    def compute(inputs: Inputs) -> Inputs:
        with torch.inference_mode(), autocast(device, precision):
            features: Inputs = division.fixed(source.normalized(inputs))
        return features

    parts = chunks(positions, _AT_ONCE)
    for view in range(views.count if views else 1):
        with closing(source.load(parts, 1)) as loaded:
            for number, (part, inputs) in enumerate(zip(parts, loaded, strict=True)):
                if views is not None:
                    seed = derived_seed(views.seed, view, number)
                    inputs = _view(source, part, inputs, seed)
                pieces = in_halves(compute, inputs)
                yield tuple(torch.cat(some) for some in zip(*pieces, strict=True))


def _view(source: ImageSupply, part: Tensor, inputs: Inputs, seed: int) -> Inputs:
    labels = source.batches.labels(part)
    changed, targets = source.changed(inputs, labels, torch.Generator().manual_seed(seed))
    if targets is not labels:
        raise UserError(
            "freeze.views: the augmentation mixes images, which features can't follow; take one "
            "without mixup and cutmix"
        )
    return changed


class _Layout(NamedTuple):
    """What the array of a file is like."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _fault(folder: Path, layouts: Sequence[_Layout]) -> str | None:
    """Return why stored features can't be used, or None where they are whole."""
    try:
        read_meta(folder)
        for number, layout in enumerate(layouts):
            stored = npy.open_memmap(folder / _name(number), mode="r")
            if (found := _Layout(stored.shape, stored.dtype)) != layout:
                return f"{_name(number)} holds {found}, not {layout}"
    except BROKEN_ARRAY as error:
        return first_line(error)
    return None


def _remove_unused(cache_dir: Path, kept: Path) -> None:
    """Remove the features unused for longest where all together take more than their share."""
    used: list[tuple[float, int, Path]] = []
    for meta in cache_dir.glob(f"*/{META}"):
        if meta.parent.suffix == ".part":  # being made by another process
            continue
        try:
            size = sum(file.stat().st_size for file in meta.parent.iterdir())
            used.append((meta.stat().st_mtime, size, meta.parent))
        except FileNotFoundError:  # removed by another process meanwhile
            continue
    excess = sum(size for _, size, _ in used) - DISK_SHARE * shutil.disk_usage(cache_dir).total
    for _, size, folder in sorted(used):
        if excess <= 0:
            break
        if folder != kept:
            # Who has them mapped keeps them: the system frees files when nobody uses them.
            shutil.rmtree(folder, ignore_errors=True)
            excess -= size


def _digest_of_layers(fixed: fx.GraphModule) -> str:
    digest = hashlib.blake2b(f"{fixed}{fixed.code}".encode(), digest_size=16)
    for name, tensor in fixed.state_dict().items():
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _name(number: int) -> str:
    return f"features-{number}.npy"


def _stored_shape(feature: Feature) -> tuple[int, ...]:
    """Return the shape of a stored row: feature maps lie as HWC where they do in memory."""
    shape = feature.shape
    return (*shape[1:], shape[0]) if feature.channels_last else shape


def _stored_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """Return numpy's type of the same size; it has no bfloat16, whose bits pass for integers."""
    if dtype == torch.bfloat16:
        return np.dtype(np.int16)
    return torch.empty(0, dtype=dtype).numpy().dtype


def _packed(values: Tensor, feature: Feature) -> npt.NDArray[Any]:
    if feature.channels_last:
        values = values.permute(0, 2, 3, 1)
    values = values.cpu().contiguous()
    return (values.view(torch.int16) if values.dtype == torch.bfloat16 else values).numpy()


def _unpacked(stored: Tensor, feature: Feature) -> Tensor:
    values = stored.view(feature.dtype)
    return values.permute(0, 3, 1, 2) if feature.channels_last else values
