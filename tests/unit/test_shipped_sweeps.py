"""Every shipped sweep: what it says of itself, and that its preset takes its values."""

import json
import re
from pathlib import Path

import pytest

from cnn_core.search.sweep_files import load_sweep, shipped_sweeps
from cnn_core.shipped import shipped_presets
from cnn_tui.commands.sweeping import sweeps

NAMES = sorted(shipped_sweeps())
ROWS = {"S1.2", "S1.3", "S3.3", "S4.7", "S5.2"}
WANTED = {
    "caltech101-alexnet-learning-rate": 30,
    "caltech101-alexnet-learning-rate-grid": 36,
    "caltech101-alexnet-weight-decay": 8,
    "caltech101-efficientnet_lite0-head": 200,
    "cifar10-cnn-cats-dogs-regularization": 16,
    "cifar10-convnet-dropout": 9,
    "cifar100-strided_cnn-width": 5,
    "digits-learning-rate": 12,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_sweep_is_whole_and_named_after_its_preset(name: str) -> None:
    sweep, base = load_sweep(shipped_sweeps()[name])
    assert sweep.name == name
    assert sweep.preset in shipped_presets()
    assert f"{name}-".startswith(f"{base['data']['dataset']}-")
    assert re.match(r"(S[1-5]\.\d|Start here): \S", sweep.notes)
    assert sweep.notes.endswith(".")
    assert "\n" not in sweep.notes


def test_they_have_the_trials_that_the_reports_have() -> None:
    assert {name: load_sweep(path)[0].wanted for name, path in shipped_sweeps().items()} == WANTED


def test_every_search_of_the_reports_has_a_sweep() -> None:
    notes = [load_sweep(path)[0].notes for path in shipped_sweeps().values()]
    assert {note[:4] for note in notes if note.startswith("S") and note[1].isdigit()} == ROWS


def test_presets_and_sweeps_are_told_apart() -> None:
    assert not {*shipped_presets()} & {*shipped_sweeps()}


def test_they_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweeps(tmp_path, shipped=True, as_json=True)
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == NAMES
    sweeps(tmp_path, shipped=True)
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
