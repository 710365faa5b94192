"""CIFAR-10 and CIFAR-100, from the official batches or as image files in train/ and test/."""

import functools
import hashlib
import io
import pickle
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from cnn_core.datasets.catalog import DATASETS, Dataset
from cnn_core.datasets.folder import index_of_parts, is_divided
from cnn_core.datasets.index import TEST, TRAIN, Index, NotFoundError
from cnn_core.errors import CnnTuiError, UserError, printable
from cnn_core.progress import Progress
from cnn_core.regular_files import read_regular

SIDE = 32
CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0


def read(source: str, base_folder: str, root: Path) -> Index:
    """Return the images of torchvision's class ``source``, whose file names and sums count.

    The batches may lie in ``root`` or beside it. Raises UserError naming a file that is not
    whole.
    """
    folders = (root / base_folder, root.parent / base_folder)
    folder = next((place for place in folders if place.is_dir()), None)
    if folder is None:
        if is_divided(root):
            return index_of_parts(root)
        raise NotFoundError(*folders, root / "train")
    official = _official(source)
    meta = _load(folder / official.meta["filename"], official.meta["md5"])
    labels: list[int] = []
    parts: list[int] = []
    names: list[str] = []
    images_NCHW = []
    for part, batches in ((TRAIN, official.train_list), (TEST, official.test_list)):
        for file, md5 in batches:
            batch = _load(folder / file, md5)
            batch_labels = batch["fine_labels" if "fine_labels" in batch else "labels"]
            labels += batch_labels
            parts += [part] * len(batch_labels)
            names += [f"{file}:{i}" for i in range(len(batch_labels))]
            images_NCHW.append(batch["data"].reshape(-1, 3, SIDE, SIDE))
    return Index(
        root=folder,
        classes=tuple(meta[official.meta["key"]]),
        labels=np.array(labels, np.int64),
        parts=np.array(parts, np.int8),
        names=tuple(names),
        array_NHWC=np.ascontiguousarray(np.concatenate(images_NCHW).transpose(0, 2, 3, 1)),
    )


def download(source: str, base_folder: str, root: Path) -> Generator[Progress, None, None]:
    """Fetch the archive, check its sum, and put the folder of batches into ``root``.

    Nothing is left behind by a download that fails; CnnTuiError says why it did.
    """
    official = _official(source)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".download.") as scratch:
        archive = Path(scratch, official.filename)
        yield from _fetch(official.url, archive, official.tgz_md5)
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        shutil.rmtree(root / base_folder, ignore_errors=True)
        Path(scratch, base_folder).rename(root / base_folder)


def _fetch(url: str, target: Path, md5: str) -> Generator[Progress, None, None]:
    what, done, digest = f"downloading {target.name}", 0, hashlib.md5(usedforsecurity=False)
    try:
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply,
            target.open("wb") as file,
        ):
            total = int(reply.headers.get("Content-Length") or 0)
            while chunk := reply.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                yield Progress(what, done, total)
    except OSError as error:
        raise CnnTuiError(f"cannot download {url}: {error}") from error
    if digest.hexdigest() != md5:
        raise CnnTuiError(
            f"{url}: {done} bytes came with the md5 sum {digest.hexdigest()}; expected {md5}"
        )


def _official(source: str) -> Any:
    import torchvision.datasets

    return getattr(torchvision.datasets, source)


def _load(path: Path, md5: str) -> dict[str, Any]:
    """Return the dict in a batch file, whose content must be the published one."""
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise UserError(
            f"{printable(path)}: missing from the data set; remove its folder and get it again"
        ) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise UserError(
            f"{printable(path)}: not the published file (its md5 sum is not {md5}); "
            "remove its folder and get it again"
        )
    batch: dict[str, Any] = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    return batch


class _ArrayUnpickler(pickle.Unpickler):
    """Reads numpy arrays and plain containers; refuses to call anything else."""

    def find_class(self, module: str, name: str) -> Any:
        reconstruct = np.empty(0).__reduce__()[0]  # its module differs between numpy 1 and 2
        allowed = {"_reconstruct": reconstruct, "ndarray": np.ndarray, "dtype": np.dtype}
        if not module.startswith("numpy") or name not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a data set")
        return allowed[name]


def _add(name: str, source: str, classes: int, base_folder: str) -> None:
    entry = Dataset(
        name=name,
        help=f"60,000 photographs of 32x32 pixels in {classes} classes",
        native_size=SIDE,
        classes=classes,
        how_to_get=f"Get it by `cnn-tui datasets --download {name}`, or unpack "
        f"https://www.cs.toronto.edu/~kriz/cifar-{classes}-python.tar.gz there.",
        read=functools.partial(read, source, base_folder),
        download=functools.partial(download, source, base_folder),
    )
    DATASETS.add(name, entry)


_add("cifar10", "CIFAR10", 10, "cifar-10-batches-py")
_add("cifar100", "CIFAR100", 100, "cifar-100-python")
