"""Folders of derived files: made once, by one process at a time, whole or not at all.

A folder is made as ``<name>.part`` by whoever holds ``<name>.lock``, and renamed when it is whole.
A lock ends with its process.
"""

import json
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from cnn_core.errors import UserError, printable
from cnn_core.file_lock import FileLock, HeldError
from cnn_core.progress import Progress, Remark

META = "meta.json"
LOCK_POLL_S = 0.2


def made_once(
    folder: Path,
    what: str,
    fault: Callable[[], str | None],
    make: Callable[[Path], Generator[Progress | Remark, None, None]],
) -> Generator[Progress | Remark, None, None]:
    """Let ``make(part)`` fill the folder unless it is there, or wait while another process does.

    ``fault()`` tells why the folder cannot be used, None where it can; ``what`` names its content
    in messages. ``make`` gets an empty folder. Raises OSError as the file system does.
    """
    if not fault():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_parts_of_the_dead(folder.parent)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    while not lock.acquire(LOCK_POLL_S):
        yield Progress(f"waiting for another process that makes the {what}", 0, 0)
    try:
        if not (why := fault()):
            return
        if folder.exists():
            yield Remark(
                f"the {what} in {printable(folder)} are damaged ({printable(why)}); "
                "they are made again",
                warning=True,
            )
            shutil.rmtree(folder)
        yield from _make_whole(folder, make)
    finally:
        lock.release()


def write_meta(part: Path, meta: dict[str, Any]) -> None:
    """Write meta.json, for ``read_meta``."""
    with (part / META).open("wb") as file:
        file.write(json.dumps(meta).encode())
        sync(file)


def read_meta(folder: Path) -> dict[str, Any]:
    """Return what meta.json holds; ValueError where it is no table, OSError if it is not there."""
    meta = json.loads((folder / META).read_bytes())
    if not isinstance(meta, dict):
        raise ValueError(f"{META} holds no table")
    return meta


def check_room(needed: int, folder: Path, cost: str, remedy: str) -> Remark:
    """Return the cost as a remark; raise UserError where the disk has no ``needed`` bytes left."""
    free = shutil.disk_usage(folder.parent).free
    text = (
        f"{cost} need {size_text(needed)} in {printable(folder.parent)}, "
        f"where {size_text(free)} are free"
    )
    if needed > free:
        raise UserError(f"{text}; {remedy}")
    return Remark(text)


def size_text(size: float) -> str:
    """Return bytes as people say them, in decimal units as disks are sold."""
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def sync(file: BinaryIO) -> None:
    """Force the bytes to the disk."""
    file.flush()
    os.fsync(file.fileno())


def _make_whole(
    folder: Path, make: Callable[[Path], Generator[Progress | Remark, None, None]]
) -> Generator[Progress | Remark, None, None]:
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        yield from make(part)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _remove_parts_of_the_dead(cache_dir: Path) -> None:
    """Remove what builders left that were killed: the parts whose lock nobody holds.

    Those of other users, which this one can't remove, stay.
    """
    for part in cache_dir.glob("*.part"):
        with suppress(HeldError, OSError), FileLock(part.with_suffix(".lock")).held(0):
            shutil.rmtree(part)
