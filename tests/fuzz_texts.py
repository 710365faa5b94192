"""Texts and small files that people and programs write: presets, filters, events, arrays."""

import functools
import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tomli
from app_support import epoch_finished, started, steps
from fuzz_support import (
    Surface,
    as_json,
    as_toml,
    file_of,
    garbled,
    harmless,
    mutated,
    texts,
    told,
    values,
)
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from PIL import Image

from cnn_core.checking import Kind, check_file
from cnn_core.config import Data, Experiment
from cnn_core.datasets import folder as image_folder
from cnn_core.datasets.split import divide
from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.preset_text import changed_keys, commented
from cnn_core.runs.event_log import EventLines
from cnn_core.runs.requests import CONTROL, take_requests
from cnn_core.runs.select import filter_rows, sort_rows
from cnn_core.runs.series import RunSeries
from cnn_core.runs.summary_state import RunSummary
from cnn_core.schema import schema_of
from cnn_core.search.sweep_files import load_sweep, shipped_sweeps
from cnn_core.shipped import shipped_presets
from cnn_core.studies.plan import plan
from cnn_core.studies.study_files import load_study, shipped_studies
from cnn_core.training.events import (
    ClassesValidated,
    RunFinished,
    TestEvaluated,
    decode,
    encode,
)
from cnn_core.training.predictions import Predictions, load_predictions, save_predictions
from cnn_tui.drafts import draft_of, left_behind
from cnn_tui.form import Form, read_source
from cnn_tui.output import age

# --- presets, sweeps, what is typed ---


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
        named.flatmap(lambda name: mutated(tables[name], toml=True)).map(as_toml)
        | named.flatmap(lambda name: garbled(paths[name].read_bytes()))
        | sections.map(as_toml)
        | st.binary(max_size=60)
    )


def _full_presets() -> dict[str, Any]:
    """Return shipped presets with every key that there is."""
    names = ("digits", "caltech101-alexnet-augmented", "cifar10-fast", "folder-convnext_tiny")
    return {name: tomli.loads(to_toml(load_experiment(name))) for name in names}


def _check_preset(content: bytes) -> None:
    with file_of("preset.toml", content) as path:
        checked = check_file(path)
        made = told(lambda: load_experiment(path))
        if made is not None:
            assert isinstance(made, Experiment)
            assert not checked.told
            _schema("preset").validate(tomli.loads(path.read_text("utf-8-sig")))
            for text in (to_toml(made), commented(changed_keys(made))):
                path.write_text(text)
                assert load_experiment(path) == made


@functools.cache
def _schema(kind: Kind) -> Draft7Validator:
    return Draft7Validator(schema_of(kind))


def _overrides() -> st.SearchStrategy[list[str]]:
    keys = [
        f"{section}.{key}"
        for preset in _full_presets().values()
        for section, table in preset.items()
        if isinstance(table, dict)
        for key in table
    ]
    key = st.sampled_from(keys) | texts()
    value = texts() | values(toml=True).map(lambda value: as_toml({"x": value})[4:].decode("utf-8"))
    return st.lists(
        st.builds(lambda key, value: f"{key}={value}", key, value) | texts(), max_size=3
    )


def _check_sweep(content: bytes) -> None:
    with file_of("sweep.toml", content) as path:
        checked = check_file(path)
        if (made := told(lambda: load_sweep(path))) is not None:
            assert not checked.told
            _schema("sweep").validate(tomli.loads(path.read_text("utf-8-sig")))
            told(lambda: made[0].combinations)


def _check_study(content: bytes) -> None:
    with file_of("study.toml", content) as path:
        checked = check_file(path)
        if checked.kind == "study" and not checked.told:
            _schema("study").validate(tomli.loads(path.read_text("utf-8-sig")))
        if (study := told(lambda: load_study(path))) is not None:
            few = study.model_copy(update={"rows": study.rows[:2], "seeds": 1})
            told(lambda: plan(few, path.parent, reduced=True))


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


