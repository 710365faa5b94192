"""report: runs as one document, to read, to keep and to hand on."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cnn_tui import completion
from cnn_tui.options import DataDir, Device, RunsDir, one_of
from cnn_tui.output import narrate


def report(
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            autocompletion=completion.runs,
            help="A run, or several to compare.",
            show_default=False,
        ),
    ],
    runs_dir: RunsDir,
    data_dir: DataDir,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="FILE.html, or FILE.md with its pictures in FILE_files/.",
            show_default=False,
        ),
    ],
    split: Annotated[
        Literal["test", "val"],
        typer.Option(
            "--split",
            metavar="test|val",
            parser=one_of("--split", "test", "val"),
            autocompletion=completion.one_of_these("test", "val"),
            help="Images that the best weights are judged by.",
        ),
    ] = "test",
    device: Device = "auto",
) -> None:
    """Write a report: results, settings, curves, classes, confusions, single images."""
    from cnn_core.locations import cache_dir, expanded
    from cnn_core.report.place import check_place
    from cnn_core.runs.directory import find_run

    out = expanded(str(out))
    check_place(out)
    run_dirs = list(dict.fromkeys(find_run(runs_dir, item) for item in references))
    from cnn_core.report.write import report as written
    from cnn_tui.working import finish

    finish(
        written(run_dirs, out, part=split, data_dir=data_dir, cache_dir=cache_dir(), device=device)
    )
    narrate(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")
