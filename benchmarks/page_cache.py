"""Which pages of a file are in memory, and how to put them out of it (Linux).

``posix_fadvise(DONTNEED)`` leaves the pages that a process has mapped; ``madvise(MADV_PAGEOUT)``
takes them out of the page tables and, as they are clean, out of memory. It works on files that
the user owns or may write and on pages that are mapped once, and says nothing where it does not:
whoever evicts asks ``share_in_memory`` afterwards.
"""

import ctypes
import mmap
import os
import statistics
import threading
from collections.abc import Iterator
from pathlib import Path

MADV_PAGEOUT = 21  # since Linux 5.4; not in Python's mmap before 3.13

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def mapped_ranges(path: Path) -> Iterator[tuple[int, int]]:
    """Return address and bytes of each mapping of the file in this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(f" {path}"):
            start, end = (int(part, 16) for part in line.split(maxsplit=1)[0].split("-"))
            yield start, end - start


def share_in_memory(path: Path) -> float:
    """Return the share of the file's pages that the page cache holds, without touching them."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        # Python's mmap does not tell the address of a mapping that is read-only.
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), f"mmap of {path}")
    pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
    failed = _libc.mincore(address, size, pages)
    _libc.munmap(address, size)
    if failed:
        raise OSError(ctypes.get_errno(), f"mincore of {path}")
    return sum(page & 1 for page in pages.raw) / len(pages.raw)


def evict(path: Path) -> None:
    """Put the file's pages out of this process' page tables, and out of memory."""
    for address, size in mapped_ranges(path):
        if _libc.madvise(address, size, MADV_PAGEOUT):
            raise OSError(ctypes.get_errno(), f"madvise(MADV_PAGEOUT) of {path}")
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def read_all(path: Path) -> None:
    """Bring the whole file into memory."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


class Evicting:
    """Evicts the file again and again while the block runs.

    ``held`` is the median share in memory just before, ``left`` just after an eviction.
    """

    def __init__(self, path: Path, interval_s: float) -> None:
        self._path, self._interval_s = path, interval_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._evict)
        self._held: list[float] = []
        self._left: list[float] = []

    def __enter__(self) -> "Evicting":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self.held, self.left = statistics.median(self._held), statistics.median(self._left)

    def _evict(self) -> None:
        evict(self._path)
        while True:
            ended = self._end.wait(self._interval_s)
            self._held.append(share_in_memory(self._path))
            evict(self._path)
            self._left.append(share_in_memory(self._path))
            if ended:
                return
