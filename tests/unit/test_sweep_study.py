"""Trials are taken by one worker each, drawn alike whoever takes them, and survive its death."""

import math
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest

from cnn_core.errors import UserError
from cnn_core.runs.lock import RunLock
from cnn_core.search.folder import SweepFolder, begin_sweep
from cnn_core.search.keeping import drop_checkpoints
from cnn_core.search.results import SweepReader
from cnn_core.search.storage import JOURNAL
from cnn_core.search.study import Study, run_of

LR = '"optim.lr" = {type = "float", low = 1e-3, high = 1.0, log = true}\n'
MOMENTUM = '"optim.momentum" = {values = [0.1, 0.5, 0.9]}\n'


@pytest.fixture
def begin(tmp_path):
    def begin(
        search: str = "", parameters: str = LR + MOMENTUM, trials: int = 4, runs: str = "runs"
    ) -> SweepFolder:
        path = tmp_path / "s.toml"
        path.write_text(
            f'name = "s"\npreset = "digits"\ntrials = {trials}\n[search]\n{search}\n'
            f"[parameters]\n{parameters}"
        )
        return begin_sweep(tmp_path / runs, str(path), launch={})

    return begin


def take_all(*studies: Study) -> dict[int, dict]:
    """Take trials by turns and end each; return their values."""
    taken = {}
    while True:
        claims = [claim for study in studies if (claim := study.claim()) is not None]
        if not claims:
            return taken
        for study, claim in zip(studies, claims, strict=False):
            taken[claim.index] = claim.settings
            study.settle(claim, "finished", float(claim.settings["optim.lr"]))


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_trials_have_the_same_values_whoever_takes_them(begin, sampler):
    grid = '"optim.lr" = {values = [0.1, 0.2]}\n'
    parameters = LR + MOMENTUM if sampler == "random" else grid + MOMENTUM
    search = f'sampler = "{sampler}"\nseed = 3'
    alone = take_all(Study(begin(search, parameters, trials=6, runs="a")))
    folder = begin(search, parameters, trials=6, runs="b")
    shared = take_all(Study(folder), Study(folder), Study(folder))
    assert alone == shared
    assert sorted(alone) == list(range(6))
    assert len({str(settings) for settings in alone.values()}) == 6


def test_another_seed_draws_other_values(begin):
    one, other = (take_all(Study(begin(f"seed = {seed}", runs=f"runs{seed}"))) for seed in (1, 2))
    assert one != other


def test_a_grid_goes_through_all_combinations_in_order(begin):
    parameters = '"optim.lr" = {values = [0.1, 0.2]}\n' + MOMENTUM
    taken = take_all(Study(begin('sampler = "grid"', parameters, trials=99)))
    points = [(taken[n]["optim.lr"], taken[n]["optim.momentum"]) for n in range(6)]
    assert points == [(0.1, 0.1), (0.1, 0.5), (0.1, 0.9), (0.2, 0.1), (0.2, 0.5), (0.2, 0.9)]


def test_values_of_any_type_keep_their_type(begin):
    parameters = (
        '"model.options.widths" = {values = [[4, 8], [4]], labels = ["two", "one"]}\n'
        '"train.batch_size" = {type = "int", low = 16, high = 32}\n'
        '"optim.lr" = {type = "float", low = 0.1, high = 0.2}\n'
        '"optim.nesterov" = {values = [true, false]}\n'
    )
    study = Study(begin(parameters=parameters))
    claim = study.claim()
    assert claim is not None
    assert claim.settings["model.options.widths"] in ([4, 8], [4])
    assert isinstance(claim.settings["train.batch_size"], int)
    assert isinstance(claim.settings["optim.lr"], float)
    assert isinstance(claim.settings["optim.nesterov"], bool)
    assert claim.trial.params["model.options.widths"] in ("two", "one")


def test_values_lie_in_their_range(begin):
    taken = take_all(Study(begin(trials=60)))
    rates = [settings["optim.lr"] for settings in taken.values()]
    assert min(rates) >= 1e-3
    assert max(rates) <= 1.0
    # Half of the draws below the geometric mean: a linear draw would have 3 % there.
    assert 15 < sum(rate < 10**-1.5 for rate in rates) < 45


