"""What goes wrong with arrays in files, which may be damaged anywhere."""

import struct
import tokenize
import zipfile
import zlib

# NumPy reads a header as a Python literal, and an archive by zipfile: broken bytes raise almost
# anything. RuntimeError is an archive's that wants a password, or packs in a way of its own.
BROKEN_ARRAY: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(SyntaxError, tokenize.TokenError, RuntimeError, MemoryError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What numpy.load and its maps raise for files that hold no whole array."""
