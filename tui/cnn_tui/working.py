"""Slow work of a command, its progress on the terminal."""

import sys
from collections.abc import Generator
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from cnn_core.errors import printable
from cnn_core.progress import Progress, Remark
from cnn_tui.output import narrate_on, stderr

Result = TypeVar("Result")


def finish(work: Generator[Progress | Remark, None, Result]) -> Result:
    """Do the work, show its progress on stderr where that is a terminal, and return its result."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    console = stderr()
    with Bar(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None, visible=False)
        while True:
            try:
                item = next(work)
            except StopIteration as end:
                result: Result = end.value
                return result
            match item:
                case Progress(what, done, total):
                    bar.update(
                        task,
                        description=printable(what),
                        completed=done,
                        total=total or None,
                        visible=True,
                    )
                case Remark(text, warning):
                    # On the bar's own console, which writes above it.
                    narrate_on(console, f"warning: {text}" if warning else text)
