"""doctor: is this machine ready, and what to do where it is not."""

import dataclasses

import typer
from rich.text import Text

from cnn_core.locations import cache_dir
from cnn_tui.options import DataDir, Json, RunsDir
from cnn_tui.output import print_json, print_table

_STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}


def doctor(data_dir: DataDir, runs_dir: RunsDir, as_json: Json = False) -> None:
    """Check Python, torch, GPUs, memory, folders, extras, settings and the terminal."""
    from cnn_tui import machine_checks as machine
    from cnn_tui.terminal_checks import check_terminal

    checks = [
        *machine.check_python(),
        *machine.check_torch(),
        *machine.check_memory(),
        *machine.check_folders({"data": data_dir, "cache": cache_dir(), "runs": runs_dir}),
        *machine.check_datasets(data_dir),
        *machine.check_extras(),
        *machine.check_settings(),
        *check_terminal(),
    ]
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
    else:
        rows = [
            [check.name, Text(check.state, style=_STYLES[check.state]), check.finding, check.remedy]
            for check in checks
        ]
        print_table(["check", "state", "finding", "remedy"], rows, fold=["finding", "remedy"])
    if any(check.state == "failure" for check in checks):
        raise typer.Exit(1)
