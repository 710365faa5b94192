"""Folders of runs with damaged files, and all that shows them."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import tomli
from app_support import Folder, until
from fuzz_support import (
    Harm,
    Surface,
    as_json,
    as_toml,
    command,
    file_of,
    harms,
    mutated,
    told,
)
from fuzz_texts import fold
from hypothesis import strategies as st
from inspect_support import make_images, trained_run

from cnn_core.runs import event_log
from cnn_core.runs.follower import EventFollower
from cnn_core.runs.index import INDEX, run_rows
from cnn_core.runs.labels import set_labels
from cnn_core.runs.queue import Queue
from cnn_core.runs.removal import delete_run
from cnn_core.runs.watcher import RunsWatcher
from cnn_core.search.folder import begin_sweep
from cnn_tui.app import CnnTuiApp
from cnn_tui.settings import State, read_config
from cnn_tui.widgets.runs_table import RunsTable
from cnn_tui.workplace import Workplace

# --- files of a run ---


class StoredRuns:
    """Two runs made by hand, and a sweep, in a folder that copies are made of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "stored"
        self.runs = Folder(self.folder)
        self.ids = [self.runs.finished(name).name for name in ("one", "two")]
        run = self.folder / self.ids[0]
        (run / "log.txt").write_text("a warning\n")
        (run / "lock").touch()
        (run / "heartbeat.json").write_text('{"host": "elsewhere", "pid": 1, "time": 1.0}')
        Queue(self.folder).add(self.runs.new("three").name)
        run_rows(self.folder)
        begin_sweep(self.folder, "digits-learning-rate", launch={})
        command("trials", "digits-learning-rate", "--runs-dir", self.folder)
        self.files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and self.ids[1] not in path.parts
        }

    def documents(self) -> dict[str, st.SearchStrategy[bytes]]:
        """Return what nearly is the content of a file, by its path, for those with a structure."""
        made: dict[str, st.SearchStrategy[bytes]] = {}
        for name, content in self.files.items():
            if name.endswith(".json"):
                made[name] = mutated(json.loads(content)).map(as_json)
            elif name.endswith(".toml"):
                made[name] = mutated(tomli.loads(content.decode()), toml=True).map(as_toml)
            elif name.endswith(event_log.EVENTS):
                made[name] = mutated([*map(json.loads, content.splitlines())]).map(_lines)
        return made

    def harmed(self) -> st.SearchStrategy[list[Harm]]:
        return harms(self.files, self.documents())

    @contextmanager
    def copy(self, harms: list[Harm]) -> Iterator[Path]:
        """Give a copy of the folder with these harms."""
        with tempfile.TemporaryDirectory() as made:
            copied = Path(made, "runs")
            shutil.copytree(self.folder, copied)
            for harm in harms:
                harm.do(copied)
            yield copied

    def read(self, harms: list[Harm]) -> None:
        """Check all that reads runs without a command."""
        with self.copy(harms) as runs_dir:
            told(lambda: run_rows(runs_dir))
            watcher = RunsWatcher(runs_dir)
            told(watcher.poll)
            told(watcher.poll)
            told(Queue(runs_dir).ids)
            for run_id in self.ids:
                follower = EventFollower(runs_dir / run_id)
                try:
                    events = follower.poll()
                except OSError:  # told by whoever follows
                    continue
                fold(events)

    def rows(self) -> st.SearchStrategy[Any]:
        """Return what nearly are the rows of the index, by id."""
        cached = json.loads(self.files[INDEX])
        return mutated({run_id: row for run_id, (_, row) in cached.items()})

    def index(self, rows: Any) -> None:
        """Check that odd rows in the cache are not taken for those of runs."""
        rows = rows if isinstance(rows, dict) else {}
        with self.copy([]) as runs_dir:
            before = run_rows(runs_dir)
            cached = json.loads((runs_dir / INDEX).read_bytes())
            odd = {run_id: [stamp, rows.get(run_id)] for run_id, (stamp, _) in cached.items()}
            (runs_dir / INDEX).write_bytes(as_json(odd))
            command("runs", "--runs-dir", runs_dir)
            command("runs", "--sort", "-best.val_acc", "--filter", "test.acc > 0.1 or name == 'a'",
                    "--runs-dir", runs_dir)  # fmt: skip
            assert [row["id"] for row in run_rows(runs_dir)] == [row["id"] for row in before]

    def show(self, harms: list[Harm]) -> None:
        """Check the commands that tell of runs."""
        with self.copy(harms) as runs_dir:
            at = ("--runs-dir", runs_dir)
            command("runs", *at)
            rows = json.loads(command("runs", "--json", *at) or "[]")
            assert self.ids[1] in {row["id"] for row in rows}
            for extra in ((), ("--json",)):
                command("show", self.ids[0], *extra, *at)
            for extra in ((), ("--json",), ("--csv",), ("--markdown",), ("--latex",)):
                command("compare", *self.ids, *extra, *at)
            command("queue", *at)
            command("show", "last", *at)

    def visit(self, harms: list[Harm]) -> None:
        """Check that the app shows the runs, each of its pages, and goes on."""
        with self.copy(harms) as runs_dir:
            asyncio.run(_visit(runs_dir, State()))

    def remember(self, content: bytes) -> None:
        """Check that the app begins with whatever it remembers of its last start."""
        with self.copy([]) as runs_dir, file_of("state.json", content) as path:
            state = State.read(path.parent)
            told(lambda: read_config(path.parent))
            asyncio.run(_visit(runs_dir, state))

    def sweeps(self, harms: list[Harm]) -> None:
        """Check the commands that tell of sweeps."""
        with self.copy(harms) as runs_dir:
            at = ("--runs-dir", runs_dir)
            command("sweeps", *at)
            command("sweeps", "--json", *at)
            command("trials", "digits-learning-rate", *at)

    def change(self, harms: list[Harm]) -> None:
        """Check the commands that change runs, which leave others as they are."""
        with self.copy(harms) as runs_dir:
            run_dir = runs_dir / self.ids[0]
            for asked in ("stop", "pause", "finish"):
                command(asked, self.ids[0], "--runs-dir", runs_dir)
            told(lambda: Queue(runs_dir).add(self.ids[0]))
            told(lambda: set_labels(run_dir, notes="noted"))
            told(lambda: delete_run(run_dir))
            other = runs_dir / self.ids[1] / "events.jsonl"
            assert other.read_bytes() == (self.folder / self.ids[1] / "events.jsonl").read_bytes()


