"""A worker trains trials as ordinary runs, and tells the study how they ended."""

import json

import pytest

from cnn_core.preset_files import to_toml
from cnn_core.runs.directory import list_runs
from cnn_core.runs.lock import RunLock
from cnn_core.runs.reader import read_events, read_summary
from cnn_core.runs.session import train_run
from cnn_core.search.folder import SweepFolder, begin_sweep
from cnn_core.search.results import SweepReader, document
from cnn_core.search.study import Study
from cnn_core.search.worker import FAILURES_IN_A_ROW, TrialBegan, TrialEnded, Worker
from cnn_core.training.control import Control
from cnn_core.training.events import Preparing

RATES = '"optim.lr" = {values = [0.05, 0.02, 0.01]}\n'


@pytest.fixture
def begin(lab, tmp_path):
    def begin(parameters: str = RATES, search: str = "", name: str = "s") -> SweepFolder:
        (tmp_path / "preset.toml").write_text(to_toml(lab.experiment(train={"epochs": 2})))
        path = tmp_path / "sweep.toml"
        path.write_text(
            f'name = "{name}"\npreset = "preset.toml"\n[search]\nsampler = "grid"\n{search}\n'
            f"[parameters]\n{parameters}"
        )
        return begin_sweep(tmp_path / "runs", str(path), launch={})

    return begin


@pytest.fixture
def worker(lab):
    def worker(folder: SweepFolder) -> Worker:
        return Worker(folder, data_dir=lab.data_dir, cache_dir=lab.cache_dir, device="cpu")

    return worker


def ended(told) -> list[TrialEnded]:
    return [one for one in told if isinstance(one, TrialEnded)]


def test_trials_are_ordinary_runs_with_their_values(begin, worker):
    folder = begin()
    told = list(worker(folder).work())
    assert [(one.index, one.outcome) for one in ended(told)] == [
        (index, "finished") for index in range(3)
    ]
    runs = list_runs(folder.runs_dir)
    assert [run.name for run in runs] == [one.run for one in ended(told)]
    summaries = [read_summary(run) for run in runs]
    assert [summary["config"]["optim"]["lr"] for summary in summaries] == [0.05, 0.02, 0.01]
    assert [summary["name"] for summary in summaries] == ["s-001", "s-002", "s-003"]
    assert all(summary["tags"] == ["s"] for summary in summaries)
    origin = json.loads((runs[1] / "environment.json").read_text())["sweep"]
    assert origin == {"name": "s", "trial": 2}
    assert [one.value for one in ended(told)] == [
        summary["best"]["val_acc"] for summary in summaries
    ]
    shown = document(SweepReader(folder))
    assert shown["best"]["value"] == max(summary["best"]["val_acc"] for summary in summaries)
    assert [trial["epoch"] for trial in shown["trials"]] == [2, 2, 2]
    assert list(worker(folder).work()) == []


def test_only_the_first_trial_decodes_and_runs_the_frozen_layers(begin, lab, tmp_path):
    folder = begin('"freeze.policy" = {values = ["backbone"]}\n' + RATES)
    new_cache = tmp_path / "cache" / "pixels"
    list(Worker(folder, data_dir=lab.data_dir, cache_dir=new_cache, device="cpu").work())
    prepared = [
        {event.what for _, event in read_events(run) if isinstance(event, Preparing)}
        for run in list_runs(folder.runs_dir)
    ]
    slow = {"decoding images", "computing features"}
    assert slow <= prepared[0]
    assert not slow & (prepared[1] | prepared[2])


def test_a_stopped_trial_goes_on_where_it_was(begin, worker):
    whole = begin(name="whole")
    list(worker(whole).work())
    folder = begin(name="parts")
    first = worker(folder)
    told = []
    for one in first.work():
        told.append(one)
        first.stop()
    assert told[-1].outcome is None
    assert [row.status for row in SweepReader(folder).read().trials] == ["interrupted"]

    again = list(worker(folder).work())
    assert again[0].run == told[0].run
    undisturbed, resumed = (
        [row.row["last"] for row in SweepReader(one).read().trials] for one in (whole, folder)
    )
    assert resumed == undisturbed


def test_a_request_to_stop_reaches_workers_of_all_machines(begin, worker, monkeypatch):
    monkeypatch.setattr("cnn_core.search.worker._LOOK_S", 0.0)
    folder = begin()
    told = []
    for one in worker(folder).work():
        told.append(one)
        folder.request_stop()
    assert told[-1].outcome is None
    assert len(told) == 2
    assert len(ended(worker(folder).work())) == 3  # whoever starts later is not meant


