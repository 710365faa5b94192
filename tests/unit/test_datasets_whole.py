"""Training images kept whole: one after another, beside the squares, made once."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prepare_support import finish

from cnn_core.config import Data
from cnn_core.datasets.prepare import Prepared, prepare
from cnn_core.datasets.whole import WholeImages
from cnn_core.errors import UserError
from cnn_core.preset_mistakes import mistakes
from cnn_core.progress import Remark


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in range(2):
        folder = tmp_path / f"folder/c{label}"
        folder.mkdir(parents=True)
        for i in range(8):
            pixels = rng.integers(0, 256, (9 + i, 12 + 2 * label, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    for file in tmp_path.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    return tmp_path / "folder"


def run(root: Path, **keys: Any) -> tuple[Prepared, list[Any]]:
    keys = {"dataset": "folder", "image_size": 8, "test_fraction": 0.4, "whole": True, **keys}
    return finish(prepare(Data(**keys), root.parent, root.parent / "cache"))


def image(whole: WholeImages, position: int) -> np.ndarray:
    height, width = whole.sizes[position]
    start = whole.offsets[position]
    return whole.pixels[start : start + 3 * height * width].reshape(height, width, 3)


def told(root: Path, name: str) -> np.ndarray:
    with Image.open(root / name) as file:
        return np.asarray(file)


def test_training_images_are_whole_and_the_others_are_not_kept(root: Path) -> None:
    prepared, seen = run(root)
    whole = prepared.whole
    assert whole is not None
    assert len(whole.sizes) == len(whole.offsets) == len(prepared.names) == 16
    for position in prepared.train:
        assert np.array_equal(image(whole, position), told(root, prepared.names[position]))
    others = np.concatenate([prepared.val, prepared.test])
    assert not whole.sizes[others].any()
    assert isinstance(whole.pixels, np.memmap)
    assert any(
        isinstance(s, Remark) and f"{len(prepared.train)} whole training images need" in s.text
        for s in seen
    )
    plain, _ = run(root, whole=False)
    assert plain.whole is None
    assert np.array_equal(plain.images_NHWC, prepared.images_NHWC)


def test_they_are_decoded_once_for_a_split(root: Path) -> None:
    first, _ = run(root)
    again, seen = run(root)
    assert not seen
    assert first.whole is not None
    assert again.whole is not None
    assert np.array_equal(first.whole.pixels, again.whole.pixels)
    other, seen = run(root, split_seed=1)
    assert any(isinstance(s, Remark) for s in seen)
    assert other.whole is not None
    assert np.flatnonzero(other.whole.sizes[:, 0]).tolist() == other.train.tolist()


def test_large_images_are_scaled_down_to_twice_resize(root: Path) -> None:
    Image.new("RGB", (100, 40), "red").save(root / "c0/0.png")
    Image.new("RGB", (30, 201), "red").save(root / "c0/1.png")
    Image.new("RGB", (20, 90), "red").save(root / "c0/2.png")
    prepared, _ = run(root, resize=10, test_fraction=0, val_fraction=0)
    assert prepared.whole is not None
    sizes = dict(zip(prepared.names, prepared.whole.sizes.tolist(), strict=True))
    assert sizes["c0/0.png"] == [20, 50]
    assert sizes["c0/1.png"] == [134, 20]
    assert sizes["c0/2.png"] == [90, 20]
    assert (image(prepared.whole, 0) == (255, 0, 0)).all()


def test_turned_images_are_upright(root: Path) -> None:
    pixels = np.zeros((6, 14, 3), np.uint8)
    pixels[:, :7] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(root / "c0/0.png", exif=exif)
    prepared, _ = run(root, test_fraction=0, val_fraction=0)
    assert prepared.whole is not None
    assert np.array_equal(image(prepared.whole, 0), np.rot90(pixels, -1))


def test_corrupt_images_are_not_kept(root: Path) -> None:
    plain, _ = run(root)
    bad = plain.train[1]
    (root / plain.names[bad]).write_bytes(b"?")
    prepared, _ = run(root, on_corrupt="skip")
    assert prepared.whole is not None
    assert not prepared.whole.sizes[bad].any()
    for position in prepared.train:
        assert np.array_equal(image(prepared.whole, position), told(root, prepared.names[position]))


def test_images_that_are_gone_when_they_are_decoded_again_are_corrupt(root: Path) -> None:
    data = Data(dataset="folder", image_size=8, test_fraction=0.4, whole=True, on_corrupt="skip")
    steps = prepare(data, root.parent, root.parent / "cache")
    while getattr(next(steps), "what", "") != "measuring files":
        pass
    for file in (root / "c0").glob("*.png"):
        file.write_bytes(b"")
    prepared, seen = finish(steps)
    assert prepared.whole is not None
    assert {prepared.names[i].split("/")[0] for i in prepared.train} == {"c1"}
    assert all(image.name.startswith("c0/") for image in prepared.corrupt)
    assert len(prepared.corrupt) > 1
    assert any(isinstance(s, Remark) and s.warning for s in seen)


def test_a_disk_that_is_too_small_for_whole_images(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root, whole=False)
    usage = shutil.disk_usage(root)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"whole training images need \d+\.\d MB .* CNN_TUI_CACHE"):
        run(root)


def test_arrays_are_whole_already(tmp_path: Path) -> None:
    data = Data(dataset="digits", image_size=16, whole=True)
    prepared, _ = finish(prepare(data, tmp_path, tmp_path / "cache"))
    plain, _ = finish(prepare(Data(dataset="digits"), tmp_path, tmp_path / "cache"))
    assert prepared.whole is not None
    for position in (0, 1796):
        assert np.array_equal(image(prepared.whole, position), plain.images_NHWC[position])


@pytest.mark.parametrize(
    ("augment", "found"),
    [
        ({}, "here there is none"),
        ({"policy": "flip-crop"}, "here 'horizontal_flip' is"),
        ({"transforms": []}, "here there is none"),
        ({"transforms": [{"name": "random_crop"}]}, "here 'random_crop' is"),
        (
            {"transforms": [{"name": "horizontal_flip"}, {"name": "random_resized_crop"}]},
            "here 'horizontal_flip' is",
        ),
        ({"policy": "resized-crop"}, None),
        ({"transforms": [{"name": "random_resized_crop"}]}, None),
    ],
)
def test_whole_images_need_a_crop_that_comes_first(augment: dict, found: str | None) -> None:
    table = {
        "data": {"dataset": "digits", "whole": True},
        "model": {"backbone": "cnn"},
        "augment": augment,
    }
    (*wrong,) = mistakes(table)
    if found is None:
        assert not wrong
    else:
        (mistake,) = wrong
        assert mistake.key == "data.whole"
        assert "needs random_resized_crop as the first transform" in mistake.message
        assert found in mistake.message
    assert not mistakes({**table, "data": {"dataset": "digits"}})


@pytest.mark.parametrize(
    "augment", [{"policy": "flup"}, {"policy": []}, {"transforms": [3]}, {"transforms": "x"}]
)
def test_other_mistakes_are_told_alone(augment: Any) -> None:
    table = {"data": {"dataset": "digits", "whole": True}, "model": {"backbone": "cnn"}}
    wrong = mistakes({**table, "augment": augment})
    assert wrong
    assert all(mistake.key.startswith("augment") for mistake in wrong)
