"""Rows of many runs: what is in them, the cache, damaged runs, speed, and what is imported."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import cnn_core
from cnn_core.runs.directory import create_run
from cnn_core.runs.index import INDEX, run_rows
from cnn_core.runs.reader import read_summary
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import EpochFinished, RunFinished

CONFIG = """
name = "alexnet"
[data]
dataset = "caltech101"
[model]
backbone = "alexnet"
[freeze]
policy = "convolutional"
[augment]
policy = "flip"
"""


def epoch(number: int, val_acc: float | None) -> EpochFinished:
    return EpochFinished(
        epoch=number,
        train_loss=1.0,
        train_acc=0.5,
        val_loss=float("nan"),
        val_acc=val_acc,
        lr=0.1,
        seconds=1.0,
        images_per_s=10.0,
        best=True,
    )


def make(runs: Path, val_accs: list[float | None], config: str = CONFIG) -> Path:
    run = create_run(runs, "alexnet", config, {})
    with RunWriter(run) as writer:
        for number, val_acc in enumerate(val_accs, 1):
            writer.write(epoch(number, val_acc))
        writer.write(RunFinished(status="finished"))
    return run


def test_a_row_is_the_summary_in_brief(tmp_path: Path) -> None:
    run = make(tmp_path, [index / 1000 for index in range(200)])
    for _ in range(2):  # read, and from the cache
        (row,) = run_rows(tmp_path)
        summary = read_summary(run)
        assert row["best"].pop("val_loss") != summary["best"].pop("val_loss")  # NaN
        assert row["last"].pop("val_loss") != summary["last"].pop("val_loss")
        del summary["history"]
        assert {key: row[key] for key in summary} == summary
        series = row["val_acc_series"]
        assert (len(series), series[0], series[-1]) == (40, 0.0, 0.199)
        assert series == sorted(series)
        assert (row["dataset"], row["backbone"]) == ("caltech101", "alexnet")
        assert (row["freeze"], row["augmentation"]) == ("convolutional", "flip")
        assert (tmp_path / INDEX).exists()


def test_epochs_without_validation_and_transforms(tmp_path: Path) -> None:
    config = '[augment]\ntransforms = [{name = "flip"}, {name = "crop", padding = 4}]'
    make(tmp_path, [None, 0.5], config)
    (row,) = run_rows(tmp_path)
    assert row["val_acc_series"] == [0.5]
    assert (row["augmentation"], row["dataset"]) == ("flip+crop", None)


def test_rows_follow_changes_and_removals(tmp_path: Path) -> None:
    first, second = make(tmp_path, [0.1]), make(tmp_path, [0.2])
    runs = sorted([first, second])
    assert [row["id"] for row in run_rows(tmp_path)] == [run.name for run in runs]
    with RunWriter(first) as writer:
        writer.write(epoch(2, 0.9))
        writer.write(RunFinished(status="stopped"))
    by_id = {row["id"]: row for row in run_rows(tmp_path)}
    assert by_id[first.name]["status"] == "stopped"
    assert by_id[first.name]["best"]["val_acc"] == 0.9
    assert by_id[second.name]["best"]["val_acc"] == 0.2
    second.rename(tmp_path / "moved away")
    assert [row["id"] for row in run_rows(tmp_path)] == [first.name]
    assert list(json.loads((tmp_path / INDEX).read_text())) == [first.name]


def test_a_rewrite_of_equal_size_and_time_is_seen(tmp_path: Path) -> None:
    run = make(tmp_path, [0.1])
    run_rows(tmp_path)
    path = run / "summary.json"
    stat = path.stat()
    text = path.read_text().replace('"finished"', '"diverged"')
    (run / "new").write_text(text)
    os.utime(run / "new", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (run / "new").replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert run_rows(tmp_path)[0]["status"] == "diverged"


def test_liveness_is_never_cached(tmp_path: Path) -> None:
    run = create_run(tmp_path, "x", CONFIG, {})
    assert run_rows(tmp_path)[0]["status"] == "queued"
    with RunWriter(run) as writer:
        writer.write(epoch(1, 0.5))
        (run / "summary.json").write_text(
            (run / "summary.json").read_text().replace('"queued"', '"running"')
        )
        assert run_rows(tmp_path)[0]["status"] == "running"
    assert run_rows(tmp_path)[0]["status"] == "interrupted"


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b'{"x": 1}', b"\xff", b"[" * 99999, b'{"x": [[1, 2, 3], {}]}']
)
def test_a_damaged_cache_is_ignored_and_mended(tmp_path: Path, damage: bytes) -> None:
    make(tmp_path, [0.5])
    whole = run_rows(tmp_path)
    content = (tmp_path / INDEX).read_bytes()
    (tmp_path / INDEX).write_bytes(damage)
    assert repr(run_rows(tmp_path)) == repr(whole)
    assert (tmp_path / INDEX).read_bytes() == content


def test_a_folder_where_the_cache_cannot_be_written(tmp_path: Path) -> None:
    make(tmp_path, [0.5])
    (tmp_path / INDEX).mkdir()  # refuses even the superuser
    assert run_rows(tmp_path)[0]["best"]["val_acc"] == 0.5
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [INDEX]


def test_damaged_runs_are_rows_of_their_own(tmp_path: Path) -> None:
    rebuilt, bare, whole = (make(tmp_path, [0.5]) for _ in range(3))
    (rebuilt / "summary.json").write_text("{")
    (bare / "summary.json").unlink()
    (bare / "config.toml").unlink()
    rows: dict[str, dict[str, Any]] = {row["id"]: row for row in run_rows(tmp_path)}
    assert rows[whole.name]["status"] == rows[rebuilt.name]["status"] == "finished"
    assert rows[rebuilt.name]["best"]["val_acc"] == 0.5
    assert rows[bare.name]["status"] == "failed"
    assert "has no config.toml" in rows[bare.name]["error"]
    assert rows[bare.name].keys() == rows[whole.name].keys()


def copies(runs: Path, count: int) -> None:
    """Fill a folder with runs of 30 epochs that differ in nothing but their ids."""
    content = (make(runs, [0.5] * 30) / "summary.json").read_text()
    for index in range(count - 1):
        run = runs / f"20200101-000000-copy-{index:04x}"
        run.mkdir()
        (run / "summary.json").write_text(content)


def test_a_thousand_runs_are_listed_fast(tmp_path: Path) -> None:
    copies(tmp_path, 1000)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert len(run_rows(tmp_path)) == 1000
        times.append(time.perf_counter() - start)
    assert min(times[1:]) < times[0]  # the cache pays
    assert min(times[1:]) < 1.0  # several times what an idle machine takes


def test_listing_imports_neither_torch_nor_pydantic(tmp_path: Path) -> None:
    copies(tmp_path, 2)
    program = (
        "import sys, pathlib\n"
        "from cnn_core.runs import compare, follower, index, queue, reader, removal\n"
        "from cnn_core.runs import requests, select, watcher, writer\n"
        "rows = index.run_rows(pathlib.Path(sys.argv[1]))\n"
        "assert len(select.filter_rows(rows, 'best.val_acc > 0.1')) == 2\n"
        "heavy = {'torch', 'pydantic', 'numpy', 'rich', 'typer', 'textual'}\n"
        "print(heavy & set(sys.modules))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(cnn_core.__path__[0]).parent)}
    output = subprocess.check_output(
        [sys.executable, "-c", program, str(tmp_path)], env=environment, text=True
    )
    assert output == "set()\n"


@pytest.mark.parametrize(
    "mangled",
    [
        {"status": "odd"},
        {"best": {"epoch": 1, "val_acc": "high", "val_loss": None}},
        {"test": {}},
        {"timing": []},
        {"created": "today"},
        {"history": [{"epoch": 1}]},
        {"config": None},
    ],
    ids=str,
)
def test_a_summary_that_somebody_changed_is_made_anew(
    tmp_path: Path, mangled: dict[str, Any]
) -> None:
    run = make(tmp_path, [0.25, 0.5])
    path = run / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | mangled))
    (row,) = run_rows(tmp_path)
    assert row["status"] == "finished"
    assert row["best"]["val_acc"] == read_summary(run)["best"]["val_acc"] == 0.5
    assert read_summary(run)["test"]["checkpoint"] is None