def fold(events: list[Any]) -> None:
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
    with file_of("events.jsonl", line.replace(b"\n", b" ") + b"\n") as path:
        lines = EventLines(path)
        events = [*lines]
        assert len(events) + lines.damaged == 1
        for time, event in events:
            assert repr(decode(encode(event, time))) == repr((time, event))
        fold(events)


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
            assert harmless(log.read_text())


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
        """Return nearly right contents of train.txt and test.txt."""

        def near(numbers: range) -> st.SearchStrategy[bytes]:
            right = "".join(f"{name}/{i}.png\n" for name in ("ant", "bee") for i in numbers)
            return st.just(right.encode()) | garbled(right.encode()) | st.binary(max_size=30)

        return st.tuples(near(range(3)), near(range(3, 6)))

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


class StoredPredictions:
    """A file of predictions."""

    def __init__(self, folder: Path) -> None:
        logits = np.arange(6, dtype=np.float32).reshape(3, 2)
        kept = Predictions(logits, np.array([0, 1, 1]), ("a", "b", "c"), ("ant", "bee"))
        path = folder / "test.npz"
        save_predictions(path, kept, [1, 2, 3])
        self.content = path.read_bytes()

    def garbled(self) -> st.SearchStrategy[bytes]:
        return garbled(self.content)

    @staticmethod
    def check(content: bytes) -> None:
        """What is read is whole: an image has a name, a label and logits."""
        with file_of("test.npz", content) as path:
            found = told(lambda: load_predictions(path))
            if found is not None:
                kept = found[0]
                assert kept.logits.shape == (len(kept.names), len(kept.classes))
                assert all(0 <= label < len(kept.classes) for label in kept.labels)


def _draft() -> dict[str, Any]:
    form = Form(read_source("digits"))
    form.set("optim.lr", "0.5")
    return dict(json.loads(draft_of(form) or "{}"))


def _check_draft(content: bytes) -> None:
    with file_of("draft.json", content) as path:
        for draft in left_behind(path.parent):
            assert age(draft.kept_at)
            draft.form.changes  # noqa: B018


def _event_lines() -> list[dict[str, Any]]:
    events = [
        started(3),
        steps(1, 10, 2.0),
        epoch_finished(1, 0.5),
        ClassesValidated(epoch=1, images=(3, 3), correct=(1, 2)),
        TestEvaluated(checkpoint="best", epoch=1, acc=0.5, top5=None, loss=0.5),
        RunFinished(status="finished", epoch=1, seconds=6.0),
    ]
    return [json.loads(encode(event, 1.0)) for event in events]


def text_surfaces(folder: Path) -> dict[str, Surface]:
    """Return the surfaces by name; ``folder`` takes what they need."""
    images, predictions = StoredImages(folder), StoredPredictions(folder)
    full = st.sampled_from(list(_full_presets().values()))
    nearly_full = full.flatmap(lambda table: mutated(table, toml=True)).map(as_toml)
    lines = st.sampled_from(_event_lines())
    near_lines = lines.flatmap(mutated).map(as_json)
    garbled_lines = lines.map(as_json).flatmap(garbled)
    requests = mutated({"kind": "set_lr", "value": 0.1}) | mutated({"kind": "stop"})
    junk = st.binary(max_size=60)
    return {
        "presets": Surface(_documents(shipped_presets()) | nearly_full, _check_preset),
        "overrides (--set)": Surface(
            _overrides(), lambda items: told(lambda: load_experiment("digits", items))
        ),
        "sweep files": Surface(_documents(shipped_sweeps()), _check_sweep),
        "study files": Surface(_documents(shipped_studies()), _check_study),
        "filters and sort keys": Surface(_expressions(), _check_choice),
        "event lines": Surface(near_lines | garbled_lines | junk, _check_line),
        "control requests": Surface(requests.map(as_json) | junk, _check_request),
        "lists of a split": Surface(images.lists(), images.check_lists),
        "notes of a split": Surface(images.notes_garbled(), images.check_notes),
        "drafts of an experiment": Surface(mutated(_draft()).map(as_json) | junk, _check_draft),
        "predictions": Surface(predictions.garbled(), predictions.check),
    }
