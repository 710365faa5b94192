"""Presets on the disk: found, read, overridden, checked and written."""

import copy
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.config import Experiment
from cnn_core.errors import UserError
from cnn_core.preset_files import find_preset, load_experiment, to_toml
from cnn_core.preset_mistakes import Mistake, mistakes
from cnn_core.shipped import shipped_presets

MINIMAL: dict[str, Any] = {"data": {"dataset": "digits"}, "model": {"backbone": "cnn"}}


def changed(key: str, value: Any) -> dict[str, Any]:
    table = copy.deepcopy(MINIMAL)
    target = table
    *sections, name = key.split(".")
    for section in sections:
        target = target.setdefault(section, {})
    target[name] = value
    return table


@pytest.mark.parametrize("name", sorted(shipped_presets()))
def test_shipped_presets_load_and_survive_writing(name, tmp_path):
    experiment = load_experiment(name)
    assert experiment.data.image_size is not None
    file = tmp_path / "again.toml"
    file.write_text(to_toml(experiment))
    assert load_experiment(file) == experiment
    assert to_toml(load_experiment(file)) == file.read_text()


def test_a_preset_is_found_by_name_by_path_and_by_its_path_in_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = shipped_presets()["digits"]
    assert find_preset("digits") == shipped
    assert find_preset(str(shipped)) == shipped
    assert find_preset("presets/digits.toml") == shipped
    own = tmp_path / "digits"
    own.write_text("")
    assert find_preset("digits").resolve() == own


@pytest.mark.parametrize(
    ("item", "key", "value"),
    [
        ("train.epochs=3", "epochs", 3),
        ("train.label_smoothing=1e-1", "label_smoothing", 0.1),
        ("train.drop_last=true", "drop_last", True),
        ("train.batch_size=auto", "batch_size", "auto"),
        ('train.precision="bf16"', "precision", "bf16"),
        (" train.early_stopping = 4", "early_stopping", 4),
    ],
)
def test_an_override_is_toml_or_else_text(item, key, value):
    assert getattr(load_experiment("digits", [item]).train, key) == value


def test_overrides_reach_options_and_the_last_one_wins():
    made = load_experiment("digits", ["model.options.widths=[4]", "seed=1", "seed=2"])
    assert made.model.options == {"widths": [4], "batch_norm": True}
    assert made.seed == 2


def test_name_and_tags_are_checked_like_the_preset_itself():
    made = load_experiment("digits", ['tags=["a"]'], name="x", tags=["b"])
    assert (made.name, made.tags) == ("x", ["a", "b"])
    with pytest.raises(
        UserError, match=r"name \(--name\): 'y{58}…: string should have at most 120"
    ):
        load_experiment("digits", name="y" * 121)


def test_the_path_of_weights_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_experiment("digits", ["model.weights=a.pt"]).model.weights == f"{tmp_path}/a.pt"


@pytest.mark.parametrize(
    ("key", "value", "mistake"),
    [
        ("nmae", "x", Mistake("nmae", "unknown key; did you mean 'name'?")),
        ("wow", 1, "unknown key; expected one of: augment, data"),
        ("data.lr", 1, Mistake("data.lr", "unknown key; it belongs to [optim]")),
        ("data.policy", "", "unknown key; it belongs to [freeze] or [augment]"),
        ("train.seed", 1, "unknown key; it belongs above the first section"),
        ("epochs", 1, Mistake("epochs", "unknown key; it belongs to [train]")),
        ("optim", 3, Mistake("optim", "expected a section, [optim]", "3")),
        ("optim.name", "sdg", "should be 'sgd', 'adam' or 'adamw'; did you mean 'sgd'?"),
        ("train.batch_size", 0, "should be greater than or equal to 1, or should be 'auto'"),
        ("data.classes", ["a", 1], Mistake("data.classes[1]", "should be a valid string", "1")),
        ("data.dataset", "cifar", "did you mean 'cifar10'?"),
        ("model.backbone", "alexent", "did you mean 'alexnet'?"),
        ("model.options", {"width": [1]}, "unknown option; did you mean 'widths'?"),
        ("model.weights", "imagenet", "no weights 'imagenet' for cnn"),
        (
            "freeze.policy",
            "convolution",
            "unknown policy 'convolution'; did you mean 'convolutional'?",
        ),
        ("augment.policy", "flop", "did you mean 'flip'?"),
        ("augment.transforms", [{"name": "flip"}], "unknown transform 'flip'"),
        ("augment.transforms", [{"name": "random_crop", "pad": 1}], "did you mean 'padding'?"),
        ("optim.schedule", "step", 'needed by schedule = "step"'),
        ("tracking.mlflow", "file:///tmp/x", "'file:///tmp/x' is no store of MLflow, such as true"),
    ],
)
def test_a_mistake_names_the_key_and_what_was_meant(key, value, mistake):
    (found,) = mistakes(changed(key, value))
    if isinstance(mistake, Mistake):
        assert found == mistake
    else:
        assert found.key.startswith(key) or key == "optim.schedule"
        assert mistake in found.message


