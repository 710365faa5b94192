"""Options that several commands share, and what is wrong with their values."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.launch.choose import LAUNCHERS
from cnn_core.locations import cache_dir, default_data_dir, default_runs_dir
from cnn_tui import completion, output


def one_of(option: str, *names: str) -> Callable[[str], str]:
    """Return what reads an option that takes one of a few names; UserError for any other."""

    def read(text: str) -> str:
        if text not in names:
            raise UserError(f"{option}: unknown '{printable(text)}'{did_you_mean(text, names)}")
        return text

    return read


def launch_options(texts: Iterable[str] | None) -> dict[str, Any]:
    """Return launcher options as values: numbers and true are what TOML takes them for."""
    from cnn_core.preset_files import option_value

    parsed = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--option {printable(text)}: expected KEY=VALUE")
        parsed[key.strip()] = option_value(value)
    return parsed


def set_loudness(*, quiet: bool, verbose: bool) -> None:
    """Let this process narrate less or more; UserError for both."""
    if quiet and verbose:
        raise UserError("give one of --quiet and --verbose")
    if quiet or verbose:
        output.set_loudness("quiet" if quiet else "verbose")


def places(runs_dir: Path, data_dir: Path) -> list[tuple[str, Path]]:
    """Return where settings, runs, data and caches are, for those who ask for details."""
    from cnn_tui.settings import settings_dir

    return [
        ("settings", settings_dir() / "config.toml"),
        ("runs", runs_dir.absolute()),
        ("data", data_dir.absolute()),
        ("cache", cache_dir().absolute()),
    ]


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
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Tell errors and the result only; without the app."),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Tell times, places and libraries' warnings; without the app."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON on stdout, and nothing else.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        autocompletion=completion.runs,
        help="A run: its id, the start of one, the name in it, a path, or last.",
        show_default=False,
    ),
]
PresetName = Annotated[
    str,
    typer.Argument(
        metavar="PRESET",
        autocompletion=completion.presets,
        help="A preset file or the name of a shipped one.",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        autocompletion=completion.settings,
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
        autocompletion=completion.devices,
        help="Where to compute: auto, cpu, cuda or cuda:N.",
    ),
]
LauncherName = Annotated[
    str | None,
    typer.Option(
        "--launcher",
        metavar="local|ray|slurm",
        parser=one_of("--launcher", *LAUNCHERS),
        autocompletion=completion.one_of_these(*LAUNCHERS),
        help="Where to train: here, on a Ray cluster, by SLURM.",
    ),
]
LaunchSettings = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Option of the launcher; may be repeated."),
]
Checkpoint = Annotated[
    Literal["best", "last"],
    typer.Option(
        "--checkpoint",
        metavar="best|last",
        parser=one_of("--checkpoint", "best", "last"),
        autocompletion=completion.one_of_these("best", "last"),
        help="Weights: of the best epoch, or the last.",
    ),
]
Split = Annotated[
    Literal["test", "val", "train"],
    typer.Option(
        "--split",
        metavar="test|val|train",
        parser=one_of("--split", "test", "val", "train"),
        autocompletion=completion.one_of_these("test", "val", "train"),
        help="Part of the data set.",
    ),
]
