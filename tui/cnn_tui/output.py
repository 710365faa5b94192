"""What commands print: data on stdout, narration on stderr, other people's text literally."""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from cnn_core.errors import printable
from cnn_core.files import to_json

# Wide enough that no table is cut where a file or another program reads it.
_PIPED_WIDTH = 240


def stdout() -> Console:
    """Return a console for data."""
    return Console(
        width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False, markup=False
    )


def stderr() -> Console:
    """Return a console for narration."""
    return Console(
        stderr=True,
        width=None if sys.stderr.isatty() else _PIPED_WIDTH,
        highlight=False,
        markup=False,
    )


def narrate(text: str, *, command: str | None = None) -> None:
    """Write lines for the person, not for programs that read stdout.

    ``command`` follows on a line of its own, whole, so that it can be copied.
    """
    console = stderr()
    narrate_on(console, text)
    if command is not None:
        print_line(console, f"  {printable(command)}")


def narrate_on(console: Console, text: str) -> None:
    """Write lines broken between words, other people's control characters escaped."""
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip(" "))] + "  "
        print_line(console, wrapped(printable(line), console.width, indent))


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


def print_table(made: Table) -> None:
    """Write a table on stdout, without the blanks that fill its last column up in a pipe."""
    console = stdout()
    if console.is_terminal:
        console.print(made)
        return
    with console.capture() as capture:
        console.print(made)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def fitting(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> int:
    """Return how many of the first columns a table can show whole in ``width`` cells."""
    used = -1
    for count, column in enumerate(columns):
        used += 1 + max([cell_len(column), *(_cell(row[count]).cell_len for row in rows)])
        if used > width:
            return count
    return len(columns)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Iterable[str] = (),
    fold: Iterable[str] = (),
    title: str | None = None,
) -> Table:
    """Return a table; cells are shown literally unless they are Text, None shows as a dash."""
    made = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        collapse_padding=True,
    )
    right, fold = set(right), set(fold)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column not in fold,
            overflow="fold" if column in fold else "ellipsis",
        )
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def _cell(value: Any) -> Text:
    return value if isinstance(value, Text) else literal(value)


def literal(value: Any) -> Text:
    """Return a value as text that can't be markup or an escape sequence."""
    return Text("–" if value is None else printable(value))


def percent(value: float | None) -> str | None:
    """Return an accuracy in 0..1 as a percentage with two decimals, NaN as such."""
    return None if value is None else f"{100 * value:.2f}%"


def seconds(value: float | None) -> str | None:
    """Return a duration as people say it: 4.2 s, 3 min 10 s, 2 h 05 min."""
    if value is None:
        return None
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
