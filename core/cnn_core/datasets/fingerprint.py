"""The content of a data set as one short text, without reading it all at every start."""

import dataclasses
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from cnn_core.datasets.decode import MAX_BYTES
from cnn_core.datasets.index import Index
from cnn_core.datasets.parallel import map_in_order
from cnn_core.files import write_text_atomically
from cnn_core.progress import Progress
from cnn_core.regular_files import read_regular

DIGEST_BYTES = 16
FILES_A_TASK = 64
UNREADABLE = b"unreadable"
SETTLED_S = 2.0
"""A file changed later than this before we look may change again within its clock's tick."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprint:
    """What images hold: ``content`` is a digest of all, in hex.

    ``same`` are the positions of files whose bytes are the same, a tuple for each content that
    more than one file has; of images that are in no files nothing is told.
    """

    content: str
    same: tuple[tuple[int, ...], ...] = ()


def fingerprint(index: Index, memo_dir: Path) -> Generator[Progress, None, Fingerprint]:
    """Return the BLAKE2b digest of the images' names and contents, in their order.

    Files are read only where their names, sizes and times of change are not known from an
    earlier call: ``memo_dir`` holds a small file for each such state, with what was found.
    """
    if index.files is None:
        names = repr(index.names).encode()
        return Fingerprint(_hex(names, np.ascontiguousarray(index.array_NHWC).data))
    stat_digest, settled = _stat_digest(index)
    memo = memo_dir / stat_digest
    with suppress(OSError, ValueError, TypeError, KeyError):  # not yet there, or damaged
        return _noted(json.loads(memo.read_bytes()), len(index))
    starts = range(0, len(index), FILES_A_TASK)
    tasks = (index.files[start : start + FILES_A_TASK] for start in starts)
    digests: list[bytes] = []
    for some in map_in_order(_digests, tasks):
        digests += some
        yield Progress("reading images", len(digests), len(index))
    found = Fingerprint(_hex(repr(index.names).encode(), *digests), _same(digests))
    if settled and UNREADABLE not in digests:
        memo_dir.mkdir(parents=True, exist_ok=True)
        write_text_atomically(memo, json.dumps(dataclasses.asdict(found)), sync=False)
    return found


def _noted(note: dict[str, Any], count: int) -> Fingerprint:
    """Return what was found before; ValueError and the like where the note is damaged."""
    same = tuple(tuple(positions) for positions in note["same"])
    if len(bytes.fromhex(note["content"])) != DIGEST_BYTES or any(
        not 0 <= position < count for positions in same for position in positions
    ):
        raise ValueError("not of these images")
    return Fingerprint(note["content"], same)


def _same(digests: list[bytes]) -> tuple[tuple[int, ...], ...]:
    positions = defaultdict(list)
    for position, digest in enumerate(digests):
        positions[digest].append(position)
    positions.pop(UNREADABLE, None)
    return tuple(tuple(held) for held in positions.values() if len(held) > 1)


def _digests(files: tuple[Path, ...]) -> list[bytes]:
    digests = []
    for file in files:
        try:
            content = read_regular(file, MAX_BYTES)
        except OSError:  # told as a corrupt image when it is decoded
            digests.append(UNREADABLE)
        else:
            digests.append(hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest())
    return digests


def _stat_digest(index: Index) -> tuple[str, bool]:
    """Return a digest of what the file system says, and whether all of it is old enough."""
    states: list[tuple[int, int] | None] = []
    newest_ns = 0
    for file in index.files or ():
        try:
            status = os.stat(file)  # noqa: PTH116 - called for 60,000 files at every start
        except OSError:  # gone since it was listed, which is told when it is decoded
            states.append(None)
        else:
            states.append((status.st_size, status.st_mtime_ns))
            newest_ns = max(newest_ns, status.st_mtime_ns)
    settled = None not in states and newest_ns < time.time_ns() - int(SETTLED_S * 1e9)
    return _hex(repr((str(index.root), index.names, states)).encode()), settled


def _hex(*pieces: bytes | memoryview) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
