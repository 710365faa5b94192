"""Sheets of pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core.errors import UserError
from cnn_core.inspect.sheet import Tile, save_picture, sheet, stacked


def plain(value: int, height: int = 4, width: int = 4) -> np.ndarray:  # type: ignore[type-arg]
    return np.full((height, width, 3), value, np.uint8)


def test_every_tile_is_there_once_and_whole() -> None:
    tiles = [Tile(plain(value)) for value in (10, 60, 110, 160, 210)]
    pixels_HWC = sheet(tiles, columns=3, side=40)
    for tile in tiles:
        value = tile.picture_HWC[0, 0, 0]
        assert (pixels_HWC[..., 0] == value).sum() == 40 * 40


def test_the_order_is_by_rows() -> None:
    pixels_HWC = sheet([Tile(plain(value)) for value in (10, 60, 110)], columns=2, side=20)
    places = [tuple(np.argwhere(pixels_HWC[..., 0] == value)[0]) for value in (10, 60, 110)]
    assert places == sorted(places)
    assert places[0][0] == places[1][0] < places[2][0]


def test_shapes_are_kept() -> None:
    pixels_HWC = sheet([Tile(plain(10, 10, 20))], columns=1, side=40)
    assert (pixels_HWC[..., 0] == 10).sum() == 20 * 40


def test_long_and_hostile_captions_change_no_size() -> None:
    bare = sheet([Tile(plain(0), ("a",))], columns=1, side=50)
    for text in ("x" * 500, "\x1b[31m[bold]<script>", "", "žluťoučký", "日本語"):
        assert sheet([Tile(plain(0), (text,))], columns=1, side=50).shape == bare.shape


def test_no_tiles_are_a_picture_too() -> None:
    assert sheet([], columns=4, side=20, title="nothing").ndim == 3


def test_a_picture_is_written_as_it_is(tmp_path: Path) -> None:
    pixels_HWC = sheet([Tile(plain(40), ("caption",))], columns=1, side=30)
    save_picture(tmp_path / "one.png", pixels_HWC)
    with Image.open(tmp_path / "one.png") as image:
        assert np.array_equal(np.asarray(image), pixels_HWC)


def test_places_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in \.png"):
        save_picture(tmp_path / "one.jpg", plain(0))
    with pytest.raises(UserError, match="there is no folder"):
        save_picture(tmp_path / "no" / "one.png", plain(0))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match="can't be written"):
        save_picture(tmp_path / "folder.png", plain(0))


def test_pictures_below_each_other_are_whole() -> None:
    small, wide = plain(10, 4, 6), plain(60, 5, 9)
    pixels_HWC = stacked([small, wide])
    assert pixels_HWC.shape == (9, 9, 3)
    assert np.array_equal(pixels_HWC[:4, :6], small)
    assert np.array_equal(pixels_HWC[4:], wide)
    assert (pixels_HWC[:4, 6:] == 255).all()
