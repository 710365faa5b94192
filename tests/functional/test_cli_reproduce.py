"""cnn-tui reproduce: a table trained again, stopped, gone on with."""

import json
import os
import shutil
import signal

import pytest

STUDY = """
title = "Digits"
seeds = 2
[reduced]
"train.epochs" = {epochs}
"data.limit" = 200
[[rows]]
id = "D.1"
what = "rates"
[[rows.arms]]
preset = "digits"
reported = {{ "test.acc" = 0.97 }}
[[rows.arms]]
label = "slow"
preset = "digits"
set = {{ "optim.lr" = 1e-4 }}
[[rows]]
id = "D.2"
what = "no data here"
[[rows.arms]]
preset = "cifar100-mlp"
"""


@pytest.fixture
def study(cli):
    def write(epochs: int = 2) -> str:
        (cli.folder / "D.toml").write_text(STUDY.format(epochs=epochs))
        return "D.toml"

    return write


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_study_is_trained_once_and_its_tables_repeat(cli, study):
    # Whoever trained the same before has trained a part of it.
    settings = ("--set", "train.epochs=2", "--set", "data.limit=200")
    cli("run", "digits", "--headless", "--name", "mine", *settings)
    document = cli.json("reproduce", study(), "--reduced")
    arms = {arm["label"]: arm for row in document["rows"] for arm in row["arms"]}
    assert [run["status"] for run in arms["slow"]["runs"]] == ["finished"] * 2
    assert len(cli.run_dirs()) == 4
    mine = cli.run_dirs()[0].name
    (first, *_) = document["rows"][0]["arms"]
    assert first["runs"][0]["id"] == mine
    assert first["runs"][0]["figures"]["test.acc"] == cli.json("show", mine)["test"]["acc"]
    folder = cli.runs / "studies" / "D-reduced"
    before = contents(folder)
    assert json.loads(before["results.json"]) == document
    told = cli("reproduce", "D.toml", "--reduced", "--budget", "0")
    assert contents(folder) == before
    assert len(cli.run_dirs()) == 4
    assert "D.2: not trained: data set 'cifar100' not found" in told.stderr
    assert "D.1" in told.stdout
    # One row alone is shown and trained; the tables go on holding the others.
    shown = cli.json("reproduce", "D.toml", "--reduced", "--only", "D.1", "--budget", "0")
    assert [row["id"] for row in shown["rows"]] == ["D.1"]
    written = json.loads((folder / "results.json").read_bytes())
    assert [row["id"] for row in written["rows"]] == ["D.1", "D.2"]
    # So do trainings whose runs are gone, unless they are of other settings now.
    cli.runs.rename(cli.folder / "gone")
    shutil.copytree(cli.folder / "gone" / "studies", cli.runs / "studies")
    again = cli.json("reproduce", "D.toml", "--reduced")
    assert again == document
    assert cli.run_dirs() == []
    assert contents(folder) == before
    cli("reproduce", study(epochs=3), "--reduced", "--budget", "0")
    rows = json.loads((folder / "results.json").read_bytes())["rows"]
    assert [arm["runs"] for row in rows for arm in row["arms"]] == [[], [], []]
    (folder / "results.json").write_text("[]")
    told = cli("reproduce", "D.toml", "--reduced", "--budget", "0", rc=2).stderr
    assert "not what reproduce writes" in told
    assert (folder / "results.json").read_text() == "[]"


def test_one_that_was_stopped_goes_on(cli, study):
    process = cli.start("reproduce", study(epochs=100_000), "--reduced", "--only", "D.1")
    run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
    cli.wait_for(lambda: cli.events(run_dir, "epoch_finished"))
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert cli.json("show", "last")["status"] == "stopped"
    reached = cli.json("show", "last")["epoch"]
    told = cli("reproduce", "D.toml", "--reduced", "--only", "D.1", "--budget", "0.02")
    assert cli.json("show", "last")["epoch"] > reached
    assert "trainings are left: the same command goes on" in told.stderr
    assert "D.1: stopped after epoch" in told.stderr
    assert len(cli.run_dirs()) == 1


def test_studies_are_listed_and_mistakes_told(cli, study):
    assert [row["name"] for row in cli.json("reproduce")] == ["S1", "S2", "S3", "S4", "S5"]
    assert "Caltech-101" in cli("reproduce").stdout
    assert "no study 'S7'" in cli("reproduce", "S7", rc=2).stderr
    assert "no row 'S1.99'" in cli("reproduce", "S1", "--only", "S1.99", rc=2).stderr
    told = cli("reproduce", study(), "--set", "optim.lr", rc=2).stderr
    assert "expected SECTION.KEY=VALUE" in told
    assert "row D.1: optim.lr" in cli("reproduce", "D.toml", "--set", "optim.lr=-1", rc=2).stderr
    missing = cli("reproduce", "D.toml", "--only", "D.2", rc=2).stderr
    assert "data set 'cifar100' not found" in missing
    assert cli.run_dirs() == []
