"""evaluate, predict, preview: commands that ask a trained network, or show what one is fed."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspect_support import PRESET, make_images, trained_run
from PIL import Image

from cnn_core.runs.reader import read_summary
from cnn_tui.cli import app

CLASSES = ("ant", "bee", "[cat]")
# Exit code, stdout, stderr.
Answer = tuple[int, str, str]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, cache, and a run that has ended."""
    made = tmp_path_factory.mktemp("inside")
    make_images(made / "data" / "images", CLASSES)
    trained_run(made)
    return made


@pytest.fixture
def run_dir(folder: Path) -> Path:
    (found,) = (folder / "runs").glob("*-tiny-*")
    return found


@pytest.fixture
def ask(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The command line over the folder."""

    def answer(*arguments: str | Path, at: Path = folder) -> Answer:
        for name, place in (("RUNS", "runs"), ("DATA", "data"), ("CACHE", "cache")):
            monkeypatch.setenv(f"CNN_TUI_{name}", str(at / place))
        with pytest.raises(SystemExit) as end:
            app([str(argument) for argument in arguments], prog_name="cnn-tui")
        told = capsys.readouterr()
        return int(end.value.code or 0), told.out, told.err

    return answer


def document(answer: Answer, code: int = 0) -> Any:
    assert answer[0] == code, answer[2]
    return json.loads(answer[1])


def table(text: str, head: str) -> list[list[str]]:
    """Return the words of the rows below the line that begins with ``head``."""
    (block,) = (part for part in text.split("\n\n") if part.lstrip().startswith(head))
    return [line.split() for line in block.splitlines()[1:]]


def test_an_evaluation_starts_with_its_figures(ask: Ask, run_dir: Path) -> None:
    code, out, err = ask("evaluate", "last")
    assert (code, err) == (0, "")
    summary = read_summary(run_dir)
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert lines[0] == ["run", run_dir.name]
    assert lines[1] == ["weights", f"best, epoch {summary['best']['epoch']}"]
    assert lines[2] == ["images", "12 of test, 3 classes"]
    assert lines[3] == ["top-1", f"{summary['test']['acc']:.2%}"]
    assert max(map(len, out.splitlines())) <= 80


def test_classes_are_listed_worst_first(ask: Ask) -> None:
    rows = table(ask("evaluate", "last")[1], "class ")
    assert sorted(row[0] for row in rows) == sorted(CLASSES)
    recalls = [float(row[1].removesuffix("%")) for row in rows]
    assert recalls == sorted(recalls)


def test_few_classes_are_confused_in_a_matrix_and_many_in_a_list(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = document(ask("evaluate", "last", "--json"))["confusion"]
    matrix = table(ask("evaluate", "last")[1], "is \\ taken for")
    assert [[0 if cell == "·" else int(cell) for cell in row[2:]] for row in matrix] == whole
    monkeypatch.setattr("cnn_tui.evaluation_text._MATRIX", 2)
    listed = table(ask("evaluate", "last")[1], "images ")
    assert sum(int(row[0]) for row in listed) == np.sum(whole) - np.trace(whole)


def test_an_evaluation_for_programs_is_one_document(ask: Ask, run_dir: Path) -> None:
    found = document(ask("evaluate", run_dir.name[:15], "--json", "--images", "3"))
    summary = read_summary(run_dir)
    assert found["run"] == run_dir.name
    assert (found["split"], found["checkpoint"]) == ("test", "best")
    assert found["top1"] == summary["test"]["acc"]
    assert found["loss"] == pytest.approx(summary["test"]["loss"])
    assert [one["name"] for one in found["classes"]] == sorted(CLASSES)
    assert len(found["mistakes"]) <= 3
    assert len(found["least_certain"]) == 3


def test_other_parts_and_weights_are_evaluated(ask: Ask, run_dir: Path) -> None:
    summary = read_summary(run_dir)
    for checkpoint in ("best", "last"):
        found = document(
            ask("evaluate", "last", "--split", "val", "--checkpoint", checkpoint, "--json")
        )
        assert found["top1"] == summary[checkpoint]["val_acc"]
        assert found["epoch"] == summary[checkpoint]["epoch"]


def test_classes_as_csv(ask: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("evaluate", "last", "--csv")[1])))
    found = document(ask("evaluate", "last", "--json"))["classes"]
    assert [(row["class"], float(row["f1"])) for row in rows] == [
        (one["name"], one["f1"]) for one in found
    ]


def test_mistakes_are_drawn(ask: Ask, folder: Path) -> None:
    file = folder / "mistakes.png"
    code, out, err = ask("evaluate", "last", "--pictures", file, "--images", "2", "--json")
    assert (code, err) == (0, f"wrote {file}\n")
    count = len(json.loads(out)["mistakes"])
    with Image.open(file) as image:
        assert image.width > 2 * 160
        assert image.height > (2 if count else 1) * 160


def test_images_that_are_gone_cannot_be_drawn(ask: Ask, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "data" / "images" / "test" / "bee" / "02.jpg").unlink()
    file = tmp_path / "mistakes.png"
    code, out, err = ask("evaluate", "last", "--pictures", file, "--images", "12", at=copy)
    assert (code, out) == (2, "")
    assert err.endswith("error: image test/bee/02.jpg: the data set no longer has it\n")
    assert not file.exists()


def test_a_run_without_test_images_says_what_there_is(ask: Ask, tmp_path: Path) -> None:
    make_images(tmp_path / "data" / "images", CLASSES, each=8)
    shutil.rmtree(tmp_path / "data" / "images" / "test")
    name = trained_run(tmp_path, data={"test_fraction": 0.0}, train={"epochs": 1}).name
    code, out, err = ask("evaluate", "last", at=tmp_path)
    assert (code, out) == (2, "")
    assert err == (f"error: run {name}: its data set has no test images; there are train, val\n")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--split", "tst"], "--split: unknown 'tst'; did you mean 'test'?"),
        (["--checkpoint", "first"], "--checkpoint: unknown 'first'; expected one of: best, last"),
        (["--pictures", "a.jpg"], "a.jpg: expected a name that ends in .png"),
        (["--pictures", "no/a.png"], "no/a.png: there is no folder no"),
        (["--json", "--csv"], "give one of --json and --csv"),
        (["--split", "train", "--device", "gpu"], "unknown device 'gpu'"),
    ],
)
def test_mistakes_in_asking_are_told(ask: Ask, options: list[str], told: str) -> None:
    code, out, err = ask("evaluate", "last", *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {told}")


def test_images_are_predicted_as_they_are_evaluated(ask: Ask, folder: Path) -> None:
    mistakes = document(ask("evaluate", "last", "--json", "--images", "12"))["least_certain"]
    found = document(ask("predict", "last", folder / "data" / "images" / "test", "--json"))
    assert found["failed"] == []
    tops = {image["image"]: image["top"] for image in found["images"]}
    assert len(tops) == len(mistakes) == 12
    for one in mistakes:
        best, second, third = tops[str(folder / "data" / "images" / one["image"])]
        assert best["class"] == one["predicted"]
        assert best["probability"] == pytest.approx(one["probability"], abs=1e-6)
        assert second["probability"] == pytest.approx(one["second_probability"], abs=1e-6)
        assert best["probability"] + second["probability"] + third["probability"] == (
            pytest.approx(1)
        )


def test_one_image_is_a_line(ask: Ask, folder: Path) -> None:
    image = folder / "data" / "images" / "test" / "[cat]" / "00.jpg"
    code, out, _ = ask("predict", "last", image)
    assert code == 0
    head, line = out.splitlines()
    assert head.split() == ["image", "class", "probability", "then"]
    assert line.startswith(str(image))
    assert all(name in line for name in CLASSES)


def test_a_run_with_itself_says_the_same(ask: Ask, folder: Path, run_dir: Path) -> None:
    image = folder / "data" / "images" / "test" / "bee" / "00.jpg"
    alone = document(ask("predict", "last", image, "--json"))
    twice = document(ask("predict", "last", image, "--with", run_dir, "--json"))
    assert alone["images"] == twice["images"]
    assert [one["id"] for one in twice["runs"]] == [run_dir.name] * 2


def test_broken_images_are_told_and_the_others_predicted(
    ask: Ask, folder: Path, tmp_path: Path
) -> None:
    good = folder / "data" / "images" / "test" / "ant" / "00.jpg"
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8 no more")
    code, out, err = ask("predict", "last", bad, good, "--json")
    assert code == 1
    found = json.loads(out)
    assert [image["image"] for image in found["images"]] == [str(good)]
    assert [image["image"] for image in found["failed"]] == [str(bad)]
    assert err.splitlines()[0] == f"warning: {bad}: {found['failed'][0]['why']}"
    assert err.splitlines()[1] == "1 of 2 images could not be read"


def test_a_path_that_is_not_there_is_told_before_anything_else(ask: Ask, folder: Path) -> None:
    good = folder / "data" / "images" / "test" / "ant" / "00.jpg"
    code, out, err = ask("predict", "last", good, good.with_name("000.jpg"))
    assert (code, out) == (2, "")
    assert err == f"error: no file {good.with_name('000.jpg')}; did you mean '00.jpg'?\n"


def test_a_preview_decodes_only_what_it_shows(
    ask: Ask, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(folder / "data")
    preset = tmp_path / "tiny.toml"
    preset.write_text(
        '[data]\ndataset = "folder"\nroot = "images"\nimage_size = 16\nwhole = true\n'
        '[model]\nbackbone = "cnn"\n[augment]\npolicy = "resized-crop"\n'
    )
    file = tmp_path / "preview.png"
    options = ("--out", file, "--images", "2", "--draws", "3")
    code, out, err = ask("preview", preset, *options, at=tmp_path)
    assert (code, out, err) == (0, "", f"wrote {file}\n")
    with Image.open(file) as image:
        # An image and its draws in a row, each 16 pixels eight times as large.
        assert 4 * 128 < image.width < 5 * 128
        assert 2 * 128 < image.height < 3 * 128
        first = np.asarray(image)
    assert not (tmp_path / "cache").exists()
    ask("preview", preset, *options, "--seed", "1", at=tmp_path)
    with Image.open(file) as image:
        assert not np.array_equal(first, np.asarray(image))
    assert PRESET["data"]["root"] == "images"
