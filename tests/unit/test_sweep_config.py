"""Sweep files: what they say, and what is wrong with them."""

from pathlib import Path

import pytest
import tomli

from cnn_core.errors import UserError
from cnn_core.search.begun import sweep_names
from cnn_core.search.folder import begin_sweep, open_sweep
from cnn_core.search.sweep_config import Parameter
from cnn_core.search.sweep_files import experiment_of, load_sweep, to_sweep_toml

HEAD = 'name = "s"\npreset = "digits"\ntrials = 4\n'
LR = '"optim.lr" = {type = "float", low = 1e-3, high = 1.0, log = true}\n'
UNQUOTED = LR.replace('"', "", 2)


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "s.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def load(path):
    return load_sweep(path)[0]


def refused(path) -> str:
    with pytest.raises(UserError) as caught:
        load_sweep(path)
    return str(caught.value)


def test_keys_may_be_written_in_all_of_tomls_ways(write):
    quoted = load(write(f'{HEAD}[set]\n"train.epochs" = 2\n[parameters]\n{LR}'))
    dotted = load(write(f"{HEAD}[set]\ntrain.epochs = 2\n[parameters]\n{UNQUOTED}"))
    tables = load(
        write(
            f"{HEAD}[set.train]\nepochs = 2\n"
            '[parameters.optim.lr]\ntype = "float"\nlow = 1e-3\nhigh = 1\nlog = true\n'
        )
    )
    assert quoted == dotted == tables
    assert quoted.set == {"train.epochs": 2}


def test_a_written_sweep_reads_back_equal(write):
    sweep = load(write(f'{HEAD}notes = "why"\n[set]\n"train.epochs" = 2\n[parameters]\n{LR}'))
    assert load(write(to_sweep_toml(sweep), "again.toml")) == sweep


def test_a_file_without_a_name_is_called_by_its_own(write):
    text = f"{HEAD}[parameters]\n{LR}".replace('name = "s"\n', "")
    assert load(write(text, "rates.toml")).name == "rates"


def test_a_preset_beside_the_sweep_is_found(write):
    write('name = "mine"\n[data]\ndataset = "digits"\n[model]\nbackbone = "cnn"\n', "mine.toml")
    path = write(f"{HEAD}[parameters]\n{LR}".replace('"digits"', '"mine.toml"'))
    assert load_sweep(path)[1]["name"] == "mine"


@pytest.mark.parametrize(
    ("parameter", "points"),
    [
        ('{values = ["a", "b"]}', ["a", "b"]),
        ('{type = "int", low = 2, high = 5}', [2, 3, 4, 5]),
        ('{type = "int", low = 2, high = 7, step = 2}', [2, 4, 6]),
        ('{type = "float", low = 0.1, high = 0.9, step = 0.2}', [0.1, 0.3, 0.5, 0.7, 0.9]),
    ],
)
def test_a_grid_has_the_numbers_a_person_would_write(parameter, points):
    assert Parameter.model_validate(tomli.loads(f"p = {parameter}")["p"]).grid() == points


def test_a_grid_has_all_combinations_unless_fewer_trials_are_asked_for(write):
    text = 'name = "s"\npreset = "digits"\n[search]\nsampler = "grid"\n[parameters]\n'
    text += (
        '"optim.lr" = {values = [0.1, 0.2]}\n"train.epochs" = {type = "int", low = 1, high = 3}\n'
    )
    assert load(write(text)).wanted == 6
    assert load(write(f"trials = 4\n{text}")).wanted == 4
    assert load(write(f"trials = 40\n{text}")).wanted == 6


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"trails = 3\n{HEAD}[parameters]\n{LR}",
            "trails (line 1): unknown key; did you mean 'trials'?",
        ),
        (f"{HEAD}", "parameters: is missing"),
        (
            f"{HEAD}[parameters]\n",
            "parameters (line 4): {}: dictionary should have at least 1 item",
        ),
        (f"{HEAD}[parameters]\n{LR}".replace('"s"', '"a b"'), "name (line 1): 'a b':"),
        (f'{HEAD}[search]\nsampler = "randm"\n[parameters]\n{LR}', "did you mean 'random'?"),
        (f'{HEAD}[search]\nmetric = "val_acc"\n[parameters]\n{LR}', "did you mean 'best.val_acc'?"),
        (
            f'{HEAD}[search]\nmetric = "test.acc"\npruner = "median"\n[parameters]\n{LR}',
            "search.pruner (line 6): looks at each epoch",
        ),
        (f'{HEAD}[search]\nsampler = "grid"\n[parameters]\n{LR}', "a grid needs values, a step"),
        (f"{HEAD.replace('trials = 4', '')}[parameters]\n{LR}", "trials: needed by sampler"),
        (
            f'{HEAD}[set]\n"optim.lr" = 1.0\n[parameters]\n{LR}',
            "set.optim.lr (line 5): is searched",
        ),
        (f'{HEAD}[parameters]\n"optim.lr" = {{low = 1.0}}\n', "parameters.optim.lr.type"),
        (
            f'{HEAD}[parameters]\n"optim.lr" = {{type = "float", low = 2.0, high = 1.0}}\n',
            "1 is not above low = 2",
        ),
        (
            f'{HEAD}[parameters]\n"optim.lr" = {{type = "float", low = 0, high = 1, log = true}}\n',
            "0 has no logarithm",
        ),
        (
            f'{HEAD}[parameters]\n"train.epochs" = {{type = "int", low = 1, high = 2.5}}\n',
            "2.5 is not whole",
        ),
        (
            f'{HEAD}[parameters]\n"optim.lr" = {{values = [0.1, 0.1]}}\n',
            "one of them is there twice",
        ),
        (
            f'{HEAD}[parameters]\n"optim.lr" = {{values = [0.1], labels = ["a", "b"]}}\n',
            "2 names for 1 values",
        ),
        # What its values make wrong in the preset.
        (f'{HEAD}[parameters]\n"optim.lrr" = {{values = [0.1]}}\n', "did you mean 'lr'?"),
        (
            f'{HEAD}[parameters]\n"optim.momentum" = {{values = [0.5, 1.5]}}\n',
            "parameters.optim.momentum (line 5): 1.5: should be less than 1",
        ),
        (
            f'{HEAD}[set]\n"train.epoch" = 3\n[parameters]\n{LR}',
            "set.train.epoch (line 5): unknown key; did you mean 'epochs'?",
        ),
        (
            f'{HEAD}[parameters]\n"optim.schedule" = {{values = ["step"]}}\n',
            "needed by schedule",
        ),
        (
            f'{HEAD}[parameters]\n"optim.momentum" = {{values = [0.0, 0.5]}}\n',
            'preset (digits) optim.nesterov: needs name = "sgd" and a momentum above 0, '
            "with optim.momentum = 0",
        ),
        (f'{HEAD}[parameters]\n"name.x" = {{values = ["step"]}}\n', "'name' is a value"),
    ],
)
def test_mistakes_are_told_with_their_place(write, text, told):
    assert told in refused(write(text))


