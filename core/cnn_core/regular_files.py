"""Opening files that may be anything: no pipe is waited for, no device read without end."""

import errno
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

MOST_BYTES = 1 << 28
"""No document of ours comes near it; what is larger is not read into memory."""


def open_regular(path: Path | str) -> BinaryIO:
    """Open a file for reading; OSError where it is no regular file, or a link to one."""
    return os.fdopen(_opened(path, os.O_RDONLY), "rb")


def read_regular(path: Path | str, most: int = MOST_BYTES) -> bytes:
    """Return what a file holds now; OSError as above, and where it is above ``most`` bytes."""
    with open_regular(path) as file:
        return read_whole(file, path, most)


def read_whole(file: BinaryIO, path: Path | str, most: int = MOST_BYTES) -> bytes:
    """Return what an open file holds now; OSError where it is above ``most`` bytes."""
    size = os.fstat(file.fileno()).st_size
    if size > most:
        what = f"{size / 1e6:,.0f} MB, above {most / 1e6:,.0f} MB"
        raise OSError(errno.EFBIG, what, str(path))
    return file.read(size)


def append_regular(path: Path | str) -> BinaryIO:
    """Open a file to append to, made where there is none; OSError where it is a link or no file.

    Whoever may put a link there could have another file written to.
    """
    return os.fdopen(_opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW), "ab")


def _opened(path: Path | str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        mode = os.fstat(descriptor).st_mode
        if S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