class TrainedRun:
    """A run that was really trained, with its data and its cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "trained"
        make_images(self.folder / "data" / "images", ("ant", "bee"), 8)
        run_dir = trained_run(self.folder)
        self.id = run_dir.name
        self.files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for root in (run_dir, self.folder / "cache")
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def harmed(self) -> st.SearchStrategy[list[Harm]]:
        return harms(self.files, {})

    def use(self, harms: list[Harm]) -> None:
        """Check the commands that go on with a run and look into it."""
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made, "trained")
            shutil.copytree(self.folder, folder)
            for harm in harms:
                harm.do(folder)
            at = ("--runs-dir", folder / "runs", "--data-dir", folder / "data", "--device", "cpu")
            cache = {"CNN_TUI_CACHE": str(folder / "cache")}
            with mock.patch.dict(os.environ, cache):
                command("evaluate", self.id, *at)
                command("filters", self.id, "--out", folder / "filters.png", *at[:2])
                command("report", self.id, "--out", folder / "report.md", *at)
                export = ("--format", "safetensors", "--out", folder / "network.safetensors")
                command("export", self.id, *export, *at[:2])
                config = folder / "runs" / self.id / "config.toml"
                if config.is_file():
                    command("run", config, "--headless", "--set", "train.epochs=1", *at)
                command("resume", self.id, "--headless", *at)


def _lines(records: Any) -> bytes:
    return b"".join(as_json(record) + b"\n" for record in records) if records else b""


async def _visit(runs_dir: Path, state: State) -> None:
    app = CnnTuiApp(Workplace(runs_dir, runs_dir, runs_dir, "cpu"), state=state)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(
            pilot,
            lambda: (
                app.screen.query_one(RunsTable).current
                or app.screen.query_one("#runs-empty").display
            ),
        )
        keys = "end v home enter 2 3 4 5 6 escape a c escape q escape w enter escape escape"
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause(0.05)
        assert app.is_running


def run_surfaces(folder: Path) -> dict[str, Surface]:
    """Return the surfaces by name; ``folder`` takes what they need."""
    runs = StoredRuns(folder)
    harmed = runs.harmed()
    remembered = asdict(State()) | {"launch_options": {"local": "workers=2"}, "path": None}
    return {
        "damaged runs, read": Surface(harmed, runs.read, 10),
        "rows of the index": Surface(runs.rows(), runs.index, 10),
        "damaged runs, shown": Surface(harmed, runs.show, 20),
        "damaged runs, changed": Surface(harmed, runs.change, 20),
        "damaged sweeps": Surface(harmed, runs.sweeps, 20),
        "damaged runs, in the app": Surface(harmed, runs.visit, 100),
        "what the app remembers": Surface(mutated(remembered).map(as_json), runs.remember, 100),
    }


def trained_surfaces(folder: Path) -> dict[str, Surface]:
    """Return those that train; they take long."""
    trained = TrainedRun(folder)
    return {"damaged runs, gone on with": Surface(trained.harmed(), trained.use, 100)}
