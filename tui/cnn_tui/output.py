"""What commands print: data on stdout, narration on stderr, other people's text literally."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
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


def narrate(text: str) -> None:
    """Write a line for the person, not for programs that read stdout."""
    stderr().print(Text(printable_lines(text)), soft_wrap=True)


def print_json(value: Any) -> None:
    """Write one JSON document on stdout."""
    sys.stdout.write(to_json(value, indent=2) + "\n")


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
        made.add_row(*(cell if isinstance(cell, Text) else literal(cell) for cell in row))
    return made


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


def printable_lines(text: str) -> str:
    """Return text with its line breaks kept and every other control character escaped."""
    return "\n".join(printable(line) for line in text.splitlines())