def test_a_trial_that_is_left_is_taken_up_with_its_run(begin):
    folder = begin()
    first, second = Study(folder), Study(folder)
    claim = first.claim()
    first.sign(claim, "20260101-000000-s-001-0000")
    other = second.claim()
    assert other.index == 1
    first.leave(claim)
    again = second.claim()
    assert (again.index, again.run) == (0, "20260101-000000-s-001-0000")
    assert again.settings == claim.settings


def test_workers_that_hurry_never_take_the_same_trial(begin):
    folder = begin(trials=90)
    taken: list[int] = []

    def hurry() -> None:
        study = Study(folder)
        while (claim := study.claim()) is not None:
            taken.append(claim.index)
            study.settle(claim, "finished", 0.5)  # raises where another one has ended it

    with ThreadPoolExecutor(6) as pool:
        for one in [pool.submit(hurry) for _ in range(6)]:
            one.result()
    assert sorted(taken) == list(range(90))


def test_a_trial_whose_run_another_process_writes_is_left_to_it(begin):
    folder = begin(trials=1)
    study = Study(folder)
    claim = study.claim()
    run_dir = folder.runs_dir / "20260101-000000-s-001-0000"
    run_dir.mkdir()
    (run_dir / "config.toml").touch()
    study.sign(claim, run_dir.name)
    study.leave(claim)
    with RunLock(run_dir):
        assert study.claim() is None
    assert study.claim().index == 0


