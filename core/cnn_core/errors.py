"""Errors that a user can read, and the nearest valid name to offer in them."""

import difflib
import errno
import unicodedata
from collections.abc import Iterable
from pathlib import Path


class CnnTuiError(Exception):
    """A failure that is told in one clear message, without a traceback."""

    exit_code = 1


class UserError(CnnTuiError):
    """The user's mistake: a preset, the data or an argument. Nothing was changed."""

    exit_code = 2


def did_you_mean(name: str, valid: Iterable[str], *, listed_by: str = "") -> str:
    """Return ``"; did you mean 'x'?"``, or the valid names where none is near.

    Where a command lists them, many are left to it.
    """
    names = sorted(valid)
    folded = {candidate.casefold(): candidate for candidate in names}
    wanted = name.casefold()
    # Who wrote conv means convolutional, however far apart their lengths are.
    begun = [candidate for candidate in folded if len(wanted) > 1 and candidate.startswith(wanted)]
    near = begun or difflib.get_close_matches(wanted, folded, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {folded[near[0]]!r}?"
    if not names:
        return ""
    if listed_by and len(names) > 12:
        return f"; `{listed_by}` lists them"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"; expected one of: {shown}"


def printable(text: object) -> str:
    """Return text with control, format and surrogate characters and line separators escaped.

    File names and class names are other people's data; printed raw they could move the
    cursor, recolour the terminal or reverse the reading order.
    """
    text = str(text)
    if text.isprintable():  # nearly always, and told a hundred times faster
        return text
    return "".join(
        char.encode("unicode_escape").decode() if _moves(unicodedata.category(char)) else char
        for char in text
    )


def _moves(category: str) -> bool:
    return category[0] == "C" or category in ("Zl", "Zp")


def first_line(error: BaseException) -> str:
    """Return what another library's exception says, on one line; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return printable(lines[0] if lines else type(error).__name__)


# What a file system refuses with, in words, and what helps.
_FAULTS = {
    errno.ENOSPC: ("disk full", "free space there"),
    errno.EDQUOT: ("quota used up", "free space there, or have the quota raised"),
    errno.EFBIG: ("file larger than this process may write", "`ulimit -f unlimited` lifts that"),
    errno.EROFS: ("read-only file system", "mount it for writing"),
    errno.EACCES: ("no permission", "let this user in there"),
    errno.EPERM: ("no permission", "let this user in there"),
    errno.ENOENT: ("not there", "was it removed, or its disk unmounted?"),
    errno.EIO: ("disk or line to it at fault (I/O error)", "look at the system's log"),
    errno.ESTALE: ("lost by the file server (stale handle)", "mount it anew"),
    errno.EMFILE: ("too many open files in this process", "`ulimit -n` raises their number"),
    errno.ENFILE: ("too many open files on this machine", "end other programs"),
}


# Of these the process has too little, whatever disk it works on.
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_of_process(error: OSError) -> bool:
    """Return whether another folder would not help: files or memory of the process ran out."""
    return error.errno in _LIMITS


def disk_fault(error: OSError, place: Path | str) -> str:
    """Return what a file system refused, where, and what helps: ``disk full: /runs: free …``."""
    if error.errno not in _FAULTS:
        return f"{error.strerror or first_line(error)}: {printable(place)}"
    words, remedy = _FAULTS[error.errno]
    return f"{words}: {printable(place)}: {remedy}"


def shortage(error: BaseException, place: Path | str) -> str | None:
    """Return what the machine has too little of, in a sentence; None for any other failure.

    ``place`` is named where an OSError names no file.
    """
    if is_out_of_memory(error):
        remedy = "take --device cpu" if "CUDA" in str(error) else "end other programs"
        return f"out of memory ({first_line(error)}): {remedy}"
    if isinstance(error, OSError) and error.errno is not None:
        return disk_fault(error, error.filename or place)
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "no more threads or processes: `ulimit -u` and `ulimit -v` say how many there may be"
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory ran out, on a GPU or on the host."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM or _MEMORY_SIGNS[0] in str(error)
    # torch's own class is a RuntimeError too, and so are those of the libraries below it.
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _MEMORY_SIGNS)


_MEMORY_SIGNS = (
    "out of memory",  # CUDA, Pillow
    "can't allocate memory",  # the allocator of the CPU
    "could not create a memory object",  # oneDNN
    "ALLOC_FAILED",  # cuBLAS, cuDNN
)