def test_all_mistakes_are_told_at_once(write):
    told = refused(
        write(f'{HEAD}wrong = 1\n[search]\nsampler = "x"\nseed = -1\n[parameters]\n{LR}')
    )
    assert told.splitlines()[0].endswith("3 mistakes")


def test_an_unknown_sweep_names_the_nearest(write):
    with pytest.raises(UserError, match="no sweep 'nowhere': neither a file nor a shipped one"):
        begin_sweep(Path("runs"), "nowhere", launch={})


def test_an_experiment_takes_the_values_and_the_tag(write):
    _, base = load_sweep(write(f"{HEAD}[parameters]\n{LR}"))
    settings = {"optim.lr": 0.25, "model.options.widths": [4, 8]}
    experiment = experiment_of(base, settings, name="s-001", tags=["s"])
    assert (experiment.optim.lr, experiment.name) == (0.25, "s-001")
    assert experiment.model.options["widths"] == [4, 8]
    assert "s" in experiment.tags
    with pytest.raises(UserError, match=r"optim\.lr: -1 should be greater than 0"):
        experiment_of(base, {"optim.lr": -1}, name="s-001", tags=["s"])


def test_a_sweep_is_begun_once_and_found_by_name_and_file(write, tmp_path):
    runs, path = tmp_path / "runs", write(f"{HEAD}[parameters]\n{LR}")
    begun = begin_sweep(runs, str(path), launch={})
    again = begin_sweep(runs, str(path), launch={})
    assert begun.place == again.place
    assert begin_sweep(runs, "s", launch={}).place == begun.place
    assert sweep_names(runs) == ["s"]
    with pytest.raises(UserError, match="no sweep 'q' in"):
        open_sweep(runs, "q")


def test_a_begun_sweep_can_be_extended_but_not_changed(write, tmp_path):
    runs, path = tmp_path / "runs", write(f"{HEAD}[parameters]\n{LR}")
    begin_sweep(runs, str(path), launch={})
    assert begin_sweep(runs, "s", trials=9, launch={"workers": 3}).sweep.trials == 9
    assert open_sweep(runs, "s").sweep.trials == 9
    assert open_sweep(runs, "s").sweep.launch.workers == 3

    path.write_text(path.read_text().replace("high = 1.0", "high = 2.0"))
    with pytest.raises(UserError, match=r"has begun with other values: \[parameters\]"):
        begin_sweep(runs, str(path), launch={})
    path.write_text(f"{HEAD}[parameters]\n{LR}".replace('"digits"', '"cifar10-cnn-cats-dogs"'))
    with pytest.raises(UserError, match="the preset"):
        begin_sweep(runs, str(path), launch={})


def test_only_later_requests_to_stop_are_meant(write, tmp_path):
    folder = begin_sweep(tmp_path / "runs", str(write(f"{HEAD}[parameters]\n{LR}")), launch={})
    assert folder.stop_request() is None
    folder.request_stop("enough")
    first = folder.stop_request()
    assert first is not None
    assert first[1] == "enough"
    folder.request_stop()
    assert folder.stop_request() != first