CLAIM_AND_DIE = """
import os, signal, sys
from pathlib import Path
from cnn_core.search.keeping import drop_checkpoints
from cnn_core.search.folder import open_sweep
from cnn_core.search.study import Study, run_of
import optuna
study = Study(open_sweep(Path(sys.argv[1]), "s"))
if sys.argv[2] == "unsigned":
    optuna.Trial.set_user_attr = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
study.claim()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["unsigned", "taken"])
def test_a_trial_of_a_killed_process_is_taken_up(begin, when):
    folder = begin(trials=2)
    killed = subprocess.run(
        [sys.executable, "-c", CLAIM_AND_DIE, str(folder.runs_dir), when],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.returncode == -signal.SIGKILL
    taken = take_all(Study(folder))
    assert sorted(taken) == [0, 1]
    assert taken == take_all(Study(begin(trials=2, runs="undisturbed")))


def test_a_torn_line_of_the_journal_is_cut_off(begin):
    folder = begin()
    study = Study(folder)
    study.settle(study.claim(), "finished", 0.5)
    with (folder.path / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":4,"worker_id":"x')
    assert len(Study(folder).trials()) == 1
    assert sorted(take_all(Study(folder))) == [1, 2, 3]
    assert len(Study(folder).trials()) == 4


def test_failed_trials_are_tried_again_with_the_same_values(begin):
    folder = begin(trials=3)
    study = Study(folder)
    failed = study.claim()
    study.sign(failed, "20260101-000000-s-001-0000")
    study.settle(failed, "failed", error="no memory")
    done = study.claim()
    study.settle(done, "finished", 0.5)

    assert study.try_failed_again() == 1
    rows = SweepReader(folder).read().trials
    assert [(row.number, row.status) for row in rows] == [(1, "waiting"), (2, "finished")]
    again = Study(folder).claim()
    assert (again.index, again.settings, again.run) == (0, failed.settings, failed.run)
    assert sorted(take_all(study)) == [2]
    study.settle(again, "finished", 0.9)
    assert study.claim() is None
    results = SweepReader(folder).read()
    assert [row.status for row in results.trials] == ["finished"] * 3
    assert results.ended == results.wanted == 3


def test_the_best_is_the_best_of_those_that_finished(begin):
    folder = begin('metric = "best.val_loss"', trials=4)
    study = Study(folder)
    for outcome, value in (("finished", 0.5), ("finished", 0.2), ("diverged", 0.1)):
        study.settle(study.claim(), outcome, value)
    study.settle(study.claim(), "failed", error="broken")
    results = SweepReader(folder).read()
    assert results.best is results.trials[1]
    assert results.counts() == {"finished": 2, "diverged": 1, "failed": 1}
    assert results.trials[3].error == "broken"


def test_what_matters_is_told_by_importance(begin):
    parameters = LR + '"optim.weight_decay" = {type = "float", low = 0.0, high = 0.1}\n'
    folder = begin(parameters=parameters, trials=40)
    reader, study = SweepReader(folder), Study(folder)
    assert reader.importance() is None
    while (claim := study.claim()) is not None:
        study.settle(claim, "finished", math.log10(claim.settings["optim.lr"]))
    shares = reader.importance()
    assert list(shares) == ["optim.lr", "optim.weight_decay"]
    assert shares["optim.lr"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_hopeless_trials_are_pruned(begin, pruner):
    study = Study(begin(f'pruner = "{pruner}"\nsampler = "tpe"', trials=40))
    pruned = {"good": 0, "bad": 0}
    for number in range(40):
        claim = study.claim()
        kind, top = ("good", 0.9) if number % 2 == 0 else ("bad", 0.1)
        for epoch in range(1, 11):
            if study.report(claim, epoch, top + epoch / 1000):
                pruned[kind] += 1
                study.settle(claim, "pruned")
                break
        else:
            study.settle(claim, "finished", top)
    assert pruned["bad"] > 5
    assert pruned["bad"] > 2 * pruned["good"]


def test_an_epoch_that_is_trained_again_is_reported_once(begin):
    study = Study(begin('pruner = "median"'))
    claim = study.claim()
    study.report(claim, 1, 0.5)
    study.report(claim, 1, 0.5)  # a warning would be an error here
    assert study.trials()[0].intermediate_values == {1: 0.5}


def test_any_storage_of_optuna_serves_and_is_shared(begin, tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    here = begin(f'storage = "{url}"', trials=6, runs="here")
    there = begin(f'storage = "{url}"', trials=6, runs="there")
    one, other = Study(here), Study(there)
    mine, theirs = one.claim(), other.claim()
    assert (mine.index, theirs.index) == (0, 1)
    other.leave(theirs)
    # The run of a trial lies with whoever began it: nobody else can go on with it.
    assert one.claim().index == 2
    assert other.claim().index == 1
    assert optuna.load_study(study_name="s", storage=url).trials[0].params.keys() == {
        "optim.lr",
        "optim.momentum",
    }


@pytest.mark.parametrize(
    "storage", ["sqlite:////nowhere/at/all.db", "nosuch://x", "missing/study.journal"]
)
def test_a_storage_that_cannot_be_had_is_named(begin, storage):
    folder = begin(f'storage = "{storage}"')
    with pytest.raises(UserError, match=r"storage .*(nowhere|nosuch|missing)"):
        Study(folder)


def test_looking_at_a_sweep_writes_nothing(begin):
    folder = begin()
    take_all(Study(folder))
    before = (folder.path / JOURNAL).read_bytes()
    reader = SweepReader(folder)
    assert reader.read().ended == 4
    reader.importance()
    assert (folder.path / JOURNAL).read_bytes() == before


def test_optuna_reads_the_journal_by_its_own_means(begin):
    folder = begin()
    take_all(Study(folder))
    backend = optuna.storages.journal.JournalFileBackend(str(Path(folder.path) / JOURNAL))
    study = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4


def test_a_storage_that_is_another_file_is_left_as_it_is(begin, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("first\nlast, without an end")
    folder = begin(f'storage = "{precious}"')
    with pytest.raises(UserError, match="precious: no journal of Optuna"):
        Study(folder)
    assert precious.read_text() == "first\nlast, without an end"


@pytest.mark.parametrize("run", ["../elsewhere", "/", 7, None])
def test_a_study_names_no_folder_but_runs(begin, tmp_path, run):
    folder = begin("keep = 1", trials=2)
    study = Study(folder)
    weights = tmp_path / "elsewhere" / "checkpoints" / "x.pt"
    weights.parent.mkdir(parents=True)
    weights.touch()
    for value in (1.0, 2.0):
        claim = study.claim()
        study.sign(claim, run)
        study.settle(claim, "finished", value)
    drop_checkpoints(folder, study)
    assert weights.exists()
    assert [run_of(trial) for trial in study.trials().values()] == [None, None]