def test_a_run_whose_end_was_not_told_is_not_trained_again(begin, worker, lab):
    folder = begin()
    killed = worker(folder)
    claim = Study(folder).claim()
    run_dir = killed._run_of(claim)
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    list(train_run(run_dir, Control(), **places, device="cpu"))
    claim.lock.release()  # as the system does for a process that dies here

    told = list(worker(folder).work())
    assert [type(one) for one in told][:2] == [TrialEnded, TrialBegan]
    assert (told[0].index, told[0].outcome, told[0].run) == (0, "finished", run_dir.name)
    assert len(list_runs(folder.runs_dir)) == 3


def test_a_run_that_another_machine_holds_is_left_to_it(begin, worker, monkeypatch):
    # As where locks are not shared by machines: the claim is free, and the run looks unheld.
    monkeypatch.setattr("cnn_core.search.study.is_live", lambda _run_dir: False)
    folder = begin('"optim.lr" = {values = [0.05]}\n')
    study = Study(folder)
    claim = study.claim()
    run_dir = worker(folder)._run_of(claim)
    study.leave(claim)
    told = []
    with RunLock(run_dir):
        here = worker(folder)
        for one in here.work():
            told.append(one)
            if isinstance(one, TrialEnded):
                here.stop()
    assert told[-1].outcome is None
    assert [trial.state.name for trial in study.trials().values()] == ["RUNNING"]


def test_a_trial_that_kills_its_process_is_given_up(begin, worker):
    folder = begin()
    study = Study(folder)
    claim = study.claim()
    for _ in range(3):
        assert not study.taken_in_vain(claim, 0, 3)
    study.leave(claim)
    told = ended(worker(folder).work())
    assert [one.outcome for one in told] == ["failed", "finished", "finished"]
    assert "the process died 3 times after epoch 0" in told[0].error


def test_the_checkpoints_of_the_best_are_kept(begin, worker):
    folder = begin(search='keep = 1\nmetric = "last.train_loss"')
    list(worker(folder).work())
    results = SweepReader(folder).read()
    for row in results.trials:
        checkpoints = sorted((folder.runs_dir / row.run / "checkpoints").glob("*.pt"))
        assert bool(checkpoints) == (row is results.best)
        assert row.row["test"]["acc"] is not None
    other = next(row for row in results.trials if row is not results.best)
    log = (folder.runs_dir / other.run / "log.txt").read_text()
    assert "not among the 1 best trials of sweep s" in log


def test_a_diverged_trial_is_a_bad_one(begin, worker):
    folder = begin('"optim.lr" = {values = [0.05, 1e30]}\n')
    told = ended(worker(folder).work())
    assert [one.outcome for one in told] == ["finished", "diverged"]
    assert [trial.state.name for trial in Study(folder).trials().values()] == [
        "COMPLETE",
        "PRUNED",
    ]


def test_a_pruned_trial_stops_with_a_checkpoint(begin, worker):
    good = ", ".join(str(0.05 + place / 1000) for place in range(5))
    folder = begin(
        f'"optim.lr" = {{values = [{good}, 1e-6]}}\n"train.epochs" = {{values = [3]}}\n',
        'pruner = "median"\nmetric = "last.train_loss"',
    )
    told = ended(worker(folder).work())
    assert [one.outcome for one in told] == ["finished"] * 5 + ["pruned"]
    run_dir = folder.runs_dir / told[-1].run
    assert read_summary(run_dir)["status"] == "stopped"
    assert read_summary(run_dir)["epoch"] < 3
    assert (run_dir / "checkpoints/last.pt").exists()


def test_failures_in_a_row_stop_the_sweep(begin, worker):
    roots = ", ".join(f'"nowhere{number}"' for number in range(6))
    folder = begin(f'"data.root" = {{values = [{roots}]}}\n')
    told = ended(worker(folder).work())
    assert [one.outcome for one in told][:FAILURES_IN_A_ROW] == ["failed"] * FAILURES_IN_A_ROW
    assert "nowhere0" in told[0].error
    request = folder.stop_request()
    assert request is not None
    assert request[1].startswith("3 trials in a row failed: ")


def test_values_that_do_not_go_together_fail_their_trial_only(begin, worker):
    folder = begin(
        '"optim.nesterov" = {values = [false, true]}\n"optim.momentum" = {values = [0.9, 0.0]}\n'
        '"optim.name" = {values = ["sgd"]}\n'
    )
    assert folder.sweep.wanted == 4
    told = ended(worker(folder).work())
    assert [one.outcome for one in told] == ["finished", "finished", "finished", "failed"]
    assert "needs name" in told[3].error
    assert told[3].run is None
