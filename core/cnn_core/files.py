"""Files that are either whole or absent, whatever happens while they are written."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, sync: bool = True) -> None:
    """Call ``write(file)`` on a temporary file beside ``path``, then rename it into place.

    ``sync`` forces the bytes to the disk first, so that a power cut leaves the old or the new.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text_atomically(path: Path, text: str, *, sync: bool = True) -> None:
    """Replace the file's content by ``text`` in UTF-8, or leave it as it was."""
    write_atomically(path, lambda file: file.write(text.encode()), sync=sync)


# Controls (JSON itself escapes those below a blank), format characters, line separators.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0001-\U000e007f]"
)

# What tells the contents of a file apart that is always replaced and never changed: a new one
# within a tick of the clock and of the same size is still another inode.
Stamp = list[int]


def stamp_of(file: Path | str | int) -> Stamp | None:
    """Return the stamp of a path or an open descriptor, None if it can't be looked at."""
    try:
        stat = os.stat(file)  # noqa: PTH116 (of thousands of files: three times faster)
    except OSError:
        return None
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return valid JSON; NaN and the infinities become the strings "NaN" and "±Infinity".

    Characters that aren't seen but steer a terminal, which may be where it goes, are escaped.
    """
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError:  # rare, and looking for it first would cost more than writing
        text = json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
    if text.isascii():
        return text.replace("\x7f", r"\u007f")
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return value
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _umask() -> int:
    """Return the process's umask (mkstemp makes files private; ours are shared like any)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
