"""Surfaces as pictures: colours, cells, files."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core.errors import UserError
from cnn_core.figures.palette import ON_DARK, xterm_rgb
from cnn_core.surfaces.descent import Step, Track, descend, method_of
from cnn_core.surfaces.drawing import FRAMES, save_gif, save_png
from cnn_core.surfaces.field import exact_field
from cnn_core.surfaces.functions import SURFACES
from cnn_core.surfaces.heat import coloured, heat_of
from cnn_core.surfaces.history import norm_curves, value_curves, value_label
from cnn_core.surfaces.surface import METHODS
from cnn_tui.charts.palette import MARKERS
from cnn_tui.surface_cells import SurfaceCells

SPHERE = SURFACES["sphere"]


def tracks(name: str = "sphere", steps: int = 30) -> list[Track]:
    surface = SURFACES[name]
    field = exact_field(surface)
    return [
        Track(
            method,
            style,
            list(descend(field, method_of(method, surface, field), surface.start, steps=steps)),
        )
        for style, method in enumerate(METHODS)
    ]


@pytest.mark.parametrize("name", sorted(SURFACES))
def test_heights_are_shares_and_back(name: str):
    heat = heat_of(SURFACES[name])
    values = np.linspace(heat.low, heat.low + heat.span, 9)
    shares = heat.shares(values)
    assert shares[[0, -1]] == pytest.approx((0, 1))
    assert (np.diff(shares) > 0).all()
    assert [heat.value(share) for share in shares] == pytest.approx(values)
    assert heat.shares(heat.low - 1) == 0


def test_low_is_dark_and_high_is_light():
    luminance = coloured(np.linspace(0, 1, 50)) @ (0.299, 0.587, 0.114)
    assert (np.diff(luminance) >= -6).all()
    assert luminance[0] < 10
    assert luminance[-1] > 180


def test_curves_hold_value_and_norm_of_each_step():
    (plain, *_), (norm, *_) = value_curves(SPHERE, tracks()), norm_curves(tracks())
    steps = tracks()[0].steps
    assert plain.label == "plain"
    assert list(plain.x) == list(range(len(steps)))
    assert list(plain.y) == [step.value for step in steps]
    assert list(norm.y) == [step.gradient_norm for step in steps]
    assert len(value_curves(SPHERE, tracks(), 3)[0].y) == 4


def test_values_below_0_are_shown_above_the_minimum():
    surface = SURFACES["eggholder"]
    (curve, *_) = value_curves(surface, tracks("eggholder"))
    assert value_label(surface) == "value above the minimum"
    assert (curve.y > 0).all()
    assert value_label(SPHERE) == value_label(SURFACES["saddle"]) == "value"


# --- cells ----------------------------------------------------------------------------------------


def text(cells: SurfaceCells) -> list[str]:
    return ["".join(segment.text for segment in cells.row(row)) for row in range(cells.rows)]


def step(x: float, y: float) -> Step:
    return Step(0, x, y, 0.0, 0.0)


def colours(cells: SurfaceCells, row: int) -> list[tuple[str, object]]:
    """Return each cell's sign and the colour of its front."""
    return [
        (sign, tuple(segment.style.color.triplet))
        for segment in cells.row(row)
        for sign in segment.text
        if segment.style and segment.style.color and segment.style.color.triplet
    ]


def test_a_map_has_its_size_and_marks():
    cells = SurfaceCells(SPHERE, None, 20, 10)
    cells.put_start(-4.0, 3.0)
    rows = text(cells)
    assert [len(row) for row in rows] == [20] * 10
    assert rows[2][2] == "+"
    assert rows[5][10] == "x"  # its minimum
    assert set("".join(rows)) == {"▀", "+", "x"}


def test_points_and_cells_are_each_others():
    cells = SurfaceCells(SURFACES["rosenbrock"], None, 30, 15)
    for column, row in ((0, 0), (29, 14), (12, 7)):
        assert cells.cell(*cells.point(column, row)) == (column, row)
    assert cells.cell(-100, 100) == (0, 0)  # at the edge
    assert cells.cell(100, -100) == (29, 14)


