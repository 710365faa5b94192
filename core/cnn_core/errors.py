"""Errors that a user can read, and the nearest valid name to offer in them."""

import difflib
import unicodedata
from collections.abc import Iterable


class CnnTuiError(Exception):
    """A failure that is told in one clear message, without a traceback."""

    exit_code = 1


class UserError(CnnTuiError):
    """The user's mistake: a preset, the data or an argument. Nothing was changed."""

    exit_code = 2


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or the valid names where none is near."""
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
