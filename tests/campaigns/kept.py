"""What must hold after a process was killed, and once another one has gone on."""

import json
import re
from pathlib import Path
from typing import Any

import tomli
from cli_support import Cli

from cnn_core.runs.directory import is_run_id
from cnn_core.runs.index import run_rows
from cnn_core.runs.reader import read_summary

_CLOCKS = ("time", "seconds", "images_per_s")
# Files that stay: locks, and what is looked up in the folders of runs, sweeps and caches.
_STAY = re.compile(r"\.(index\.json|queue\.(json|lock|holder|slots)|lock|study\.journal\.lock)")
_STATUSES = ("queued", "running", "interrupted", "stopped", "finished")


def check_readable(cli: Cli) -> None:
    """Check that readers understand what a process has just left, whatever it was doing."""
    if not cli.runs.exists():
        return
    for row in run_rows(cli.runs):
        assert row["status"] in _STATUSES, row
        assert row["error"] is None, row
    for run_dir in cli.run_dirs():
        tomli.loads((run_dir / "config.toml").read_text())
        json.loads((run_dir / "environment.json").read_bytes())
        status = read_summary(run_dir)["status"]
        assert status in _STATUSES, status


def check_commands(cli: Cli) -> None:
    """Check that the commands that list and show runs say no more of it than they should."""
    listed = cli("runs")
    if cli.run_dirs():
        assert listed.stderr == "", listed.stderr
        cli("show", "last")
    cli("queue")


def check_nothing_left(cli: Cli) -> None:
    """Check that no file is left of what was being written when a process was killed."""
    for path in (*cli.runs.rglob("*"), *(cli.folder / "cache").rglob("*")):
        hidden = path.name.startswith(".") and not _STAY.fullmatch(path.name)
        assert not hidden, path
        assert path.suffix not in (".part", ".tmp"), path
        assert path.parent.name != "control", path
    for run_dir in cli.runs.iterdir():
        assert run_dir.name.startswith(".") or run_dir.name == "sweeps" or is_run_id(run_dir.name)


def epochs(run_dir: Path) -> dict[int, dict[str, Any]]:
    """Return what a run's log tells of its epochs, without clocks; told twice, they must agree."""
    found: dict[int, dict[str, Any]] = {}
    for line in (run_dir / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "epoch_finished":
            told = {key: value for key, value in event.items() if key not in _CLOCKS}
            assert found.setdefault(event["epoch"], told) == told, (found[event["epoch"]], told)
    return found


def check_same_run(run_dir: Path, undisturbed: Path) -> None:
    """Check that a run has come to what one came to that was left alone."""
    summary, expected = read_summary(run_dir), read_summary(undisturbed)
    assert summary["status"] == "finished", summary["status"]
    saved = json.loads((run_dir / "summary.json").read_bytes())["status"]
    assert saved == "finished", f"{saved} in summary.json"
    for key in ("test", "test_last", "split", "params", "epoch"):
        assert summary[key] == expected[key], key
    assert epochs(run_dir) == epochs(undisturbed), "other epochs"
    assert [entry["epoch"] for entry in summary["history"]] == sorted(epochs(undisturbed)), (
        "history"
    )
    for name in ("best", "last"):
        Cli.assert_same_weights(run_dir, undisturbed, name)
    found, known = ({path.name for path in one.rglob("*")} for one in (run_dir, undisturbed))
    assert (found ^ known) <= {"log.txt"}, found ^ known


def check_same_cache(cache: Path, undisturbed: Path) -> None:
    """Check that what was decoded and computed once is, byte by byte, what it was."""
    for path in undisturbed.rglob("*"):
        if path.is_file() and path.parent.name != "fingerprints":  # named by places
            same = cache / path.relative_to(undisturbed)
            assert same.is_file(), same
            assert same.read_bytes() == path.read_bytes(), same
