"""What a run's network says of its images, once it has ended."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from inspect_support import make_images, trained_run
from prepare_support import finish

from cnn_core.errors import UserError
from cnn_core.inspect.evaluation import evaluated, part_images
from cnn_core.inspect.scores import score
from cnn_core.inspect.trained import load_trained
from cnn_core.progress import Remark
from cnn_core.runs.reader import read_summary
from cnn_core.training.predictions import load_predictions, predictions_path

CLASSES = ("ant", "bee", "[cat]")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, cache and one run that has ended."""
    folder = tmp_path_factory.mktemp("inspect")
    make_images(folder / "data" / "images", CLASSES)
    trained_run(folder)
    return folder


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder as it was at the end of the run, to change."""
    copy = shutil.copytree(stored, tmp_path / "copy")
    for computed in (run_of(copy) / "predictions").glob("*-*.npz"):
        computed.unlink()
    return copy


def run_of(folder: Path) -> Path:
    (run_dir,) = (folder / "runs").glob("*-tiny-*")
    return run_dir


def asked(folder: Path, part: str, checkpoint: str = "best"):  # type: ignore[no-untyped-def]
    return finish(
        evaluated(
            run_of(folder),
            part,  # type: ignore[arg-type]
            checkpoint,  # type: ignore[arg-type]
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            device="cpu",
        )
    )


def test_the_network_comes_back_as_it_was_trained(stored: Path) -> None:
    trained = load_trained(run_of(stored))
    assert trained.classes == tuple(sorted(CLASSES))
    assert (trained.image_size, trained.resize) == (16, 18)
    assert not trained.network.module.training
    best = read_summary(run_of(stored))["best"]["epoch"]
    assert trained.epoch == best


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_computed_logits_are_those_of_the_test_at_the_end(
    stored: Path, tmp_path: Path, precision: str
) -> None:
    shutil.copytree(stored / "data", tmp_path / "data")
    run_dir = trained_run(tmp_path, train={"precision": precision}, augment={"test_views": "flip"})
    kept, _ = load_predictions(predictions_path(run_dir, "test", "best"))
    predictions_path(run_dir, "test", "best").unlink()
    again, told = asked(tmp_path, "test")
    assert told
    assert again.names == kept.names
    assert again.classes == kept.classes
    assert (again.labels == kept.labels).all()
    assert np.array_equal(again.logits, kept.logits)


def test_validation_gives_the_figures_of_the_run(stored: Path) -> None:
    summary = read_summary(run_of(stored))
    for checkpoint in ("best", "last"):
        found, _ = asked(stored, "val", checkpoint)
        scores = score(found)
        assert scores.top1 == summary[checkpoint]["val_acc"]
        assert scores.loss == pytest.approx(summary[checkpoint]["val_loss"], rel=1e-6)


def test_the_end_of_a_run_is_read_without_data_or_weights(folder: Path) -> None:
    shutil.rmtree(folder / "data")
    shutil.rmtree(run_of(folder) / "checkpoints")
    found, told = asked(folder, "test")
    assert len(found.names) == 12
    assert not told


def test_what_was_computed_is_kept(folder: Path) -> None:
    first, _ = asked(folder, "train")
    shutil.rmtree(folder / "data")
    again, told = asked(folder, "train")
    assert np.array_equal(first.logits, again.logits)
    assert not told


def test_what_is_kept_of_other_weights_is_computed_anew(folder: Path) -> None:
    first, _ = asked(folder, "val")
    path = run_of(folder) / "checkpoints" / "best.pt"
    state = torch.load(path, weights_only=True)
    state["model"] = {key: value + 0.5 for key, value in state["model"].items()}
    torch.save(state, path)
    again, _ = asked(folder, "val")
    assert not np.allclose(first.logits, again.logits)


def test_changed_data_are_told(folder: Path) -> None:
    changed = next((folder / "data" / "images" / "val" / "ant").iterdir())
    other = next((folder / "data" / "images" / "val" / "bee").iterdir())
    changed.write_bytes(other.read_bytes())
    _, told = asked(folder, "val")
    assert Remark("the data set changed since the run was trained on it", warning=True) in told


def test_other_classes_are_refused(folder: Path) -> None:
    shutil.move(folder / "data" / "images" / "train" / "ant", folder / "moved")
    with pytest.raises(UserError, match="class"):
        asked(folder, "train")


def test_damaged_predictions_are_named(folder: Path) -> None:
    path = predictions_path(run_of(folder), "test", "best")
    for content in (b"", b"PK\3\4 broken", path.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"test\.npz: damaged"):
            asked(folder, "test")


def test_images_of_a_part_are_found_by_name(stored: Path) -> None:
    work = part_images(run_of(stored), "test", data_dir=stored / "data", cache_dir=stored / "cache")
    images, _ = finish(work)
    found, _ = asked(stored, "test")
    assert images.names == found.names
    pixels_HWC = images.find(found.names[3])
    assert pixels_HWC is not None
    assert pixels_HWC.shape == (16, 16, 3)
    assert np.array_equal(pixels_HWC, images.data.images_NHWC[images.positions[3]])
    assert images.find("no such image") is None


def test_a_missing_checkpoint_is_told(folder: Path) -> None:
    shutil.rmtree(run_of(folder) / "checkpoints")
    with pytest.raises(UserError, match="no such checkpoint"):
        asked(folder, "val")
