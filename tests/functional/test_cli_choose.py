"""presets, datasets, backbones, summary, split, doctor: what there is, before training."""

import json
import os
import re
from pathlib import Path

import pytest

real_data = pytest.mark.skipif(
    not Path(os.environ.get("CNN_TUI_DATA", ""), "caltech101/train.txt").is_file(),
    reason="CNN_TUI_DATA names no folder with caltech101 and its train.txt",
)


@pytest.mark.parametrize("command", ["datasets", "backbones"])
def test_what_there_is_to_choose_from(cli, command):
    rows = cli.json(command)
    names = [row["name"] for row in rows]
    assert names == sorted(set(names))
    assert set(names) & {"digits", "alexnet"}
    text = cli(command).stdout
    assert all(f"\n{name} " in text for name in names)


def test_presets_are_listed_by_data_set(cli):
    rows = cli.json("presets")
    assert rows[0].keys() == {"name", "dataset", "backbone", "epochs", "notes", "path"}
    places = [(row["dataset"], row["name"]) for row in rows]
    assert places == sorted(set(places))
    lines = cli("presets").stdout.splitlines()
    headings = [line for line in lines if line and " " not in line]
    assert headings == list(dict.fromkeys(dataset for dataset, _ in places))
    names = [line.split()[0] for line in lines[1:] if " " in line]
    assert names == [name for _, name in places]
    assert ("caltech101", "vgg16") in places


@pytest.mark.parametrize("command", [["sweeps", "--shipped"], ["reproduce"]], ids=" ".join)
def test_who_lists_shipped_files_learns_where_they_are(cli, command):
    path = Path(cli.json(*command)[0]["path"])
    assert path.exists()
    assert f"copy a file of {path.parent}\n" in cli(*command).stderr


def test_the_layer_table_gives_the_published_figures_for_programs(cli):
    document = cli.json("summary", "--backbone", "alexnet", "--classes", "1000")
    assert document["total"] == 61_100_840
    assert f"{document['params_mb']:.2f}" == "233.08"
    assert f"{document['input_mb']:.2f}" == "0.57"


def test_the_layer_table_gives_the_published_figures_for_people(cli):
    text = cli("summary", "--backbone", "vgg16", "--classes", "1000").stdout
    totals = dict(re.split(r" +(?=\d)", line, maxsplit=1) for line in text.splitlines()[-7:])
    assert totals == {
        "total parameters": "138,357,544",
        "trainable": "138,357,544",
        "not trainable": "0",
        "input": "0.57 MB",
        "forward/backward": "218.78 MB",
        "parameters": "527.79 MB",
        "estimated total": "747.15 MB",
    }


def test_the_summary_of_a_preset_knows_what_is_frozen(cli):
    document = cli.json("summary", "vgg16", "--set", "freeze.policy=convolutional")
    convolutional = 14_714_688
    head = 4096 * 101 + 101
    assert document["frozen"] == convolutional
    assert document["total"] == 138_357_544 - (4096 * 1000 + 1000) + head
    assert document["trainable"] == document["total"] - convolutional
    stages = {row["name"]: row["trainable"] for row in document["stages"]}
    assert stages["head"] == head


def test_the_summary_tells_what_a_step_of_the_preset_needs(cli):
    document = cli.json("summary", "digits")
    step = document["step_memory"]
    assert document["batch_size"] == step["batch_size"] == 64
    assert document["optimizer"] == "sgd"
    assert step["gradients_bytes"] == step["optimizer_bytes"] == 4 * document["trainable"]
    assert step["images_bytes"] == 64 * 8 * 8 * 3 * (1 + 4)
    one = cli.json("summary", "digits", "--batch-size", "1")
    assert one["step_memory"]["batch_size"] == 1
    assert one["step_memory"]["peak_bytes"] < step["peak_bytes"]
    assert document["input_mb"] == pytest.approx(64 * one["input_mb"])
    auto = cli("summary", "digits", "--set", "train.batch_size=auto")
    assert "the memory is that of one image" in " ".join(auto.stderr.split())
    assert "step of 1 image " in auto.stdout


def test_freezing_policies_of_a_backbone_are_compared_by_summary(cli):
    def peak(*options):
        document = cli.json("summary", "--backbone", "resnet18", "--batch-size", "8", *options)
        return document["step_memory"]["peak_bytes"]

    assert peak() > peak("--freeze", "first:3") > peak("--freeze", "backbone")
    text = cli("summary", "--backbone", "resnet18", "--freeze", "first:2").stdout
    assert re.search(r"\nlayer1 +\[-1, 64, 56, 56\] +147,968 +0 +frozen\n", text)
    assert re.search(r"\nlayer4 +\[-1, 512, 7, 7\] +8,393,728 +8,393,728 +trains\n", text)
    wrong = cli("summary", "--backbone", "resnet18", "--freeze", "backbon", rc=2)
    assert "--freeze: unknown policy 'backbon'; did you mean 'backbone'?" in wrong.stderr
    wrong = cli("summary", "digits", "--freeze", "backbone", rc=2)
    assert "--set freeze.policy=backbone" in wrong.stderr


