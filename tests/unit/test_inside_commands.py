"""What ``filters`` and ``features`` draw and tell, in the tests' own process."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from inspect_support import make_images, trained_run
from PIL import Image
from typer.testing import CliRunner, Result

from cnn_core.training.predictions import load_predictions, predictions_path
from cnn_tui.cli import app

CLASSES = ("ant", "bee")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, cache and one run."""
    folder = tmp_path_factory.mktemp("inside")
    make_images(folder / "data" / "images", CLASSES)
    trained_run(folder, model={"options": {"widths": [4, 70]}})
    return folder


@pytest.fixture(autouse=True)
def _places(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNN_TUI_RUNS", str(stored / "runs"))
    monkeypatch.setenv("CNN_TUI_DATA", str(stored / "data"))
    monkeypatch.setenv("CNN_TUI_CACHE", str(stored / "cache"))
    monkeypatch.chdir(tmp_path)


def call(*arguments: str, rc: int = 0) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == rc, result.output
    return result


def one_of_the_test(stored: Path) -> str:
    """Return the name of an image of the run's test."""
    (run_dir,) = (stored / "runs").glob("*-tiny-*")
    return load_predictions(predictions_path(run_dir, "test", "best"))[0].names[0]


def size_of(file: str) -> tuple[int, int]:
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        return picture.size


def test_convolutions_are_listed():
    rows = json.loads(call("filters", "last", "--list", "--json").stdout)
    assert rows == [
        {"layer": "block1.0", "shape": [4, 3, 3, 3]},
        {"layer": "block2.0", "shape": [70, 4, 3, 3]},
    ]
    lines = [line.split() for line in call("filters", "last", "--list").stdout.splitlines()]
    assert lines == [
        ["layer", "filters", "channels", "size"],
        ["block1.0", "4", "3", "3x3"],
        ["block2.0", "70", "4", "3x3"],
    ]


def test_filters_before_training_stand_beside_those_after_it(stored):
    told = call("filters", "last", "--layer", "block2.0", "--out", "both.png").stderr
    before, after = (
        torch.load(next(stored.glob(f"runs/*/checkpoints/{name}.pt")), weights_only=True)[key]
        for name, key in (("initial", "convolutions"), ("best", "model"))
    )
    start = before["block2.0"]
    moved = (after["block2.0.weight"] - start).norm() / start.norm()
    assert told == (
        f"training moved the weights by {moved:.2%} of their norm\n"
        "wrote both.png: block2.0, 70 filters of 3x3 for 4 channels\n"
    )
    call("filters", "last", "--layer", "block2.0", "--no-initial", "--out", "after.png")
    width, height = size_of("after.png")
    assert size_of("both.png") == (2 * width, height)
    with Image.open("both.png") as both, Image.open("after.png") as after:
        right = np.asarray(both)[:, width:]
        assert np.array_equal(right, np.asarray(after))
        assert not np.array_equal(np.asarray(both)[:, :width], right)


def test_input_channels_are_drawn_below():
    call("filters", "last", "--no-initial", "--out", "plain.png")
    told = call("filters", "last", "--no-initial", "--channels", "--out", "channels.png").stderr
    assert "channels are shown" not in told
    width, height = size_of("plain.png")
    assert size_of("channels.png") == (width, 4 * height)


def test_of_many_input_channels_the_first_are_drawn(tmp_path):
    folder = tmp_path / "wide"
    make_images(folder / "data" / "images", CLASSES, each=4)
    run_dir = trained_run(folder, model={"options": {"widths": [9, 4]}}, train={"epochs": 1})
    told = call(
        "filters", str(run_dir), "--layer", "block2.0", "--channels", "--out", "x.png"
    ).stderr
    assert "\nthe first 8 of 9 input channels are shown\n" in told
    (run_dir / "checkpoints" / "initial.pt").unlink()
    told = call("filters", str(run_dir), "--out", "x.png").stderr
    assert told.startswith(f"{run_dir.name} has not kept its filters from before the training\n")
    told = call("filters", str(run_dir), "--compare", "--out", "x.png", rc=2).stderr
    assert "has not kept its filters from before the training (initial.pt)" in told


def test_an_image_of_the_data_set_is_found_by_its_name(stored):
    name = one_of_the_test(stored)
    told = call("features", "last", name, "--out", "seen.png").stderr
    assert told.startswith(f"{name}: ")
    assert told.count("%") == len(CLASSES)
    assert "block2.0: the 64 strongest of 70 maps are shown\n" in told
    told = call("features", "last", name, "--split", "val", "--out", "x.png", rc=2).stderr
    assert told == f"error: {name}: not among the images of val; try --split test\n"
    told = call("features", "last", f"{name}x", "--out", "x.png", rc=2).stderr
    assert (
        f"no such file, nor an image of that name among the 8 of test; did you mean '{name}'?"
        in (told)
    )


def test_without_the_data_set_the_missing_file_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("CNN_TUI_DATA", str(tmp_path / "nowhere"))
    told = call("features", "last", "x.jpg", "--out", "x.png", rc=2).stderr
    assert told.startswith("error: x.jpg: no such file; as for the run's own images, ")


def test_grad_cam_and_layers_are_drawn_as_asked():
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels_HWC).save("photo.png")
    call("features", "last", "photo.png", "--out", "maps.png")
    call("features", "last", "photo.png", "--layer", "block1.1", "--out", "one.png")
    assert size_of("one.png")[1] < size_of("maps.png")[1]
    layer = ("--layer", "block1.1")
    call("features", "last", "photo.png", *layer, "--class", "bee", "--out", "bee.png")
    assert size_of("bee.png")[0] > size_of("one.png")[0]


def test_where_nothing_speaks_for_a_class_it_is_told(stored, tmp_path):
    (run_dir,) = (stored / "runs").glob("*-tiny-*")
    copy = shutil.copytree(run_dir, tmp_path / run_dir.name)
    path = copy / "checkpoints" / "best.pt"
    state = torch.load(path, weights_only=True)
    state["model"]["fc.weight"].zero_()
    torch.save(state, path)
    Image.new("RGB", (20, 20)).save("black.png")
    told = call("features", str(copy), "black.png", "--class", "bee", "--out", "x.png").stderr
    assert "Grad-CAM: nothing in the image speaks for bee at block2.0\n" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["filters", "last"], "give the picture's name: --out FILE.png"),
        (["filters", "last", "--out", "x.jpg"], "x.jpg: expected a name that ends in .png"),
        (["filters", "last", "--out", "no/x.png"], "no/x.png: there is no folder no"),
        (["filters", "last", "--out", "x.png", "--json"], "--json goes with --list"),
        (["filters", "last", "--out", "x.png", "--layer", "blok1.0"], "did you mean 'block1.0'?"),
        (["filters", "lst", "--out", "x.png"], "no run 'lst'"),
        (["features", "last", "broken", "--out", "x.png"], "broken: not an image"),
        (
            ["features", "last", "photo.png", "--out", "x.png", "--layer", "fc"],
            "no layer with feature maps 'fc'",
        ),
        (
            ["features", "last", "photo.png", "--out", "x.png", "--class", "be"],
            "unknown class 'be'; did you mean 'bee'?",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_a_sentence(arguments, told):
    Path("broken").write_bytes(b"no picture")
    Image.new("RGB", (20, 20)).save("photo.png")
    found = call(*arguments, rc=2)
    assert found.stdout == ""
    assert found.stderr.startswith("error: ")
    assert len(found.stderr.splitlines()) == 1
    assert told in found.stderr
    assert not Path("x.png").exists()
