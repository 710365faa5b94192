"""Studies: what the shipped ones hold, what they plan, and what their tables tell."""

import csv
import io
import statistics
from pathlib import Path
from typing import Any

import pytest

from cnn_core.errors import UserError
from cnn_core.preset_files import to_toml
from cnn_core.runs.directory import create_run
from cnn_core.runs.writer import RunWriter
from cnn_core.studies.plan import PlannedArm, check_rows, jobs_of, plan
from cnn_core.studies.results import collect
from cnn_core.studies.study_config import Study
from cnn_core.studies.study_files import find_study, load_study, shipped_studies
from cnn_core.studies.tables import study_csv, study_notes, study_table
from cnn_core.studies.write import write_study
from cnn_core.training.events import EpochFinished, RunFinished, RunStarted, TestEvaluated

ROWS = {"S1": 8, "S2": 7, "S3": 5, "S4": 9, "S5": 5}

STUDY = """
title = "Digits"
seeds = 3

[reduced]
"train.epochs" = 2

[[rows]]
id = "D.1"
what = "rates"
figures = ["test.acc"]
[[rows.arms]]
preset = "digits"
reported = { "test.acc" = 0.97 }
[[rows.arms]]
label = "slow"
preset = "digits"
set = { "optim.lr" = 1e-4 }
reduced = { "data.limit" = 100 }

[[rows]]
id = "D.2"
what = "layers"
[[rows.arms]]
layers = { backbone = "alexnet", classes = 1000, image_size = 224 }
reported = { total = 61_100_840 }

[[rows]]
id = "D.3"
what = "filters"
claim = "they look like edges"
command = "cnn-tui filters last --out filters.png"
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    path = tmp_path / "digits-study.toml"
    path.write_text(STUDY)
    return load_study(path)


def mistakes_of(tmp_path: Path, text: str) -> str:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        plan(load_study(path), tmp_path)
    return str(raised.value)


def train(runs_dir: Path, arm: PlannedArm, seed: int, accuracy: float) -> None:
    """Write a run of an arm that was not really trained."""
    experiment = arm.experiments[seed]
    run_dir = create_run(runs_dir, experiment.name, to_toml(experiment), {})
    started: dict[str, Any] = {
        "device": "cpu",
        "threads": 1,
        "precision": "fp32",
        "batch_size": 64,
        "epochs": 1,
        "steps_per_epoch": 1,
        "params_total": 1,
        "params_trainable": 1,
        "train": 1,
        "val": 1,
        "test": 1,
        "classes": ("a", "b"),
        "dataset_fingerprint": "0",
    }
    epoch: dict[str, Any] = {
        "epoch": 1,
        "train_loss": 1.0,
        "train_acc": 0.5,
        "val_loss": 1.0,
        "val_acc": accuracy,
        "lr": 0.1,
        "seconds": 1.0,
        "images_per_s": 1.0,
        "best": True,
    }
    tested = TestEvaluated(checkpoint="best", epoch=1, loss=1.0, acc=accuracy, top5=None)
    with RunWriter(run_dir) as writer:
        for event in (
            *(RunStarted(**started), EpochFinished(**epoch), tested),
            RunFinished(status="finished"),
        ):
            writer.write(event)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("reduced", [False, True])
def test_a_shipped_study_has_all_rows_of_its_report_and_can_be_planned(name: str, reduced: bool):
    path = find_study(name)
    study = load_study(path)
    assert {f"{name}.{place + 1}" for place in range(ROWS[name])} <= {row.id for row in study.rows}
    arms = plan(study, path.parent, reduced=reduced)
    trained = [arm for arm in arms if arm.layers is None]
    assert all(len(arm.experiments) == study.seeds for arm in trained)
    assert len({arm.name for arm in arms}) == len(arms)
    assert all(name in experiment.tags for arm in trained for experiment in arm.experiments)


def test_the_shipped_ones_are_the_five_reports():
    assert list(shipped_studies()) == sorted(ROWS)
    with pytest.raises(UserError, match=r"no study 'S9'.*did you mean 'S"):
        find_study("S9")


def test_every_arm_is_trained_once_before_any_is_trained_again(study: Study, tmp_path: Path):
    jobs = jobs_of(plan(study, tmp_path))
    assert [(job.arm.label, job.experiment.seed) for job in jobs] == [
        *(("", 0), ("slow", 0), ("", 1), ("slow", 1), ("", 2), ("slow", 2))
    ]
    assert {job.experiment.name for job in jobs} >= {"D.1", "D.1-slow", "D.1-slow-seed3"}


def test_what_is_smaller_is_told_and_the_command_line_has_the_last_word(
    study: Study, tmp_path: Path
):
    first, slow, _ = plan(study, tmp_path, reduced=True, settings={"train.epochs": 1})
    assert (first.changed, slow.changed) == (
        {"train.epochs": 1},
        {"train.epochs": 1, "data.limit": 100},
    )
    assert (slow.experiments[0].train.epochs, slow.experiments[0].data.limit) == (1, 100)
    assert plan(study, tmp_path, seeds=1)[1].experiments[0].optim.lr == 1e-4


def test_a_grid_gives_an_arm_for_each_of_its_points():
    path = find_study("S4")
    arms = [job.arm for job in jobs_of(plan(load_study(path), path.parent, seeds=1), ["S4.7"])]
    assert [arm.label for arm in arms] == [f"dropout {tenth / 10:g}" for tenth in range(1, 10)]
    assert [arm.experiments[0].model.dropout for arm in arms] == [
        pytest.approx(tenth / 10) for tenth in range(1, 10)
    ]


def test_mistakes_are_told_with_their_places(study: Study, tmp_path: Path):
    with pytest.raises(UserError, match=r"no row 'D\.9'; did you mean 'D"):
        check_rows(study, ["D.9"])
    told = mistakes_of(
        tmp_path,
        'title = "x"\n[[rows]]\nid = "a b"\nwhat = "w"\n[[rows]]\nid = "b"\nwhat = "w"\n'
        '[[rows.arms]]\npreset = "digits"\nreported = { "test.accuracy" = 1.0 }\n',
    )
    assert "rows[0].id" in told
    assert "rows[1].arms[0].reported.test.accuracy" in told
    assert "did you mean 'test.acc'" in told
    empty = '[[rows]]\nid = "b"\nwhat = "w"\n'
    assert "expected arms to train, or a command" in mistakes_of(tmp_path, f'title = "x"\n{empty}')
    arm = '[[rows.arms]]\npreset = "digits"\nset = { "optim.lr" = -1.0 }\n'
    assert "row b: optim.lr" in mistakes_of(tmp_path, f'title = "x"\n{empty}{arm}')
    both = '[[rows.arms]]\npreset = "digits"\nsweep = "digits-learning-rate"\n'
    assert "one of preset, sweep and layers" in mistakes_of(tmp_path, f'title = "x"\n{empty}{both}')
    drawn = '[[rows.arms]]\nsweep = "digits-learning-rate"\n'
    assert "has no grid" in mistakes_of(tmp_path, f'title = "x"\n{empty}{drawn}')


def test_tables_give_mean_and_deviation_of_the_trainings_that_ended(study: Study, tmp_path: Path):
    runs = tmp_path / "runs"
    arms = plan(study, tmp_path)
    accuracies = [0.9, 0.95, 0.97]
    for seed, accuracy in enumerate(accuracies):
        train(runs, arms[0], seed, accuracy)
    train(runs, arms[1], 0, 0.1)
    document = collect(study, arms, runs, {"D.1 slow": "there is no disk"})
    (first, second, layers) = study_table(document).rows
    mean, deviation = statistics.fmean(accuracies), statistics.stdev(accuracies)
    assert first[:6] == [
        *("D.1", "rates", "", "test accuracy (%)", "97"),
        f"{100 * mean:.2f} ± {100 * deviation:.2f}",
    ]
    assert first[6] == "3 of 3"
    assert second[2:7] == ["slow", "test accuracy (%)", None, "10.00", "1 of 3"]
    assert layers[3:6] == ["parameters", "61,100,840", "61,100,840"]
    lines = list(csv.DictReader(io.StringIO(study_csv(document))))
    assert float(lines[0]["mean"]) == pytest.approx(mean)
    assert float(lines[0]["deviation"]) == pytest.approx(deviation)
    assert study_notes(document) == [
        "D.3: the report says: they look like edges",
        "D.3: filters: cnn-tui filters last --out filters.png",
    ]


def test_one_that_diverged_at_once_is_told(study: Study, tmp_path: Path):
    arms = plan(study, tmp_path)
    experiment = arms[1].experiments[0]
    with RunWriter(create_run(tmp_path / "runs", "x", to_toml(experiment), {})) as writer:
        writer.write(RunFinished(status="diverged", error="the loss is NaN"))
    told = study_notes(collect(study, arms, tmp_path / "runs", {}))
    assert any(note.startswith("D.1 slow: diverged after epoch 0") for note in told)


def test_what_is_missing_is_told_once(study: Study, tmp_path: Path):
    runs = tmp_path / "runs"
    arms = plan(study, tmp_path)
    document = collect(study, arms, runs, {"D.1": "no data", "D.1 slow": "no data"})
    assert study_notes(document)[-1] == "D.1: not trained: no data"
    assert study_table(document).rows[0][5] is None
    document = collect(study, arms, runs, {})
    assert study_notes(document)[-1] == "D.1: not trained yet"


def test_files_are_the_same_whenever_they_are_written(study: Study, tmp_path: Path):
    runs, out = tmp_path / "runs", tmp_path / "out"
    arms = plan(study, tmp_path)
    train(runs, arms[0], 0, 0.9)

    def contents() -> dict[str, bytes]:
        files = write_study(collect(study, arms, runs, {}), out)
        assert sorted(files) == sorted(out.iterdir())
        return {path.name: path.read_bytes() for path in files}

    first = contents()
    assert set(first) == {
        *("results.json", "table.md", "table.csv", "table.tex"),
        *("D.1-val_acc.png", "D.1-train_loss.png"),
    }
    assert contents() == first
    assert rb"\begin{tabular}" in first["table.tex"]
    assert b"| D.1 | rates |" in first["table.md"]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't be written"):
        write_study(collect(study, arms, runs, {}), tmp_path / "file")
