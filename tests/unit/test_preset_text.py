"""Presets written for people: help above each key, the rest named, and the same experiment."""

import copy
from pathlib import Path
from typing import Any

import pytest
import tomli

from cnn_core.augment.catalog import POLICIES
from cnn_core.backbones.catalog import BACKBONES
from cnn_core.config import Experiment
from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment, put
from cnn_core.preset_mistakes import mistakes
from cnn_core.preset_text import changed_keys, commented
from cnn_core.shipped import shipped_presets
from cnn_core.suggestions import TRAININGS, completed, keys_of, told_by


def read(folder: Path, text: str) -> Experiment:
    path = folder / "again.toml"
    path.write_text(text)
    return load_experiment(path)


@pytest.mark.parametrize("name", sorted(shipped_presets()))
def test_what_is_written_of_a_shipped_preset_loads_as_the_same(name: str, tmp_path: Path):
    experiment = load_experiment(name)
    text = commented(changed_keys(experiment))
    assert read(tmp_path, text) == experiment
    assert max(len(line) for line in text.splitlines() if line.startswith("#")) <= 100


def test_each_key_has_its_help_and_each_section_ends_with_the_others():
    lines = commented(changed_keys(load_experiment("folder-resnet18"))).splitlines()
    assert "image_size = 224" not in lines  # which it has anyway
    place = lines.index("unfreeze_at = 3")
    assert lines[place - 1] == "# Epoch from which the frozen layers train too."
    assert lines[place + 2] == "lr_scale = 0.1"
    assert lines[place + 3 : place + 6] == [
        "# Further keys and their defaults: keep_statistics = false, reuse = true,",
        "# views (anew in every epoch)",
        "",
    ]
    sections = [line[1:-1] for line in lines if line.startswith("[")]
    assert sections == [*Experiment.model_fields][4:]
    text = "\n".join(lines)
    for section, field in Experiment.model_fields.items():
        for key in getattr(field.annotation, "model_fields", ()):
            assert key in text.partition(f"[{section}]")[2].partition("\n[")[0], key


def test_of_a_whole_config_only_what_differs_is_written():
    whole = load_experiment("digits").model_dump(exclude_none=True)
    assert whole["data"]["image_size"] == 8
    table = changed_keys(Experiment.model_validate(whole))
    assert table["data"] == {"dataset": "digits", "val_fraction": 0.15}
    assert "freeze" not in table
    other = copy.deepcopy(whole)
    other["data"]["image_size"] = 16
    assert changed_keys(Experiment.model_validate(other))["data"]["image_size"] == 16


def test_long_lists_have_a_line_for_each_item_and_odd_text_stays_itself(tmp_path: Path):
    transforms = [{"name": "random_crop", "padding": 4, "mode": "reflect"}] * 3
    table = {
        "name": 'a "b" # c',
        "notes": "one\ntwo\t\x1b[31m é\n",
        "tags": ["[x]", "#"],
        "data": {"dataset": "digits", "root": "C:\\x"},
        "model": {"backbone": "cnn"},
        "augment": {"transforms": transforms},
    }
    text = commented(table)
    crop = '    { name = "random_crop", padding = 4, mode = "reflect" },'
    assert text.splitlines().count(crop) == 3
    assert {key: tomli.loads(text)[key] for key in table} == table
    assert read(tmp_path, text).notes == table["notes"]


def suggested(*settings: str) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in completed(told_by(settings)).items():
        assert put(table, key, value) is None
    assert mistakes(table) == []
    return table


@pytest.mark.parametrize("dataset", ["digits", "cifar10", "caltech101", "folder"])
@pytest.mark.parametrize("training", TRAININGS)
def test_whatever_is_answered_gives_a_preset_without_mistakes(dataset: str, training: Any):
    for backbone in BACKBONES.names():
        if training == "scratch" or "imagenet" in BACKBONES[backbone].weights:
            keys = keys_of(training) | {"data.dataset": dataset, "model.backbone": backbone}
            for epochs in (1, 300):
                suggested(
                    *(f"{key}={value}" for key, value in keys.items()), f"train.epochs={epochs}"
                )
    for policy in POLICIES:
        suggested(f"data.dataset={dataset}", f"augment.policy={policy}")


def test_suggestions_suit_the_images_and_the_weights():
    digits = suggested("data.dataset=digits")
    assert digits["model"]["backbone"] == "cnn"
    assert digits["model"]["options"]["widths"] == [32, 64, 128]
    assert "image_size" not in digits["data"]
    cifar = suggested("data.dataset=cifar10", "model.backbone=resnet18")
    assert (cifar["model"]["weights"], cifar["model"]["options"]) == ("none", {"stem": "small"})
    assert cifar["augment"]["policy"] == "flip-crop"
    folder = suggested("data.dataset=folder", "model.backbone=inception_v3")
    assert folder["data"] == {
        "dataset": "folder",
        "image_size": 299,
        "resize": 341,
        "normalize": "imagenet",
    }
    assert (folder["model"]["weights"], "freeze" in folder) == ("imagenet", False)
    assert folder["augment"]["policy"] == "resized-crop"
    head = suggested("data.dataset=caltech101", "model.backbone=resnet18", "freeze.policy=backbone")
    assert (head["model"]["weights"], head["augment"]["policy"]) == ("imagenet", "none")
    small = suggested("data.dataset=cifar10", "model.backbone=inception_v3")
    assert small["data"]["image_size"] == 299


def test_what_is_told_wins_over_what_is_suggested():
    told = ("optim.name=adamw", "train.batch_size=7", "model.options.widths=[4]", "data.limit=9")
    made = suggested("data.dataset=digits", *told, "augment.transforms=[]", "data.image_size=20")
    assert made["optim"] == {"name": "adamw"}
    assert made["train"]["batch_size"] == 7
    assert made["model"]["options"] == {"widths": [4]}
    assert made["augment"] == {"transforms": []}
    assert made["data"] == {"dataset": "digits", "limit": 9, "image_size": 20}
    assert suggested('data={dataset="digits"}')["data"] == {"dataset": "digits"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("data.dataset=digts",), "did you mean 'digits'?"),
        (("data.dataset=3",), "data.dataset: expected a name, got 3"),
        (("data.dataset=digits", "model.backbone=alexnt"), "did you mean 'alexnet'?"),
        (("data.dataset=digits", "epochs"), "expected SECTION.KEY=VALUE"),
    ],
)
def test_what_nothing_can_be_suggested_for_is_told(settings: tuple[str, ...], told: str):
    with pytest.raises(UserError) as caught:
        suggested(*settings)
    assert told in str(caught.value)
