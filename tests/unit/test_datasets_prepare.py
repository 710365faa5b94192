"""Prepared data: cached once, a cache for each size, right numbers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from prepare_support import finish
from prepared_folder import CORE, caches, decoded, make, run, warnings_of

from cnn_core.config import Data
from cnn_core.datasets import build
from cnn_core.datasets.prepare import prepare
from cnn_core.errors import UserError
from cnn_core.progress import Progress, Remark


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path / "folder")
    return tmp_path / "folder"


def test_pixels_are_those_of_the_files(root: Path) -> None:
    prepared, seen = run(root, resize=10)
    assert prepared.images_NHWC.shape == (12, 8, 8, 3)
    assert prepared.classes == ("c0", "c1")
    for position, name in enumerate(prepared.names):
        expected = np.asarray(fit_by_torchvision(root / name, 10, 8)).astype(int)
        assert np.abs(prepared.images_NHWC[position] - expected).max() <= 1
        assert prepared.classes[prepared.labels[position]] == name.split("/")[0]
    assert isinstance(seen[0], Progress)
    assert any(isinstance(s, Remark) and "12 images of 8x8" in s.text for s in seen)


def fit_by_torchvision(path: Path, resize: int, size: int) -> Image.Image:
    from torchvision.transforms import functional

    with Image.open(path) as image:
        return functional.center_crop(functional.resize(image, [resize]), [size])


def test_a_second_start_decodes_reads_and_measures_nothing(root: Path) -> None:
    for file in root.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    first, seen = run(root)
    assert decoded(seen) == 12
    second, seen = run(root)
    assert not seen
    assert np.array_equal(first.images_NHWC, second.images_NHWC)
    assert first.fingerprint == second.fingerprint
    assert np.array_equal([first.mean, first.std], [second.mean, second.std])


def test_what_was_measured_is_that_of_its_training_images(root: Path) -> None:
    first, _ = run(root)
    other, seen = run(root, split_seed=1)
    assert {s.what for s in seen} >= {"measuring images"}
    train = other.images_NHWC[other.train] / 255
    np.testing.assert_allclose(other.mean, train.mean(axis=(0, 1, 2)), rtol=1e-6)
    assert not np.array_equal(first.mean, other.mean)


def test_new_times_are_a_hit_new_content_is_not(root: Path) -> None:
    first, _ = run(root)
    os.utime(root / "c0/0.png", (1e9, 1e9))
    second, seen = run(root)
    assert decoded(seen) == 0
    assert first.fingerprint == second.fingerprint
    Image.new("RGB", (12, 12), "white").save(root / "c0/0.png")
    third, seen = run(root)
    assert decoded(seen) == 12
    assert third.fingerprint != first.fingerprint
    assert (third.images_NHWC[third.names.index("c0/0.png")] == 255).all()


def test_sizes_have_caches_of_their_own(root: Path) -> None:
    run(root)
    assert decoded(run(root, resize=9)[1]) == 12
    assert decoded(run(root, image_size=9)[1]) == 12
    assert decoded(run(root)[1]) == 0
    assert len(caches(root)) == 3


def test_limit_decodes_only_what_is_used(root: Path) -> None:
    prepared, seen = run(root, limit=2)
    assert decoded(seen) == len(prepared.names) == 6
    parts = np.concatenate([prepared.train, prepared.val, prepared.test])
    assert sorted(parts) == list(range(6))
    whole, _ = run(root)
    assert {prepared.names[i] for i in prepared.test} <= {whole.names[i] for i in whole.test}


def test_mean_and_std_are_those_of_the_training_images(tmp_path: Path) -> None:
    prepared, _ = finish(prepare(Data(dataset="digits"), tmp_path, tmp_path))
    train = prepared.images_NHWC[prepared.train] / 255
    np.testing.assert_allclose(prepared.mean, train.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(prepared.std, train.std(axis=(0, 1, 2)), rtol=1e-6)
    assert prepared.mean.dtype == prepared.std.dtype == np.float32


def test_mean_and_std_of_bright_images_taller_than_a_block(root: Path) -> None:
    prepared, _ = run(root, image_size=300, classes=["c1"])
    train = prepared.images_NHWC[prepared.train] / 255
    np.testing.assert_allclose(prepared.mean, train.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(prepared.std, train.std(axis=(0, 1, 2)), rtol=1e-6)


def test_a_constant_channel_can_be_divided_by(root: Path) -> None:
    for file in root.rglob("*.png"):
        Image.new("RGB", (9, 9), (255, 7, 0)).save(file)
    prepared, _ = run(root)
    np.testing.assert_allclose(prepared.mean, [1, 7 / 255, 0], rtol=1e-6)
    assert prepared.std.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("normalize", "mean", "std"),
    [
        ("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("half", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("none", (0, 0, 0), (1, 1, 1)),
    ],
)
def test_other_normalisations(
    tmp_path: Path, normalize: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    data = Data.model_validate({"dataset": "digits", "normalize": normalize})
    prepared, seen = finish(prepare(data, tmp_path, tmp_path))
    np.testing.assert_array_equal(prepared.mean, np.array(mean, np.float32))
    np.testing.assert_array_equal(prepared.std, np.array(std, np.float32))
    assert not seen


def test_arrays_are_cached_only_when_they_are_resized(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain, _ = finish(prepare(Data(dataset="digits"), tmp_path, cache))
    assert not list(cache.glob("*/pixels.npy"))
    large, seen = finish(prepare(Data(dataset="digits", image_size=16), tmp_path, cache))
    assert large.images_NHWC.shape == (1797, 16, 16, 3)
    assert decoded(seen) == 1797
    expected = Image.fromarray(plain.images_NHWC[5]).resize((16, 16), Image.Resampling.BILINEAR)
    assert np.abs(large.images_NHWC[5] - np.asarray(expected).astype(int)).max() <= 1
    assert large.fingerprint == plain.fingerprint


def test_resize_below_the_default_size(root: Path) -> None:
    with pytest.raises(UserError, match=r"data\.resize: 100 is below the image size, 224"):
        run(root, image_size=None, resize=100)


def test_decoded_pixels_are_mapped_and_a_lack_of_memory_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, seen = run(root)
    assert isinstance(prepared.images_NHWC, np.memmap)
    assert not any(isinstance(s, Remark) and "wait for the disk" in s.text for s in seen)
    memory = psutil.virtual_memory()._replace(available=12 * 8 * 8 * 3 * 2 - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert any(isinstance(s, Remark) and "wait for the disk" in s.text for s in run(root)[1])


def test_closing_the_generator_leaves_no_part(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "IMAGES_A_TASK", 1)
    steps = prepare(Data(dataset="folder", image_size=8), root.parent, root.parent / "cache")
    while getattr(next(steps), "what", "") != "decoding images":
        pass
    steps.close()
    assert not list((root.parent / "cache").glob("*.part"))
    assert decoded(run(root)[1]) == 12


def test_two_preparations_in_one_thread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "IMAGES_A_TASK", 1)
    data = Data(dataset="folder", image_size=8, test_fraction=0.4)
    steps = [prepare(data, root.parent, root.parent / "cache") for _ in range(2)]
    while getattr(next(steps[0]), "what", "") != "decoding images":
        pass
    while not getattr(next(steps[1]), "what", "").startswith("waiting"):
        pass
    one, _ = finish(steps[0])
    two, seen = finish(steps[1])
    assert decoded(seen) == 0
    assert np.array_equal(one.images_NHWC, two.images_NHWC)


def test_hostile_names_are_cached(root: Path) -> None:
    name = "c0/\x1b[31m sur\udcff日.png"
    (root / "c0/0.png").rename(root / name)
    (root / "c0/bad\udcfe.png").write_bytes(b"?")
    prepared, _ = run(root, on_corrupt="skip")
    assert name in prepared.names
    again, seen = run(root, on_corrupt="skip")
    assert decoded(seen) == 0
    assert [image.name for image in again.corrupt] == ["c0/bad\udcfe.png"]
    (cache,) = caches(root)
    assert json.loads((cache / "meta.json").read_bytes())["corrupt"]


def test_nothing_imports_torch_before_it_is_needed() -> None:
    code = (
        "import sys; from cnn_core.datasets.catalog import DATASETS; DATASETS.names();"
        "import cnn_core.datasets.prepare;"
        "assert not {'torch', 'sklearn', 'torchvision'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CORE)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_images_that_train_and_are_held_out_are_told(root: Path) -> None:
    for part in ("train", "val", "test"):
        make(root / part, each=3 if part == "train" else 0)
    for place in ("test/c0/a.png", "test/c0/b.png", "val/c1/[b].png", "train/c1/same.png"):
        shutil.copy(root / "train/c0/0.png", root / place)
    noise = np.random.default_rng(9).integers(0, 256, (9, 9, 3), np.uint8)
    for place in ("test/c1/new.png", "val/c0/other.png"):
        Image.fromarray(noise).save(root / place)
    shutil.rmtree(root / "c0")
    shutil.rmtree(root / "c1")
    for file in root.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    for _ in range(2):  # the second time from what was noted
        _, seen = run(root)
        leak, confusion = warnings_of(seen)
        assert leak.startswith(
            "1 of 2 validation images and 2 of 3 test images are training images too, byte for "
            "byte (such as 'val/c1/[b].png' and 'train/c0/0.png'): accuracy"
        )
        assert confusion.startswith("2 images are in more than one class, byte for byte (such as ")
    assert decoded(seen) == 0


def test_copies_in_one_part_and_class_are_no_fault(root: Path) -> None:
    shutil.copy(root / "c0/0.png", root / "c0/again.png")
    _, seen = run(root, test_fraction=0.0, val_fraction=0.0)
    assert not warnings_of(seen)
