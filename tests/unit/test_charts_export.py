"""Figures of curves in files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core.errors import UserError
from cnn_core.figures.chart import save_chart
from cnn_tui.charts.plot import Curve, View

X = np.arange(1.0, 31.0)
CURVES = [Curve("train", X, 2 / X, 0), Curve("val", X, 2.2 / X, 5)]


def test_a_png_of_a_chart(tmp_path: Path) -> None:
    path = tmp_path / "loss.PNG"
    save_chart(path, CURVES, View("epoch", "loss", smoothing=0.5, marks=((3.0, "best"),)), "run")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width > 800
        assert len(image.convert("RGB").getcolors(2**24) or []) > 20
    assert [file.name for file in tmp_path.iterdir()] == ["loss.PNG"]


def test_an_svg_of_a_chart(tmp_path: Path) -> None:
    path = tmp_path / "loss.svg"
    save_chart(path, CURVES, View(log_y=True, x_range=(2.0, 5.0), y_range=(0.1, 3.0)))
    assert path.read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    "curves",
    [
        [],
        [Curve("a", np.array([]), np.array([]), 0)],
        [Curve("a", X, np.full(30, np.nan), 0)],
        [Curve("a", X, np.where(X > 9, 1e300, -1e300), 0), Curve("b", X[:1], X[:1], 9)],
        [Curve("a", np.array([np.nan, np.inf]), np.array([1.0, 2.0]), 0, faded=True)],
    ],
)
@pytest.mark.parametrize("log_y", [False, True])
def test_whatever_the_data(tmp_path: Path, curves: list[Curve], log_y: bool) -> None:
    save_chart(tmp_path / "a.svg", curves, View(log_y=log_y, smoothing=0.9))


def test_names_are_shown_literally(tmp_path: Path) -> None:
    names = ["$x^2$", "_hidden", r"\frac{", "漢字", "a$b", r"\$", "\x1b[31m"]
    curves = [Curve(name, X, X, style) for style, name in enumerate(names)]
    save_chart(tmp_path / "a.png", curves, View("$x", "_y$", marks=((2.0, "$m$"),)), "$t$")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"chart\.pdf: expected a name that ends in \.png or \.svg"):
        save_chart(tmp_path / "chart.pdf", CURVES, View())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be written: No such file"):
        save_chart(tmp_path / "missing" / "a.png", CURVES, View())


def test_matplotlib_is_imported_by_those_who_save() -> None:
    code = (
        "import sys, cnn_core.figures.chart, cnn_tui.charts.glyphs, cnn_tui.widgets.chart\n"
        "import cnn_tui.widgets.picture, cnn_tui.device_stats\n"
        "print(sorted({'matplotlib', 'scipy', 'torch', 'textual_image'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
