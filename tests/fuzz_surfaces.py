"""What is read from people and disks, and what holds for any input: a result, or one error told.

A surface is a strategy of cases and a check of one; both unit tests and the campaign try them.
"""

import io
import json
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import tomli
import tomli_w
from app_support import Folder
from fuzz_support import Harm, garbled, harms, mutated, texts, values
from hypothesis import strategies as st
from PIL import Image

from cnn_core.config import Data, Experiment
from cnn_core.datasets import folder as image_folder
from cnn_core.datasets.split import divide
from cnn_core.errors import CnnTuiError
from cnn_core.preset_files import load_experiment, shipped_presets, to_toml
from cnn_core.runs import event_log
from cnn_core.runs.event_log import EventLines
from cnn_core.runs.follower import EventFollower
from cnn_core.runs.index import run_rows
from cnn_core.runs.labels import set_labels
from cnn_core.runs.queue import Queue
from cnn_core.runs.removal import delete_run
from cnn_core.runs.requests import CONTROL, take_requests
from cnn_core.runs.select import filter_rows, sort_rows
from cnn_core.runs.series import RunSeries
from cnn_core.runs.summary_state import RunSummary
from cnn_core.runs.watcher import RunsWatcher
from cnn_core.search.folder import begin_sweep
from cnn_core.search.sweep_files import load_sweep, shipped_sweeps
from cnn_core.training.events import decode, encode
from cnn_tui.cli import main

_LONGEST_MESSAGE = 20_000


class Surface(NamedTuple):
    """Input of one kind: cases, and what must hold for each."""

    cases: st.SearchStrategy[Any]
    check: Callable[[Any], object]
    costs: int = 1
    """How much longer a case takes than one of a surface that only parses."""


def told(call: Callable[[], Any]) -> Any:
    """Return what a call returns, None where it tells the user of a mistake in a clear way."""
    try:
        return call()
    except CnnTuiError as error:
        message = str(error)
        assert message
        assert len(message) < _LONGEST_MESSAGE, f"{len(message)} characters: {message[:200]}"
        assert _harmless(message), repr(message)
        return None


def command(*arguments: str | Path) -> str:
    """Run a command in this process; return what it wrote on stdout.

    It ends with the code of a result, a failure or a mistake, and writes no control characters.
    """
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["cnn-tui", *map(str, arguments)]),
        mock.patch.object(sys, "stdout", streams[0]),
        mock.patch.object(sys, "stderr", streams[1]),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    output, errors = (_written(stream) for stream in streams)
    assert code in (0, 1, 2), code
    assert "Traceback" not in output + errors
    assert _harmless(output + errors), f"{arguments[0]}: {output + errors!r:.2000}"
    assert code == 0 or errors.strip(), "a failure is told of"
    return output


def _harmless(text: str) -> bool:
    """Return whether a terminal shows the text, and obeys nothing of it."""
    return not any(unicodedata.category(char)[0] == "C" for char in text.replace("\n", ""))


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    content = stream.buffer
    assert isinstance(content, io.BytesIO)
    return content.getvalue().decode()


