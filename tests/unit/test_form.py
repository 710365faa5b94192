"""The form of a preset as plain logic: texts, mistakes, changes, undo, the command."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from cnn_core.config import Section
from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.shipped import shipped_presets
from cnn_tui.field_text import from_text, to_text, to_toml_line
from cnn_tui.form import Form, read_source
from cnn_tui.form_command import headless_command
from cnn_tui.form_fields import choices, form_fields
from cnn_tui.workplace import Workplace

PLACE = Workplace(Path("runs"), Path("data"), Path("cache"))


@pytest.fixture
def form() -> Form:
    return Form(read_source("digits"))


def _run_with(tmp_path: Path, config: str) -> Path:
    run_dir = tmp_path / "20260101-120000-old-abcd"
    run_dir.mkdir()
    (run_dir / "config.toml").write_text(config, encoding="utf-8")
    return run_dir


def test_every_key_of_a_preset_has_a_field_with_help() -> None:
    keys = set()
    for name, value in load_experiment("digits"):
        keys |= {f"{name}.{key}" for key, _ in value} if isinstance(value, Section) else {name}
    assert set(form_fields()) == keys
    assert all(field.help for field in form_fields().values())


def test_choices_are_those_of_the_registries() -> None:
    backbones = dict(choices(form_fields()["model.backbone"]))
    assert "VGG" in backbones["vgg16"]
    assert set(dict(choices(form_fields()["optim.schedule"]))) == {
        "constant",
        "step",
        "cosine",
        "linear",
        "one_cycle",
        "plateau",
    }


@pytest.mark.parametrize("name", sorted(shipped_presets()))
def test_a_preset_that_is_not_changed_is_the_same_experiment(name: str) -> None:
    form = Form(read_source(name))
    assert form.mistakes == {}
    assert form.changes == {}
    assert form.experiment() == load_experiment(name)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("train.epochs", "5", 5),
        ("train.batch_size", "auto", "auto"),
        ("optim.lr", ".5", 0.5),
        ("optim.lr", "1e-3", 0.001),
        ("tags", "a, b", ["a", "b"]),
        ("tags", '["a, b"]', ["a, b"]),
        ("model.options", "widths = [4, 8]", {"widths": [4, 8]}),
        ("augment.transforms", '{name = "random_crop"}', [{"name": "random_crop"}]),
        ("train.drop_last", "true", True),
        ("tracking.tensorboard", "True", True),
        ("tracking.tensorboard", "/data/board", "/data/board"),
    ],
)
def test_texts_mean_values(key: str, text: str, value: object) -> None:
    field = form_fields()[key]
    assert from_text(field, text) == value
    assert from_text(field, to_text(field, value)) == value


def test_values_are_toml_on_one_line() -> None:
    value = {"a b": [1, "x\ny"], "c": {"d": 5e-05}}
    line = to_toml_line(value)
    assert "\n" not in line
    assert tomli.loads(f"v = {line}")["v"] == value


def test_mistakes_stand_at_their_fields(form: Form) -> None:
    form.set("optim.lr", "fast")
    form.set("model.options", "widths = [1")
    form.set("train.batch_size", "auot")
    form.set("freeze.unfreeze_at", "3")
    form.set("augment.transforms", '{name = "random_crap"}')
    assert list(form.mistakes) == [
        "model.options",
        "freeze.unfreeze_at",
        "augment.transforms",
        "optim.lr",
        "train.batch_size",
    ]
    assert "valid number" in form.mistakes["optim.lr"]
    assert "not valid TOML" in form.mistakes["model.options"]
    assert "random_crop" in form.mistakes["augment.transforms"]
    with pytest.raises(UserError, match=r"model\.options"):
        form.experiment()
    draft = form.draft()
    assert draft.data is not None
    assert draft.optim is draft.model is draft.train is None


def test_undo_takes_back_one_change_at_a_time(form: Form) -> None:
    for text in ("3", "30", "300"):
        form.set("train.epochs", text)
    form.settle()
    form.set("train.epochs", "3000")
    form.set("optim.name", "adam")
    form.set("optim.name", "adamw")
    assert form.undo()
    assert form.text("optim.name") == "adam"
    assert form.undo()
    assert form.undo()
    assert form.text("train.epochs") == "300"
    assert form.undo()
    assert form.changes == {}
    assert not form.undo()


def test_undo_comes_back_to_the_preset_before(form: Form) -> None:
    form.set("train.epochs", "3")
    form.load(read_source("vgg16"))
    assert form.changes == {}
    assert form.text("model.backbone") == "vgg16"
    form.undo()
    assert form.source.label == "digits"
    assert list(form.changes) == ["train.epochs"]


def test_changes_are_of_values_not_of_texts(form: Form) -> None:
    form.set("optim.lr", "3e-2")
    form.set("seed", "0")
    assert form.changes == {}
    form.set("optim.lr", "0.3")
    assert [(c.before, c.after) for c in form.changes.values()] == [("0.03", "0.3")]


def test_fields_without_effect_are_known(form: Form) -> None:
    assert {"model.head_hidden", "optim.step_size", "freeze.unfreeze_at"} <= set(form.idle())
    form.set("model.head", "mlp")
    form.set("optim.schedule", "plateau")
    form.set("optim.name", "adam")
    idle = form.idle()
    assert not {"model.head_hidden", "optim.step_size"} & set(idle)
    assert {"optim.momentum", "optim.nesterov"} <= set(idle)
    assert {"model.head_hidden", "optim.step_size"} <= set(form.mistakes)


def test_a_size_that_is_the_data_sets_own_goes_with_the_data_set(tmp_path: Path) -> None:
    form = Form(read_source(_run_with(tmp_path, to_toml(load_experiment("digits")))))
    assert form.experiment().data.image_size == 8
    form.set("data.dataset", "caltech101")
    assert form.placeholder("data.image_size") == "224"
    assert form.placeholder("tracking.mlflow") == "false"
    assert form.experiment().data.image_size == 224


def test_a_run_of_another_version_opens_with_its_mistakes(tmp_path: Path) -> None:
    config = to_toml(load_experiment("digits"))
    config = config.replace('schedule = "one_cycle"', 'schedule = "spiral"\nwobble = 3')
    form = Form(read_source(_run_with(tmp_path, config)))
    assert form.source.dropped == ("optim.wobble",)
    assert list(form.mistakes) == ["optim.schedule"]
    form.set("optim.schedule", "cosine")
    assert form.experiment().optim.schedule == "cosine"


@pytest.mark.parametrize("config", ["optim = 3", "data = []\nmodel = 'x'", 'tags = "a"', ""])
def test_a_preset_of_any_shape_opens(tmp_path: Path, config: str) -> None:
    assert Form(read_source(_run_with(tmp_path, config))).mistakes


def test_the_command_trains_the_same(form: Form) -> None:
    form.set("train.epochs", "5")
    form.set("tags", '["two words", "it\'s"]')
    form.set("model.options", "widths = [4, 8]")
    words = shlex.split(headless_command(form, PLACE))
    assert words[:3] == ["cnn-tui", "run", "digits"]
    assert words[-1] == "--headless"
    overrides = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert load_experiment("digits", overrides) == form.experiment()


def test_a_command_that_cannot_be_is_refused(form: Form) -> None:
    form.set("augment.transforms", "")
    with pytest.raises(UserError, match=r"augment\.transforms"):
        headless_command(form, PLACE)


def test_the_form_needs_no_torch_and_no_textual() -> None:
    code = (
        "import sys; from cnn_tui.form import *; Form(read_source('vgg16'));"
        "import cnn_tui.previews, cnn_tui.form_command, cnn_tui.catalog;"
        "print([m for m in ('torch', 'textual') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
