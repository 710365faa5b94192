"""What commands print: data on stdout, narration on stderr, other people's text literally."""

import errno
import io
import os
import shutil
import sys
import textwrap
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

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
# Columns that a cell which may be wrapped needs at least, and a value beside its name.
_FOLDED, _NARROW_VALUE = 12, 20


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
    return _console(sys.stdout)


def stderr(*, always: bool = False) -> Console:
    """Return a console for narration; unless ``always``, it is silent where the user wishes so."""
    return _console(sys.stderr, quiet=is_quiet() and not always)


def _console(stream: TextIO, *, quiet: bool = False) -> Console:
    width = height = None
    if not stream.isatty():
        width = _PIPED_WIDTH
    elif os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        width, height = shutil.get_terminal_size()  # rich takes 80 columns for these
    return _Console(
        stderr=stream is sys.stderr,
        width=width,
        height=height,
        quiet=quiet,
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


def narrate_beginning(file: Path) -> None:
    """Tell where the files that come with the program are, of which this is one."""
    narrate(f"to begin your own, copy a file of {file.parent}")


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
    if below := console.width - indent < _NARROW_VALUE:
        indent = 2
    for name, value in facts:
        text = wrapped(literal(value).plain, console.width - indent)
        text = text.replace("\n", "\n" + " " * indent)
        head = f"{name}\n{'' if not text else '  '}" if below else name.ljust(indent)
        console.print(Text.assemble((head, "bold"), text), soft_wrap=True)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Iterable[str] = (),
    fold: Iterable[str] = (),
) -> None:
    """Write a table on stdout; cells are literal unless they are Text, None shows as a dash.

    Where the terminal is too narrow, the columns in ``fold`` are wrapped; where that is not enough,
    each row is a paragraph, so that nothing is cut.
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
    folds = [column in set(fold) for column in columns]
    least = [min(_FOLDED, width) if f else width for f, width in zip(folds, widths, strict=True)]
    if sum(least) + len(least) - 1 > console.width:
        for row in cells[1:]:
            _print_paragraph(console, columns, row, numbered=rightward[0])
        return
    made = Table(box=None, pad_edge=False, collapse_padding=True)
    for column, to_the_right, may_fold in zip(columns, rightward, folds, strict=True):
        made.add_column(
            Text(column, "bold"),
            justify="right" if to_the_right else "left",
            no_wrap=not may_fold,
            overflow="fold",
        )
    for row in cells[1:]:
        made.add_row(*row)
    console.print(made)


def _print_paragraph(
    console: Console, columns: Sequence[str], row: Sequence[Text], *, numbered: bool
) -> None:
    """Write the first cell, and below it the others with the names of their columns."""
    print_line(console, f"{columns[0]} {row[0]}" if numbered else row[0].plain, "bold")
    named = zip(columns[1:], row[1:], strict=True)
    rest = ", ".join(f"{column} {cell.plain}" for column, cell in named if cell.plain.strip())
    if rest:
        print_line(console, wrapped(f"  {rest}", console.width, "  "))


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
