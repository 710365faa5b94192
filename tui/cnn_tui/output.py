"""What commands print: data on stdout, narration on stderr, other people's text literally."""

import errno
import io
import sys
import textwrap
import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from cnn_core.errors import CnnTuiError, printable
from cnn_core.files import to_json
from cnn_core.quantities import percent as percent
from cnn_core.quantities import seconds as seconds

Loudness = Literal["quiet", "normal", "verbose"]
_loudness: Loudness = "normal"

# A pipe has no width: there nothing is wrapped.
_PIPED_WIDTH = 10**6


class Narration(io.FileIO):
    """A stream for what nobody's work may depend on: a full disk, say, loses it and no more.

    A reader that left, or a terminal that is gone, is told of all the same.
    """

    def write(self, content: Any) -> int:
        """Write the bytes, or forget them."""
        try:
            return super().write(content)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):
                raise
            return len(content)


class _Console(Console):
    """Tells of a reader that left, where rich exits on the spot: a run must end tidily."""

    def on_broken_pipe(self) -> None:
        """Let the error pass on to who prints."""
        raise BrokenPipeError(errno.EPIPE, "the reader of the output is gone")


def set_loudness(wanted: Loudness) -> None:
    """Narrate nothing but errors, as usual, or more than usual, in this process from now on.

    Warnings of Python's libraries are never shown, as Python does, or all of them; what the user
    has asked Python for (``-W``, PYTHONWARNINGS) holds.
    """
    global _loudness
    _loudness = wanted
    if wanted != "normal" and not sys.warnoptions:
        warnings.simplefilter("ignore" if wanted == "quiet" else "default")


def is_quiet() -> bool:
    """Return whether only errors are told."""
    return _loudness == "quiet"


def stdout() -> Console:
    """Return a console for data."""
    return _Console(
        width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False, markup=False
    )


def stderr(*, always: bool = False) -> Console:
    """Return a console for narration; unless ``always``, it is silent where the user wishes so."""
    return _Console(
        stderr=True,
        quiet=is_quiet() and not always,
        width=None if sys.stderr.isatty() else _PIPED_WIDTH,
        highlight=False,
        markup=False,
    )


def has_terminal() -> bool:
    """Return whether the app could be shown."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def narrate(text: str, *, command: str | None = None) -> None:
    """Write lines for the person, not for programs that read stdout.

    ``command`` follows on a line of its own, whole, so that it can be copied.
    """
    console = stderr()
    narrate_on(console, text)
    if command is not None:
        print_line(console, f"  {printable(command)}")


def narrate_on(console: Console, text: str, style: str = "") -> None:
    """Write lines broken between words, other people's control characters escaped.

    Who wants to know all gets the time before each.
    """
    now = f"{time.strftime('%H:%M:%S')} " if _loudness == "verbose" else ""
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip(" "))] + "  "
        print_line(console, wrapped(f"{now}{printable(line)}", console.width, indent), style)


def narrate_details(facts: Iterable[tuple[str, Any]]) -> None:
    """Write names and values for who wants to know all."""
    if _loudness == "verbose":
        for name, value in facts:
            narrate(f"{name}: {value}")


def complain(text: str) -> None:
    """Write an error, which is told however quiet the rest is."""
    narrate_on(stderr(always=True), text)


def wrapped(text: str, width: int, indent: str = "") -> str:
    """Return text broken between words, further lines indented; long words stay whole.

    A terminal that breaks a run's id or a path itself still lets it be copied as one.
    """
    return textwrap.fill(
        text,
        max(width, 20),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def print_line(console: Console, text: str, style: str = "") -> None:
    """Write text as it is, never cut or wrapped."""
    console.print(Text(text, style=style), soft_wrap=True)


def print_json(value: Any) -> None:
    """Write one JSON document on stdout."""
    sys.stdout.write(to_json(value, indent=2) + "\n")


def working(text: str) -> Status:
    """Return a context manager that shows the text with a spinner, on a terminal only."""
    return stderr().status(Text(text))


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Write names and values below each other on stdout."""
    console = stdout()
    facts = list(facts)
    indent = max(len(name) for name, _ in facts) + 2
    for name, value in facts:
        text = wrapped(literal(value).plain, console.width - indent).replace(
            "\n", "\n" + " " * indent
        )
        console.print(Text.assemble((name.ljust(indent), "bold"), text), soft_wrap=True)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Iterable[str] = (),
    fold: Iterable[str] = (),
) -> None:
    """Write a table on stdout; cells are literal unless they are Text, None shows as a dash.

    Where the terminal is too narrow, the columns in ``fold`` are wrapped.
    """
    console = stdout()
    cells = [[Text(column, "bold") for column in columns], *([*map(_cell, row)] for row in rows)]
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    rightward = [column in set(right) for column in columns]
    if not console.is_terminal or sum(widths) + len(widths) - 1 <= console.width:
        # Rich's tables take a millisecond a row; these lines look the same.
        lines = [_aligned(row, widths, rightward) for row in cells]
        console.print(Text("\n").join(lines), soft_wrap=True)
        return
    made = Table(box=None, pad_edge=False, collapse_padding=True)
    for column, to_the_right in zip(columns, rightward, strict=True):
        folds = column in set(fold)
        made.add_column(
            Text(column, "bold"),
            justify="right" if to_the_right else "left",
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
        )
    for row in cells[1:]:
        made.add_row(*row)
    console.print(made)


def fitting(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Return how many of the first columns a table on stdout shows whole; in a pipe all."""
    console = stdout()
    if not console.is_terminal:
        return len(columns)
    used = -1
    for count, column in enumerate(columns):
        used += 1 + max([cell_len(column), *(_cell(row[count]).cell_len for row in rows)])
        if used > console.width:
            return count
    return len(columns)


def _aligned(cells: Sequence[Text], widths: Sequence[int], rightward: Sequence[bool]) -> Text:
    line = Text()
    for cell, width, to_the_right in zip(cells, widths, rightward, strict=True):
        blanks = " " * (width - cell.cell_len)
        line.append(blanks if to_the_right else "").append_text(cell)
        line.append(" " if to_the_right else f"{blanks} ")
    line.rstrip()
    return line


def _cell(value: Any) -> Text:
    return value if isinstance(value, Text) else literal(value)


def literal(value: Any) -> Text:
    """Return a value as text that can't be markup or an escape sequence."""
    return Text("–" if value is None else printable(value))


def literal_lines(value: str) -> Text:
    """Return text of several lines, each of them literal."""
    return Text("\n").join(literal(line) for line in value.split("\n"))


def sentence(error: Exception) -> str:
    """Return what went wrong in one line, with the kind of an error that nobody foresaw."""
    if isinstance(error, CnnTuiError):
        return printable(error)
    if isinstance(error, OSError):
        return printable(f"{error.filename}: {error.strerror}" if error.filename else error)
    lines = str(error).strip().splitlines()
    return printable(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def age(created: float | None, now: float | None = None) -> str | None:
    """Return how long ago something was (Unix seconds), in its largest unit: 3 min, 5 d."""
    if created is None:
        return None
    passed = max(0.0, (time.time() if now is None else now) - created)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if passed >= length:
            return f"{int(passed // length)} {unit}"
    return f"{int(passed)} s"
