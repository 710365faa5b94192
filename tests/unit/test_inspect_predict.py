"""Predictions for files that belong to no data set."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from inspect_support import make_images, trained_run
from numpy.typing import NDArray

from cnn_core.datasets.image_files import named_images
from cnn_core.datasets.parallel import usable_cores
from cnn_core.errors import UserError
from cnn_core.inspect.predict import Answer, Unreadable, predict
from cnn_core.inspect.scores import probabilities
from cnn_core.inspect.trained import Trained, load_trained
from cnn_core.training.predictions import load_predictions, predictions_path

CLASSES = ("ant", "bee", "[cat]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data and a run, whose test counts mirrored images too."""
    made = tmp_path_factory.mktemp("predict")
    make_images(made / "data" / "images", CLASSES)
    trained_run(made, augment={"test_views": "flip"})
    return made


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    (run_dir,) = (folder / "runs").glob("*-tiny-*")
    return load_trained(run_dir)


@pytest.fixture
def files(folder: Path) -> list[Path]:
    return named_images([folder / "data" / "images" / "test"])


def shares(answers: Iterator[Answer | Unreadable]) -> NDArray[np.float64]:
    """Return the probabilities (N, classes) of answers, all of which there must be."""
    found = list(answers)
    assert all(isinstance(answer, Answer) for answer in found)
    return np.stack([answer.probabilities for answer in found if isinstance(answer, Answer)])


def with_data(trained: Trained, **changes: int) -> Trained:
    """Return the same network, fed with images of other sizes."""
    data = trained.config.data.model_copy(update=changes)
    return dataclasses.replace(trained, config=trained.config.model_copy(update={"data": data}))


def test_they_are_those_of_the_evaluation_image_by_image(
    folder: Path, trained: Trained, files: Sequence[Path]
) -> None:
    kept, _ = load_predictions(predictions_path(trained.run_dir, "test", "best"))
    expected = dict(zip(kept.names, probabilities(kept.logits), strict=True))
    found = list(predict([trained], files))
    root = folder / "data" / "images"
    assert [answer.file.relative_to(root).as_posix() for answer in found] == sorted(expected)
    for answer in found:
        assert isinstance(answer, Answer)
        name = answer.file.relative_to(root).as_posix()
        np.testing.assert_allclose(answer.probabilities, expected[name], atol=1e-6)


def test_the_best_classes_come_first(trained: Trained, files: Sequence[Path]) -> None:
    for answer in predict([trained], files):
        assert isinstance(answer, Answer)
        best = answer.best(5)
        assert sorted(label for label, _ in best) == [0, 1, 2]
        assert [share for _, share in best] == sorted(answer.probabilities, reverse=True)
        assert answer.best(1) == best[:1]


def test_several_are_asked_as_one_whatever_their_images_and_order(
    trained: Trained, files: Sequence[Path]
) -> None:
    closer = with_data(trained, resize=24)
    larger = with_data(trained, image_size=20, resize=20)
    turned = dataclasses.replace(trained, classes=trained.classes[::-1])
    mean = (
        shares(predict([trained], files))
        + shares(predict([closer], files))
        + shares(predict([larger], files))
        + shares(predict([turned], files))[:, ::-1]
    ) / 4
    together = shares(predict([trained, closer, larger, turned], files))
    np.testing.assert_allclose(together, mean, atol=1e-9)
    assert not np.allclose(together, shares(predict([trained], files)))


def test_other_classes_are_refused(trained: Trained, files: Sequence[Path]) -> None:
    other = dataclasses.replace(trained, classes=("ant", "bee", "cow"))
    with pytest.raises(UserError, match=r"other classes: '\[cat\]' is one of 3"):
        next(predict([trained, other], files))


def test_broken_files_are_told_and_hold_up_no_other(
    trained: Trained, files: Sequence[Path], tmp_path: Path
) -> None:
    many = list(files) * 11
    for place in (0, 63, 64, 70, len(many)):
        broken = tmp_path / f"{place}.jpg"
        broken.write_bytes(files[0].read_bytes()[:100])
        many.insert(place, broken)
    found = list(predict([trained], many))
    assert [answer.file for answer in found] == many
    for answer in found:
        assert isinstance(answer, Unreadable) == (answer.file.parent == tmp_path)
    assert all(answer.why for answer in found if isinstance(answer, Unreadable))
    alone = list(predict([trained], [tmp_path / "0.jpg", tmp_path / "missing.jpg"]))
    assert isinstance(alone[1], Unreadable)
    assert alone[1].why == "No such file or directory"


def test_files_are_read_when_they_are_needed(trained: Trained, files: Sequence[Path]) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield files[0]

    answers = predict([trained], endless())
    next(answers)
    first = taken
    assert first <= 64 + 4 * usable_cores()
    for _ in range(300):
        next(answers)
    assert taken - first <= 320
    answers.close()  # type: ignore[attr-defined]


def test_weights_that_diverged_are_told(folder: Path, files: Sequence[Path]) -> None:
    (run_dir,) = (folder / "runs").glob("*-tiny-*")
    broken = load_trained(run_dir)
    for parameter in broken.network.module.parameters():
        parameter.fill_(float("nan"))
    with pytest.raises(UserError, match="diverged"):
        next(predict([broken], files))


def test_files_and_folders_can_be_named(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.JPG", "b/c/3.webp", "b/notes.txt", "b/.hidden.png", "a.dat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = named_images([tmp_path / "b", tmp_path / "a.dat"])
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["b/1.JPG", "b/2.png", "b/c/3.webp", "a.dat"]


def test_paths_that_are_no_images_are_told(tmp_path: Path) -> None:
    (tmp_path / "flowers").mkdir()
    (tmp_path / "rose.jpg").touch()
    with pytest.raises(UserError, match=r"no file .*rosi\.jpg; did you mean 'rose\.jpg'\?"):
        named_images([tmp_path / "rose.jpg", tmp_path / "rosi.jpg"])
    with pytest.raises(UserError, match=r"no file .*; there is no folder .*nowhere"):
        named_images([tmp_path / "nowhere" / "rose.jpg"])
    with pytest.raises(UserError, match=r"flowers: no image there; expected \.bmp, "):
        named_images([tmp_path / "flowers"])
