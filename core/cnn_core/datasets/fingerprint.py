"""The content of a data set as one short text, without reading it all at every start."""

import hashlib
import os
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np

from cnn_core.datasets.index import Index
from cnn_core.datasets.parallel import map_in_order
from cnn_core.files import write_text_atomically
from cnn_core.progress import Progress

DIGEST_BYTES = 16
FILES_A_TASK = 64
UNREADABLE = b"unreadable"
INCOMPLETE = "-incomplete"
"""Ends the digest of files of which some can't be read."""
SETTLED_S = 2.0
"""A file changed later than this before we look may change again within its clock's tick."""


def fingerprint(index: Index, memo_dir: Path) -> Generator[Progress, None, str]:
    """Return the BLAKE2b digest, in hex, of the images' names and contents, in their order.

    It ends in ``INCOMPLETE`` where some of the files can't be read.

    Files are read only where their names, sizes and times of change are not known from an
    earlier call: ``memo_dir`` holds a small file for each such state, with the digest.
    """
    if index.files is None:
        return _hex(repr(index.names).encode(), np.ascontiguousarray(index.array_NHWC).data)
    stat_digest, settled = _stat_digest(index)
    memo = memo_dir / stat_digest
    if memo.is_file() and len(known := memo.read_text().strip()) == 2 * DIGEST_BYTES:
        return known
    starts = range(0, len(index), FILES_A_TASK)
    tasks = (index.files[start : start + FILES_A_TASK] for start in starts)
    digests: list[bytes] = []
    for some in map_in_order(_digests, tasks):
        digests += some
        yield Progress("reading images", len(digests), len(index))
    content = _hex(repr(index.names).encode(), *digests)
    if UNREADABLE in digests:
        return content + INCOMPLETE
    if settled:
        memo_dir.mkdir(parents=True, exist_ok=True)
        write_text_atomically(memo, content + "\n", sync=False)
    return content


def _digests(files: tuple[Path, ...]) -> list[bytes]:
    digests = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:  # told as a corrupt image when it is decoded
            digests.append(UNREADABLE)
        else:
            digests.append(hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest())
    return digests


def _stat_digest(index: Index) -> tuple[str, bool]:
    """Return a digest of what the file system says, and whether all of it is old enough."""
    states: list[tuple[int, int]] = []
    for file in index.files or ():
        status = os.stat(file)  # noqa: PTH116 - called for 60,000 files at every start
        states.append((status.st_size, status.st_mtime_ns))
    newest_ns = max((mtime_ns for _, mtime_ns in states), default=0)
    settled = newest_ns < time.time_ns() - int(SETTLED_S * 1e9)
    return _hex(repr((str(index.root), index.names, states)).encode()), settled


def _hex(*pieces: bytes | memoryview) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