def test_the_summary_warns_of_another_normalisation(cli):
    def told(normalize):
        done = cli("summary", "vgg16", "--set", f"data.normalize={normalize}")
        return " ".join(done.stderr.split())

    assert told("imagenet") == ""
    assert told("dataset") == (
        'warning: data.normalize = "dataset", but the imagenet weights of vgg16 were trained '
        'with "imagenet"'
    )


def test_backbones_tell_size_accuracy_and_where_the_weights_are(cli):
    rows = {row["name"]: row for row in cli.json("backbones")}
    alexnet, own = rows["alexnet"], rows["cnn"]
    assert (alexnet["parameters"], alexnet["image_size"]) == (61_100_840, 224)
    assert (alexnet["top1"], alexnet["normalize"]) == (0.56522, "imagenet")
    assert alexnet["weights"]["imagenet"] in ("cached", "network")
    assert (own["weights"], own["normalize"], own["top1"]) == ({}, None, None)
    assert own["options"]
    lines = cli("backbones", "alexnet").stdout.splitlines()
    assert lines[0].split()[:6] == ["name", "parameters", "size", "smallest", "imagenet", "top-1"]
    assert lines[1].split()[:4] == ["alexnet", "61,100,840", "224", "63"]
    assert "0.565" in lines[1]


def test_of_many_models_of_timm_only_the_names_are_listed(cli):
    pytest.importorskip("timm")
    done = cli("backbones", "timm:*")
    assert "a narrower pattern" in done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 1000
    assert lines[1].split()[1:6] == ["–"] * 5
    rows = cli.json("backbones", "timm:*")
    assert [row["name"] for row in rows] == [line.split()[0] for line in lines[1:]]
    assert rows[0]["parameters"] is None


def test_the_split_of_the_digits(cli):
    document = cli.json("split", "digits")
    assert document["classes"] == 10
    assert sum(document["totals"].values()) == 1797
    assert sum(row["train"] for row in document["rows"]) == document["totals"]["train"]
    lines = cli("split", "digits", fresh=True).stdout.splitlines()
    assert lines[0].split() == ["label", "class", "train", "val", "test", "total"]
    assert len(lines) == 12
    assert lines[-1].split()[0:2] == ["10", "classes"]
    assert lines[-1].split()[-1] == "1797"


@real_data
def test_the_split_of_caltech_101_is_the_published_one(cli):
    cli.env["CNN_TUI_DATA"] = os.environ["CNN_TUI_DATA"]
    document = cli.json("split", "caltech101-alexnet-scratch")
    assert document["totals"] == {"train": 2892, "val": 2892, "test": 2893}
    assert document["classes"] == 101
    rows = document["rows"]
    assert (rows[1]["train"], rows[1]["val"]) == (267, 267)
    assert (rows[4]["train"], rows[4]["val"]) == (15, 16)


def test_doctor_finds_this_machine_fit(cli):
    done = cli("doctor", "--json", fresh=True)
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks.keys() >= {"python", "torch", "memory", "data folder", "runs folder", "data sets"}
    assert all(check["state"] in ("ok", "warning") for check in checks.values())
    assert checks["data sets"]["finding"] == "digits"
    assert all(check["remedy"] for check in checks.values() if check["state"] == "warning")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_doctor_fails_where_runs_cannot_be_written(cli):
    cli.runs.mkdir(mode=0o500)
    done = cli("doctor", "--json", rc=1)
    failed = [check for check in json.loads(done.stdout) if check["state"] == "failure"]
    assert [check["name"] for check in failed] == ["runs folder"]


def test_datasets_tells_what_is_here_missing_or_unusable(cli):
    cli.make_images(cli.data / "caltech101" / "101_ObjectCategories", ["ant", "bee"], 1)
    (cli.data / "caltech256" / "256_ObjectCategories" / "001.ak47").mkdir(parents=True)
    rows = {row["name"]: row for row in cli.json("datasets")}
    assert rows["digits"]["state"] == rows["caltech101"]["state"] == "here"
    assert rows["cifar10"]["state"] == "missing"
    assert "cnn-tui datasets --download cifar10" in rows["cifar10"]["why"]
    assert rows["caltech256"]["state"] == "unusable"
    assert "no image in class folder '001.ak47'" in rows["caltech256"]["why"]
