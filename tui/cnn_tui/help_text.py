"""Help of commands: with examples, and readable in a narrow terminal."""

import inspect
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

from cnn_tui.examples import EXAMPLES
from cnn_tui.output import wrapped

# Below this many columns typer's boxes cut the names of options.
_NARROW = 64


class ExampleCommand(TyperCommand):
    """A command whose help ends with its examples."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, and the examples as they are: whole lines, to be copied."""
        with _fitted(self, formatter) as width:
            super().format_help(ctx, formatter)
            formatter.write(" Examples\n" if self.rich_markup_mode else "\nExamples:\n")
        for what, line in EXAMPLES[str(self.name)]:
            formatter.write(f"{wrapped(f'   {labelled(what)}', width, '   ')}\n     {line}\n")


class NarrowGroup(TyperGroup):
    """Commands whose list is readable in a narrow terminal."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        with _fitted(self, formatter):
            super().format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write what the boxes hold, where there is no room for them."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            row = (name, command.help.split("\n\n")[0])
            panels.setdefault(command.rich_help_panel, []).append(row)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def labelled(what: str) -> str:
    """Return what an example does, as it stands before its line."""
    return what if what.endswith("?") else f"{what}:"


def paragraphs(function: Callable[..., object]) -> str:
    """Return a docstring whose lines are as long as the terminal wants them."""
    text = inspect.cleandoc(function.__doc__ or "")
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


@contextmanager
def _fitted(command: TyperCommand | TyperGroup, formatter: Any) -> Iterator[int]:
    """Use click's plain help where the terminal has no room for boxes; yield its width."""
    width, mode = shutil.get_terminal_size().columns, command.rich_markup_mode
    if width < _NARROW:
        command.rich_markup_mode = None
        formatter.width = width - 1
        # Names in a column so small that what is said of them has room.
        formatter.write_dl = partial(formatter.write_dl, col_max=width // 4)
    try:
        yield width
    finally:
        command.rich_markup_mode = mode
