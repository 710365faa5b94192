"""Sparklines and bars."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_tui.charts.glyphs import bar, sparkline


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
        ([5, 5, 5], 8, "▄▄▄"),
        ([0, math.nan, 1], 8, "▁ █"),
        ([math.nan, math.inf], 8, "  "),
        ([0, 0, 7, 7], 2, "▁█"),
        ([0, math.nan, 7, 7], 2, "▁█"),
        ([], 8, ""),
        ([1, 2], 0, ""),
    ],
)
def test_a_sparkline(values: list[float], width: int, line: str) -> None:
    assert sparkline(values, width) == line


@given(st.lists(st.floats(), max_size=40), st.integers(0, 30))
def test_a_sparkline_fits(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(len(values), width)
    assert set(line) <= set(" ▁▂▃▄▅▆▇█")


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (0, 10, "    "),
        (10, 10, "████"),
        (5, 10, "██  "),
        (1, 32, "▏   "),
        (3, 8, "█▌  "),
        (99, 10, "████"),
        (-1, 10, "    "),
        (3, 0, "    "),
    ],
)
def test_a_bar(done: float, total: float, text: str) -> None:
    assert bar(done, total, 4).plain == text


def test_a_bar_without_room() -> None:
    assert bar(1, 2, 0).plain == ""