def test_a_path_is_a_line_with_its_marker_at_the_end():
    cells = SurfaceCells(SPHERE, None, 20, 10)
    before = text(cells)
    changed = cells.extend(1, [step(-4.9, 4.9), step(4.9, 4.9)])
    assert changed == {0}
    first = colours(cells, 0)
    assert first[-1] == (MARKERS[1], xterm_rgb(ON_DARK[1]))
    assert [colour for _, colour in first] == [xterm_rgb(ON_DARK[1])] * 20
    assert cells.extend(1, [step(4.9, 4.9), step(4.9, 0.9)]) == {0, 1, 2, 3, 4}
    assert colours(cells, 0)[-1] == ("▀", xterm_rgb(ON_DARK[1]))  # the marker went on
    assert colours(cells, 4)[-1][0] == MARKERS[1]
    cells.clear()
    assert text(cells) == before


def test_what_is_no_number_is_not_drawn():
    cells = SurfaceCells(SPHERE, None, 20, 10)
    assert cells.extend(0, [step(math.nan, 0.0), step(math.inf, 1.0)]) == set()
    assert cells.extend(0, [step(0.0, 0.0), step(math.nan, 0.0)]) == {5}
    assert cells.extend(0, []) == set()


def test_moving_the_start_tells_both_rows():
    cells = SurfaceCells(SPHERE, None, 20, 10)
    assert cells.put_start(0.1, 4.9) == {0}
    assert cells.put_start(0.1, -4.9) == {0, 9}


def test_without_colour_heights_are_shades_and_paths_markers():
    cells = SurfaceCells(SPHERE, None, 20, 10, colour=False)
    for track in tracks():
        cells.extend(track.style, track.steps)
    rows = text(cells)
    assert rows[0][0] == "▓"
    assert set("".join(rows)) & set(MARKERS[:4])
    assert all(segment.style is None for row in range(10) for segment in cells.row(row))


def test_an_image_is_shown_by_its_pixels():
    cells = SurfaceCells(SPHERE, 3, 20, 10)  # 3 x 3 of them
    assert len({colour for sign, colour in colours(cells, 0) if sign == "▀"}) == 2  # a mirror image


# --- files ----------------------------------------------------------------------------------------


def test_a_picture_is_written_and_the_same_each_time(tmp_path: Path):
    one, other = tmp_path / "one.png", tmp_path / "other.PNG"
    for path in (one, other):
        save_png(path, SPHERE, tracks())
    assert one.read_bytes() == other.read_bytes()
    with Image.open(one) as image:
        assert image.width > image.height > 500
        orange = np.abs(np.asarray(image)[:, :, :3].astype(int) - xterm_rgb(ON_DARK[1])).sum(2)
        assert (orange < 12).sum() > 50
    assert sorted(tmp_path.iterdir()) == [one, other]


@pytest.mark.parametrize("name", ["saddle", "eggholder"])
def test_what_goes_below_0_or_leaves_is_drawn_too(tmp_path: Path, name: str):
    save_png(tmp_path / "x.png", SURFACES[name], tracks(name, 100), grid=16)
    with Image.open(tmp_path / "x.png") as image:
        assert image.width > 1000


def test_a_moving_picture_grows_and_is_bounded(tmp_path: Path):
    path = tmp_path / "x.gif"
    progress = list(save_gif(path, SPHERE, tracks(steps=9)))
    with Image.open(path) as image:
        assert image.n_frames == len(progress) == 10 <= FRAMES
        assert image.info["loop"] == 0
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
    changed = [(np.abs(frame - frames[-1]).sum(2) > 60).sum() for frame in frames]
    assert changed[0] > changed[4] > changed[-1] == 0


def test_one_that_stands_still_moves_not(tmp_path: Path):
    field = exact_field(SPHERE)
    still = [Track("plain", 0, list(descend(field, method_of("plain", SPHERE, field), (0, 0))))]
    assert len(list(save_gif(tmp_path / "x.gif", SPHERE, still))) == 1
    with Image.open(tmp_path / "x.gif") as image:
        assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.jpg", r"x\.jpg: expected a name that ends in \.png"),
        ("gone/x.png", "gone: no such folder"),
    ],
)
def test_a_file_that_can_not_be_is_told(tmp_path: Path, name: str, message: str):
    with pytest.raises(UserError, match=message):
        save_png(tmp_path / name, SPHERE, tracks())
    assert not list(tmp_path.iterdir())


def test_a_folder_in_its_place_is_told(tmp_path: Path):
    (tmp_path / "x.png").mkdir()
    with pytest.raises(UserError, match=r"x\.png: can't be written: "):
        save_png(tmp_path / "x.png", SPHERE, tracks())
