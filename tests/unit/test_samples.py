"""A few training images before and after their random changes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core.augment.catalog import POLICIES
from cnn_core.config import Augment, Data
from cnn_core.datasets.index import TRAIN, Index, index_of_files
from cnn_core.errors import UserError
from cnn_core.training.samples import Picture, samples, some_pictures
from cnn_tui.preview_parts import shrunk

WHITE, BLACK = (np.full((32, 32, 3), level, dtype=np.uint8) for level in (255, 0))
RED, GREEN = [255, 0, 0], [0, 255, 0]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("count", [1, 4])
def test_samples_of_every_policy(policy, count):
    rng = np.random.default_rng(0)
    pictures = [Picture(i, rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)) for i in range(count)]
    classes = [f"class {i}" for i in range(count)]
    found = samples(pictures, Augment(policy=policy), classes, draws=3, seed=3)
    assert [sample.label for sample in found] == classes
    for sample, picture in zip(found, pictures, strict=True):
        assert np.array_equal(sample.before_HWC, picture.square_HWC)
        assert sample.after_NHWC.shape == (3, 40, 40, 3)
        assert len(sample.after_labels) == 3
        if not policy.endswith("mix") and not policy.endswith("mixup"):
            assert set(sample.after_labels) == {sample.label}


def test_mixed_images_tell_the_shares_of_their_classes():
    pictures = [Picture(0, WHITE), Picture(1, BLACK)]
    augment = Augment(transforms=[{"name": "mixup"}])
    white, black = samples(pictures, augment, ["white", "black"], draws=4, seed=0)
    assert white.after_NHWC.min() < 255
    assert black.after_NHWC.max() > 0
    for sample in (white, black):
        for image_HWC, told in zip(sample.after_NHWC, sample.after_labels, strict=True):
            parts = [part.split("% ") for part in told.split(", ") if "%" in part]
            shares = {name: int(share) for share, name in parts} or {told: 100}
            assert sum(shares.values()) == 100
            assert shares.get("white", 0) == pytest.approx(100 * image_HWC.mean() / 255, abs=1)


def test_a_seed_gives_the_same_again_and_another_something_else():
    rng = np.random.default_rng(0)
    pictures = [Picture(0, rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))]
    drawn = [
        samples(pictures, Augment(policy="flip-crop"), ["a"], draws=4, seed=seed)[0].after_NHWC
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def stored(folder: Path, count: int) -> Index:
    """Return ``count`` files of 30 x 10 pixels: green in the middle third, red beside it."""
    pixels_HWC = np.tile(np.array(RED, np.uint8), (10, 30, 1))
    pixels_HWC[:, 10:20] = GREEN
    names = [f"{number}.png" for number in range(count)]
    for name in names:
        Image.fromarray(pixels_HWC).save(folder / name)
    return index_of_files(folder, ["a"], names, [0] * count, [TRAIN] * count)


def test_resized_crops_are_of_the_whole_image_where_training_keeps_it(tmp_path: Path):
    index, augment = stored(tmp_path, 2), Augment(policy="resized-crop")
    redness = {}
    for whole in (False, True):
        data = Data(dataset="folder", image_size=10, whole=whole)
        pictures = some_pictures(index, np.arange(2), data, 2, seed=0)
        for sample in samples(pictures, augment, index.classes, draws=4, seed=0):
            redness[whole] = sample.after_NHWC[..., 0].max()
            assert sample.before_HWC.shape == ((10, 30, 3) if whole else (10, 10, 3))
            assert sample.after_NHWC.shape == (4, 10, 10, 3)
    assert redness == {False: 0, True: 255}


def test_whole_images_of_an_array_are_what_they_are():
    array_NHWC = np.random.default_rng(0).integers(0, 256, (3, 12, 8, 3), dtype=np.uint8)
    index = Index(
        root=Path("nowhere"),
        classes=("a",),
        labels=np.zeros(3, np.int64),
        parts=np.zeros(3, np.int8),
        names=("0", "1", "2"),
        array_NHWC=array_NHWC,
    )
    data = Data(dataset="digits", image_size=8, whole=True)
    (picture,) = some_pictures(index, np.array([1]), data, 1, seed=0)
    assert picture.whole_HWC is not None
    assert np.array_equal(picture.whole_HWC, array_NHWC[1])


def test_whole_images_need_a_crop_of_them():
    picture = Picture(0, WHITE, WHITE)
    with pytest.raises(UserError, match="random_resized_crop as the first transform"):
        samples([picture], Augment(policy="flip"), ["a"], draws=1, seed=0)


def test_corrupt_images_are_passed_over(tmp_path: Path):
    index, data = stored(tmp_path, 6), Data(dataset="folder", image_size=10)
    for number in (0, 1, 2, 3):
        (tmp_path / f"{number}.png").write_bytes(b"broken")
    assert len(some_pictures(index, np.arange(6), data, 2, seed=0)) == 2
    with pytest.raises(UserError, match=r"none of 4 training images.*\.png: not an image"):
        some_pictures(index, np.arange(4), data, 4, seed=0)


def test_what_the_app_shows_is_small_and_keeps_its_shape():
    wide = Picture(0, np.zeros((200, 200, 3), np.uint8), np.zeros((200, 400, 3), np.uint8))
    (sample,) = samples([wide], Augment(policy="resized-crop"), ["a"], draws=2, seed=0)
    small = shrunk(sample)
    assert small.before_HWC.shape == (48, 96, 3)
    assert small.after_NHWC.shape == (2, 96, 96, 3)
    (tiny,) = samples([Picture(0, WHITE)], Augment(), ["a"], draws=1, seed=0)
    assert np.array_equal(shrunk(tiny).before_HWC, WHITE)