def test_unknown_keys_hide_no_impossible_combination():
    table = changed("optim", {"schedule": "step", "wow": 1})
    table["freeze"] = {"policy": "backbone", "unfreeze_at": 99}
    keys = {mistake.key for mistake in mistakes(table)}
    assert keys == {"optim.wow", "optim.step_size"}
    table["optim"] = {"wow": 1}
    assert {m.key for m in mistakes(table)} == {"optim.wow", "freeze.unfreeze_at"}


def test_mistakes_are_told_in_the_order_of_the_file_with_their_lines(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(
        "# a comment\n"
        "train.epochs = 0\n"
        'data = { dataset = "digits", limit = 0 }\n'
        "[model]\n"
        'backbone = "cnn"\n'
        "[model.options]\n"
        "widths = []\n"
        "[[augment.transforms]]\n"
        'name = "nope"\n'
    )
    with pytest.raises(UserError) as caught:
        load_experiment(file)
    places = [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]]
    assert places == [
        "train.epochs (line 2)",
        "data.limit (line 3)",
        "model.options.widths (line 7)",
        "augment.transforms[0].name (line 9)",
    ]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["cnn", "digits", "mlp", "step", "imagenet", "auto", "random_crop"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    name: list(getattr(field.annotation, "model_fields", ()))
    for name, field in Experiment.model_fields.items()
}


def keyed(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from([*names, "name", "x"]) | st.text(), VALUES, max_size=5)


TABLES = st.fixed_dictionaries(
    {}, optional={name: (keyed(keys) if keys else VALUES) | VALUES for name, keys in FIELDS.items()}
)


@given(TABLES)
def test_any_table_is_reported_on_and_none_raises(table):
    before = copy.deepcopy(table)
    found = mistakes(table)
    assert repr(table) == repr(before)
    assert len({mistake.key for mistake in found}) == len(found)
    if not found:
        Experiment.model_validate(table)


OPTIONAL = {
    "seed": st.integers(0, 2**32 - 1),
    "notes": st.text(),
    "tags": st.lists(st.text(), max_size=3),
    "name": st.text(min_size=1, max_size=120),
    "optim": st.fixed_dictionaries(
        {}, optional={"lr": st.floats(min_value=0, exclude_min=True, allow_infinity=False)}
    ),
    "train": st.fixed_dictionaries(
        {}, optional={"batch_size": st.just("auto") | st.integers(1, 2**31 - 1)}
    ),
}


@given(st.fixed_dictionaries({}, optional=OPTIONAL))
def test_what_is_written_reads_back_equal(extra):
    experiment = Experiment.model_validate({**MINIMAL, **extra})
    assert Experiment.model_validate(tomli.loads(to_toml(experiment))) == experiment


def test_a_wrong_value_hides_no_combination_and_invents_none():
    table = {
        "data": {"dataset": "digits"},
        "model": {"backbone": "cnn", "head": "mpl", "head_hidden": 10},
        "freeze": {"policy": "backbone", "unfreeze_at": 20},
        "optim": {"nesterov": True, "momentum": 0.0, "schedule": "cosin"},
        "train": {"epochs": 0},
    }
    keys = {mistake.key for mistake in mistakes(table)}
    assert keys == {"model.head", "optim.nesterov", "optim.schedule", "train.epochs"}
