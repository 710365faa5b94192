"""Options that several commands share, and what is wrong with their values."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.locations import default_data_dir, default_runs_dir


def one_of(option: str, *names: str) -> Callable[[str], str]:
    """Return what reads an option that takes one of a few names; UserError for any other."""

    def read(text: str) -> str:
        if text not in names:
            raise UserError(f"{option}: unknown '{printable(text)}'{did_you_mean(text, names)}")
        return text

    return read


RunsDir = Annotated[
    Path,
    typer.Option(
        "--runs-dir",
        metavar="FOLDER",
        help="Folder of the runs (CNN_TUI_RUNS).",
        default_factory=default_runs_dir,
        show_default="./runs",
    ),
]
DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder of the data sets (CNN_TUI_DATA).",
        default_factory=default_data_dir,
        show_default="the user's cache folder",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON on stdout, and nothing else.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run: its id, the start of one, a path, or last.", show_default=False
    ),
]
PresetName = Annotated[
    str,
    typer.Argument(
        metavar="PRESET", help="A preset file or the name of a shipped one.", show_default=False
    ),
]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Change a key of the preset; may be repeated.",
        default_factory=list,
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Where to compute: auto, cpu, cuda or cuda:N.",
    ),
]
Checkpoint = Annotated[
    Literal["best", "last"],
    typer.Option(
        "--checkpoint",
        metavar="best|last",
        parser=one_of("--checkpoint", "best", "last"),
        help="Weights: of the best epoch, or the last.",
    ),
]
