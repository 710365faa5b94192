"""Many small pictures as one."""

import numpy as np
import pytest

from cnn_tui.mosaic import mosaic

PAPER = (1, 2, 3)


def squares(count: int, side: int) -> list[np.ndarray]:
    return [np.full((side, side, 3), 100 + i % 100, np.uint8) for i in range(count)]


def test_small_ones_grow_by_whole_factors_until_all_just_fit() -> None:
    image_HWC, shown = mosaic(squares(4, 3), columns=20, rows=10, background=PAPER)
    assert image_HWC.shape == (20, 20, 3)
    assert shown == 4
    assert (image_HWC[:9, :9] == 100).all()
    assert (image_HWC[:9, 10:19] == 101).all()
    assert (image_HWC[10:19, :9] == 102).all()
    assert (image_HWC[9] == PAPER).all()


def test_large_ones_shrink() -> None:
    image_HWC, shown = mosaic(squares(4, 100), columns=41, rows=21, background=PAPER)
    assert shown == 4
    assert (image_HWC[:20, :20] == 100).all()
    assert (image_HWC[21:41, 21:41] == 103).all()


def test_what_has_no_room_is_left_out() -> None:
    _, shown = mosaic(squares(500, 100), columns=43, rows=11, background=PAPER)
    assert shown == 4 * 2  # 10 pixels and a gap each
    image_HWC, shown = mosaic(squares(5, 11), columns=4, rows=2, background=PAPER)
    assert image_HWC.shape == (4, 4, 3)
    assert shown == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 3)])
def test_any_shape(shape: tuple[int, int]) -> None:
    pictures = [np.full((*shape, 3), 200, np.uint8) for _ in range(6)]
    image_HWC, shown = mosaic(pictures, columns=60, rows=20, background=PAPER)
    assert shown == 6
    area = (image_HWC == 200).all(-1).sum()
    assert area % (6 * shape[0] * shape[1]) == 0
    assert area
