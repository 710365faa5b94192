"""Run folders: made whole by many at once, and found again."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnn_core
from cnn_core.errors import UserError
from cnn_core.runs.directory import create_run, find_run, list_runs
from cnn_core.runs.reader import read_config, read_summary

CONFIG = 'name = "digits"\n[data]\ndataset = "digits"\n[train]\nepochs = 3\n'


def make(runs_dir: Path, name: str = "digits") -> Path:
    return create_run(runs_dir, name, CONFIG, {"host": "here"})


def test_a_new_run_is_whole_and_queued(tmp_path: Path) -> None:
    before = time.time()
    run = make(tmp_path / "deep" / "runs")
    assert re.fullmatch(r"\d{8}-\d{6}-digits-[0-9a-f]{4}", run.name)
    assert {path.name for path in run.iterdir()} == {
        *("config.toml", "environment.json", "summary.json"),
        *("checkpoints", "predictions", "control", "lock"),
    }
    assert (run / "config.toml").read_text() == CONFIG
    environment = json.loads((run / "environment.json").read_text())
    assert environment["host"] == "here"
    assert before <= environment["created"] <= time.time()
    summary = read_summary(run)
    assert (summary["id"], summary["name"], summary["status"]) == (run.name, "digits", "queued")
    assert (summary["epoch"], summary["epochs"], summary["history"]) == (0, 3, [])
    assert summary["config"] == read_config(run)
    assert list((tmp_path / "deep" / "runs").iterdir()) == [run]  # nothing else is left


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("../../x", "x"),
        ("", "run"),
        ("...", "run"),
        ("-rf", "rf"),
        ("a/b\\c\0d\n", "a-b-c-d"),
        ("Größe é", "Gro-e-e"),
        ("实验", "run"),
        ("x" * 300, "x" * 48),
        ("lr_0.1", "lr_0.1"),
    ],
)
def test_slugs(tmp_path: Path, name: str, slug: str) -> None:
    run = make(tmp_path, name)
    assert run.parent == tmp_path
    assert run.name[16:-5] == slug
    assert list_runs(tmp_path) == [run]


@settings(max_examples=40)
@given(name=st.text(max_size=80))
def test_no_name_leaves_the_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    runs = tmp_path_factory.mktemp("runs")
    run = make(runs, name)
    assert list_runs(runs) == [run]
    assert find_run(runs, run.name) == run


def test_twenty_processes_at_once(tmp_path: Path) -> None:
    """Each gets a folder of its own though all draw their four digits from only eight."""
    program = (
        "import random, secrets, sys, pathlib\n"
        "secrets.token_hex = lambda n: f'{random.randrange(8):04x}'\n"
        "from cnn_core.runs.directory import create_run\n"
        "print(create_run(pathlib.Path(sys.argv[1]), 'same', 'seed = 1', {}))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(cnn_core.__path__[0]).parent)}
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(20)
    ]
    made = [child.communicate(timeout=60)[0].strip() for child in children]
    assert all(child.returncode == 0 for child in children)
    assert sorted(made) == sorted(set(made)) == [str(path) for path in list_runs(tmp_path)]
    assert all(read_summary(Path(path))["id"] == Path(path).name for path in made)
    assert len(list(tmp_path.iterdir())) == 20


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't make a run there"):
        make(tmp_path / "file")
    with pytest.raises(UserError, match="Not a directory"):
        list_runs(tmp_path / "file")
    assert list_runs(tmp_path / "nothing") == []


def test_a_failed_creation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        create_run(tmp_path, "x", CONFIG, {"what": object()})
    with pytest.raises(ValueError, match="Expected"):
        create_run(tmp_path, "x", "no toml", {})
    assert list(tmp_path.iterdir()) == []


def test_foreign_and_hidden_folders_are_no_runs(tmp_path: Path) -> None:
    run = make(tmp_path)
    (tmp_path / f".{run.name[:-4]}0000").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / f"{run.name[:-4]}zzzz").mkdir()
    (tmp_path / f"{run.name}0").write_text("a file")
    assert list_runs(tmp_path) == [run]


def test_find_by_id_prefix_and_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    first = make(runs, "alexnet")
    second = make(tmp_path / "elsewhere", "vgg16")
    assert find_run(runs, first.name) == first
    assert find_run(runs, first.name[:-2]) == first
    assert find_run(runs, first.name[:8]) == first
    assert find_run(runs, str(second)) == second
    monkeypatch.chdir(second)
    assert find_run(runs, ".") == second


def test_find_by_the_name_in_the_id(tmp_path: Path) -> None:
    first, second = make(tmp_path, "frozen head"), make(tmp_path, "scratch")
    assert find_run(tmp_path, "frozen head") == find_run(tmp_path, "frozen-head") == first
    assert find_run(tmp_path, "scratch") == second
    again = make(tmp_path, "scratch")
    with pytest.raises(UserError, match=again.name) as error:
        find_run(tmp_path, "scratch")
    assert second.name in str(error.value)


def test_last_is_the_one_created_last(tmp_path: Path) -> None:
    """Also within one second, where the ids are in the order of their random digits."""
    made = [make(tmp_path) for _ in range(5)]
    assert find_run(tmp_path, "last") == made[-1]
    (made[-1] / "environment.json").write_text("{")
    assert find_run(tmp_path, "last") == made[-2]


def test_an_ambiguous_prefix_names_the_candidates(tmp_path: Path) -> None:
    made = [make(tmp_path, name) for name in ("a", "b")]
    with pytest.raises(UserError, match=made[0].name) as error:
        find_run(tmp_path, made[0].name[:4])
    assert made[1].name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_miss_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no runs"):
        find_run(tmp_path, "last")
    run = make(tmp_path, "alexnet-scratch")
    for reference in ("alexnet", run.name[:-1] + "z", "scratch"):
        with pytest.raises(UserError, match=run.name):
            find_run(tmp_path, reference)


@settings(max_examples=40)
@given(reference=st.text(st.characters(), max_size=30) | st.just("x" * 5000))
def test_any_reference_finds_or_is_a_user_error(
    reference: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runs = tmp_path_factory.mktemp("runs")
    make(runs)
    told = ""
    try:
        assert find_run(runs, reference).is_dir()
    except UserError as error:
        told = str(error)
    assert told.isprintable()