@contextmanager
def _file(name: str, content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        yield path


# --- presets, sweeps, what is typed ---


def _toml(table: Any) -> bytes:
    """Return a table as TOML; what TOML can't hold becomes text that is no TOML, or odd."""
    try:
        return tomli_w.dumps(_writable(table)).encode(errors="surrogateescape")
    except (TypeError, AttributeError, ValueError):
        return repr(table).encode(errors="replace")


class _Hexadecimal(int):
    """A number that is written so, the largest with more digits than Python shows in decimal."""

    def __str__(self) -> str:
        return hex(self) if self < 10**400 else "0x" + "f" * 5000


def _writable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    return _Hexadecimal(value) if type(value) is int and value > 2**64 else value


def _documents(paths: dict[str, Path]) -> st.SearchStrategy[bytes]:
    """Return TOML files that are nearly those, by their keys or by their text."""
    tables = {name: tomli.loads(path.read_text()) for name, path in paths.items()}
    sections = st.dictionaries(
        st.sampled_from(["data", "model", "optim", "train", "augment", "freeze", "set", "search"])
        | texts(),
        st.dictionaries(texts(), values(toml=True), max_size=3) | values(toml=True),
        max_size=4,
    )
    named = st.sampled_from(sorted(paths))
    return (
        named.flatmap(lambda name: mutated(tables[name], toml=True)).map(_toml)
        | named.flatmap(lambda name: garbled(paths[name].read_bytes()))
        | sections.map(_toml)
        | st.binary(max_size=60)
    )


def _full_presets() -> dict[str, Any]:
    """Return shipped presets with every key that there is."""
    names = ("digits", "caltech101-alexnet-augmented", "cifar10-fast", "folder-convnext_tiny")
    return {name: tomli.loads(to_toml(load_experiment(name))) for name in names}


def _check_preset(content: bytes) -> None:
    with _file("preset.toml", content) as path:
        made = told(lambda: load_experiment(path))
        if made is not None:
            assert isinstance(made, Experiment)
            path.write_text(to_toml(made))
            assert load_experiment(path) == made


def _overrides() -> st.SearchStrategy[list[str]]:
    keys = [
        f"{section}.{key}"
        for preset in _full_presets().values()
        for section, table in preset.items()
        if isinstance(table, dict)
        for key in table
    ]
    key = st.sampled_from(keys) | texts()
    value = texts() | values(toml=True).map(lambda value: _toml({"x": value})[4:].decode("utf-8"))
    return st.lists(
        st.builds(lambda key, value: f"{key}={value}", key, value) | texts(), max_size=3
    )


def _check_sweep(content: bytes) -> None:
    with _file("sweep.toml", content) as path:
        if (made := told(lambda: load_sweep(path))) is not None:
            told(lambda: made[0].combinations)


def _expressions() -> st.SearchStrategy[str]:
    names = ["best.val_acc", "name", "tags", "optim.lr", "config.data", "created", "id", "epoch"]
    leaves = st.sampled_from([*names, "1", "0.5", "'a'", "None", "True", "[1, 'a']", "9**9", "x"])
    operators = st.sampled_from(
        ["and", "or", "in", "not in", "==", "<", ">=", "!=", "+", "-", "*", "/", "**", "%", ","]
    )

    def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.builds(lambda a, o, b: f"({a}) {o} ({b})", inner, operators, inner)
        return pairs | inner.map(lambda a: f"not {a}") | inner.map(lambda a: f"-{a}")

    return st.recursive(leaves, joined, max_leaves=8) | texts()


def _rows() -> list[dict[str, Any]]:
    """Return rows of runs whose values are of all kinds."""
    config = load_experiment("digits").model_dump()
    row = {**RunSummary("20260101-000000-digits-0000", config, 1.0).document()}
    row["val_acc_series"] = [0.5]
    odd = row | {"name": ["x"], "tags": "t", "best": {"val_acc": "NaN"}, "created": 10**400}
    return [row, odd, row | {"best": {"val_acc": float("nan")}, "name": 3, "config": {"optim": 1}}]


def _check_choice(expression: str) -> None:
    rows = _rows()
    told(lambda: filter_rows(rows, expression))
    told(lambda: sort_rows(rows, expression))


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
                made[name] = mutated(json.loads(content)).map(_json)
            elif name.endswith(".toml"):
                made[name] = mutated(tomli.loads(content.decode()), toml=True).map(_toml)
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
                _fold(events)

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


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _lines(records: Any) -> bytes:
    return b"".join(_json(record) + b"\n" for record in records) if records else b""


def _fold(events: list[Any]) -> None:
    summary, series = RunSummary("x", {}, None), RunSeries()
    for time, event in events:
        summary.fold(time, event)
        series.fold(time, event)
    summary.document()
    for metric in ("loss", "val_acc", "lr"):
        for axis in ("step", "epoch", "time"):
            series.points(metric, axis)  # type: ignore[arg-type]


def _check_line(line: bytes) -> None:
    """A line is an event that can be written again, or it is counted as damaged."""
    with _file("events.jsonl", line.replace(b"\n", b" ") + b"\n") as path:
        lines = EventLines(path)
        events = [*lines]
        assert len(events) + lines.damaged == 1
        for time, event in events:
            assert repr(decode(encode(event, time))) == repr((time, event))
        _fold(events)


def _check_request(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder, CONTROL)
        control.mkdir()
        (control / "0.json").write_bytes(content)
        (control / "1.json").write_bytes(b'{"kind": "pause"}')
        assert [request.kind for request in take_requests(Path(folder))][-1:] == ["pause"]
        assert [*control.iterdir()] == []
        log = Path(folder, "log.txt")
        if log.exists():
            assert _harmless(log.read_text())


# --- splits ---


class StoredImages:
    """A folder of images of two classes, with lists of what trains and tests."""

    def __init__(self, folder: Path) -> None:
        self.root, self.cache = folder / "images", folder / "cache"
        for name in ("ant", "bee"):
            (self.root / name).mkdir(parents=True)
            for number in range(6):
                Image.new("RGB", (4, 4)).save(self.root / name / f"{number}.png")
        self.undivided = image_folder.read(self.root)
        self.data = Data(dataset="folder", val_fraction=0.25, test_fraction=0.25)
        self.split = self._split()
        self.notes = {path.name: path.read_bytes() for path in (self.cache / "splits").iterdir()}

    def _split(self) -> list[list[int]]:
        split = divide(self.undivided, self.data, self.cache)
        return [part.tolist() for part in (split.train, split.val, split.test)]

    def lists(self) -> st.SearchStrategy[tuple[bytes, bytes]]:
        content = "".join(f"{name}/{i}.png\n" for name in ("ant", "bee") for i in range(3))
        one = garbled(content.encode()) | st.just(content.encode()) | st.binary(max_size=30)
        return st.tuples(one, one)

    def check_lists(self, contents: tuple[bytes, bytes]) -> None:
        """No image is in two parts, and none is made up."""
        with tempfile.TemporaryDirectory() as made:
            root = Path(made, "images")
            shutil.copytree(self.root, root)
            for name, content in zip(("train.txt", "test.txt"), contents, strict=True):
                (root / name).write_bytes(content)
            index = told(lambda: image_folder.read(root))
            if index is not None:
                names = list(index.names)
                assert len(set(names)) == len(names)
                assert all((root / name).is_file() for name in names)

    def check_notes(self, noted: bytes) -> None:
        """The split is what it was, whatever became of the note of it."""
        for name in self.notes:
            (self.cache / "splits" / name).write_bytes(noted)
        assert self._split() == self.split

    def notes_garbled(self) -> st.SearchStrategy[bytes]:
        """Return notes that nearly are one of the true ones."""
        orders = st.lists(st.integers(-3, 12), max_size=14).map(_array)
        return st.sampled_from(sorted(self.notes.values())).flatmap(garbled) | orders


def _array(items: list[int]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(items))
    return file.getvalue()


def surfaces(folder: Path) -> dict[str, Surface]:
    """Return all surfaces by name; ``folder`` takes what they need."""
    presets, sweeps = shipped_presets(), shipped_sweeps()
    runs, images = StoredRuns(folder), StoredImages(folder)
    event_lines = [line for name, content in runs.files.items() if name.endswith(event_log.EVENTS)
                   for line in content.splitlines()]  # fmt: skip
    events = st.sampled_from(event_lines)
    lines = events.flatmap(lambda line: mutated(json.loads(line))).map(_json)
    requests = mutated({"kind": "set_lr", "value": 0.1}) | mutated({"kind": "stop"})
    full = st.sampled_from(list(_full_presets().values()))
    return {
        "presets": Surface(
            _documents(presets) | full.flatmap(lambda table: mutated(table, toml=True)).map(_toml),
            _check_preset,
        ),
        "overrides": Surface(
            _overrides(), lambda items: told(lambda: load_experiment("digits", items))
        ),
        "sweep files": Surface(_documents(sweeps), _check_sweep),
        "filters and sort keys": Surface(_expressions(), _check_choice),
        "event lines": Surface(
            lines | events.flatmap(garbled) | st.binary(max_size=60), _check_line
        ),
        "control requests": Surface(requests.map(_json) | st.binary(max_size=60), _check_request),
        "lists of a split": Surface(images.lists(), images.check_lists),
        "notes of a split": Surface(images.notes_garbled(), images.check_notes),
        "damaged runs, read": Surface(runs.harmed(), runs.read, 10),
        "damaged runs, shown": Surface(runs.harmed(), runs.show, 20),
        "damaged runs, changed": Surface(runs.harmed(), runs.change, 20),
        "damaged sweeps": Surface(runs.harmed(), runs.sweeps, 20),
    }
