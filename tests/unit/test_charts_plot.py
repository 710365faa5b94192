"""Charts in cells: exact sizes whatever the data, and everything where it should be."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.text import Text

from cnn_core.figures.palette import COLOURS, STYLES
from cnn_tui.charts.palette import MARKERS, Ink, styles
from cnn_tui.charts.plot import Curve, View, draw
from cnn_tui.charts.ticks import linear_ticks, log_ticks

DARK, LIGHT = Ink(), Ink((30, 30, 30), (250, 250, 250))
X = np.arange(1.0, 31.0)


def lines(text: Text) -> list[str]:
    return text.plain.split("\n")


def is_dot(character: str) -> bool:
    return "⠀" < character <= "⣿" or character in MARKERS


def colours(text: Text) -> set[Any]:
    return {span.style.color for span in text.spans if not isinstance(span.style, str)}


def curve(y: Any, label: str = "loss", style: int = 0, **options: Any) -> Curve:
    return Curve(label, np.arange(1.0, len(y) + 1), np.asarray(y, np.float64), style, **options)


VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, 1.0, -1.0, 1e300, -1e300, 1.7e308, 5e-324, 1e-300, math.nan, math.inf]),
)
RANGES = st.one_of(st.none(), st.tuples(VALUES, VALUES).filter(lambda r: r[0] <= r[1]))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.tuples(VALUES, VALUES), max_size=12), max_size=3),
    st.text(max_size=8),
    st.booleans(),
    st.sampled_from([0.0, 0.5, 0.999]),
    RANGES,
    RANGES,
    st.lists(st.tuples(VALUES, st.text(max_size=5)), max_size=2),
    st.integers(1, 70),
    st.integers(1, 30),
)
def test_a_chart_has_exactly_its_size_whatever_it_shows(
    series: list[list[tuple[float, float]]],
    label: str,
    log_y: bool,
    smoothing: float,
    x_range: tuple[float, float] | None,
    y_range: tuple[float, float] | None,
    marks: list[tuple[float, str]],
    width: int,
    height: int,
) -> None:
    curves = [
        Curve(label, np.array([x for x, _ in points]), np.array([y for _, y in points]), number)
        for number, points in enumerate(series)
    ]
    view = View(label, label, log_y, smoothing, x_range, y_range, tuple(marks))
    drawn = lines(draw(curves, view, width, height))
    assert [cell_len(line) for line in drawn] == [width] * height


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 3), (5, 0)])
def test_no_room_is_no_chart(width: int, height: int) -> None:
    assert draw([curve([1, 2])], View(), width, height).plain.strip() == ""


@pytest.mark.parametrize("y", [[], [math.nan] * 4, [math.inf, -math.inf]])
def test_without_data_it_says_so(y: list[float]) -> None:
    assert "no data yet" in draw([curve(y)], View(), 60, 12).plain


def test_a_range_without_data_says_so() -> None:
    text = draw([curve([1, 2, 3])], View(x_range=(10.0, 20.0)), 60, 12)
    assert "nothing in this range" in text.plain


def test_curves_differ_without_colour() -> None:
    curves = [curve(np.full(30, style), f"run {style}", style) for style in range(STYLES)]
    plain = draw(curves, View("epoch", "loss"), 100, 40).plain
    assert len(set(MARKERS)) == COLOURS
    for marker in MARKERS:
        assert plain.count(marker) >= 3  # one in the legend


@pytest.mark.parametrize("ink", [DARK, LIGHT])
def test_curves_differ_in_256_colours(ink: Ink) -> None:
    looks = [(look.color, marker) for look, marker in zip(styles(ink), MARKERS, strict=False)]
    assert len(set(looks)) == STYLES
    assert len({colour for colour, _ in looks}) == COLOURS
    for style in styles(ink):
        assert style.color is not None
        true = style.color.get_truecolor()
        few = style.color.downgrade(ColorSystem.EIGHT_BIT).get_truecolor()
        # Rich takes the next grey.
        assert few == true or (true.red == true.green == true.blue and abs(few.red - true.red) < 11)


@pytest.mark.parametrize("ink", [DARK, LIGHT])
def test_every_curve_stands_out_from_the_background(ink: Ink) -> None:
    def luminance(colour: tuple[int, ...]) -> float:
        parts = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    behind = luminance(ink.background)
    for style in styles(ink)[:STYLES]:
        assert isinstance(style.color, Color)
        pair = sorted([behind, luminance(tuple(style.color.get_truecolor()))])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 2.2


def test_a_spike_of_one_point_shows() -> None:
    y = np.zeros(10_000)
    flat = draw([curve(y)], View(y_range=(0.0, 1.0)), 80, 20).plain
    y[5_000] = 1.0
    spiked = lines(draw([curve(y)], View(y_range=(0.0, 1.0)), 80, 20))
    assert flat != "\n".join(spiked)
    assert all(any(is_dot(c) for c in line[30:50]) for line in spiked[2:17])


def test_nan_is_a_gap_in_the_line() -> None:
    y = np.ones(60)
    y[20:40] = np.nan
    drawn = [[is_dot(c) for c in line] for line in lines(draw([curve(y)], View(), 59, 11))]
    columns = [any(column) for column in zip(*drawn[1:], strict=True)][-54:]
    assert all(columns[:15])
    assert not any(columns[20:34])
    assert all(columns[38:])


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show() -> None:
    with_zero = draw([curve([1.0, 0.0, -3.0, 0.1])], View(log_y=True), 60, 16)
    without = draw([curve([1.0, math.nan, math.nan, 0.1])], View(log_y=True), 60, 16)
    assert with_zero.plain == without.plain
    assert "no data yet" in draw([curve([0.0, -1.0])], View(log_y=True), 60, 16).plain


def test_smoothing_puts_the_raw_curve_faded_behind() -> None:
    rng = np.random.default_rng(0)
    noisy = curve(rng.normal(size=2_000))
    strong, faded = (styles(DARK)[role].color for role in (0, STYLES))
    assert faded not in colours(draw([noisy], View(), 80, 20, ink=DARK))
    assert {strong, faded} <= colours(draw([noisy], View(smoothing=0.9), 80, 20, ink=DARK))


def test_names_are_shown_literally_and_cut_to_fit() -> None:
    names = ["[b]run[/b] one", "\x1b[31mred", "漢字の名前です", "x" * 200]
    curves = [curve([1, 2, 3], name, style) for style, name in enumerate(names)]
    for width in range(24, 140, 5):
        text = draw(curves, View("epoch", "[i]loss"), width, 12)
        assert {cell_len(line) for line in lines(text)} == {width}
        assert "\x1b" not in text.plain
    plain = draw(curves, View("epoch", "[i]loss"), 150, 24).plain
    assert all(part in plain for part in ("[b]run[/b] one", r"\x1b[31mred", "[i]loss", "xx…xx"))


def test_names_that_differ_at_their_end_still_differ_when_cut() -> None:
    names = [f"digits-with-a-long-name-lr-0.{n}" for n in range(4)]
    curves = [curve([1, 2, 3], name, style) for style, name in enumerate(names)]
    head = lines(draw(curves, View("epoch", "loss"), 80, 15))[0]
    assert all(f"0.{n}" in head for n in range(4))


def test_a_mark_is_a_line_with_its_name() -> None:
    view = View("epoch", "loss", marks=((15.0, "best 15"), (99.0, "outside")))
    drawn = lines(draw([curve(np.linspace(3, 1, 30))], view, 80, 20))
    assert sum("┊" in line for line in drawn) > 10
    assert "best 15" in drawn[1]
    assert "outside" not in "\n".join(drawn)


def test_a_zoom_draws_lines_to_its_edges() -> None:
    view = View(x_range=(10.2, 10.8))
    plain = draw([curve(np.linspace(0, 1, 30))], view, 60, 12).plain
    assert sum(is_dot(c) for c in plain) > 40


@pytest.mark.parametrize(
    ("low", "high", "count", "labels"),
    [
        (0, 1, 5, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.21, 0.26, 3, ["0.22", "0.24", "0.26"]),
        (0, 25_000, 3, ["0", "10k", "20k"]),
        (0, 2_400, 3, ["0", "1000", "2000"]),
        (0, 3e6, 3, ["0", "1M", "2M", "3M"]),
        (0, 1.1e-3, 3, ["0", "5e-4", "1e-3"]),
        (-2, 2, 4, ["-2", "-1", "0", "1", "2"]),
        (0.11, 0.98, 4, ["0.2", "0.4", "0.6", "0.8"]),
        (3, 3, 4, []),
    ],
)
def test_linear_ticks_are_few_and_round(
    low: float, high: float, count: int, labels: list[str]
) -> None:
    assert [label for _, label in linear_ticks(low, high, count)] == labels


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-4, 0, ["1e-4", "1e-3", "0.01", "0.1", "1"]),
        (0, 5, ["1", "10", "100", "1000", "1e4", "1e5"]),
        (-1, 0.4, ["0.1", "0.2", "0.5", "1", "2"]),
        (-3.2, -2.9, ["7e-4", "8e-4", "9e-4", "1e-3", "1.1e-3", "1.2e-3"]),
        (-12, 12, ["1e-10", "1e-5", "1", "1e5", "1e10"]),
    ],
)
def test_logarithmic_ticks(low: float, high: float, labels: list[str]) -> None:
    ticks = log_ticks(low, high, 6)
    assert [label for _, label in ticks] == labels
    assert all(low - 1e-6 <= at <= high + 1e-6 for at, _ in ticks)


def test_labels_of_an_axis_differ() -> None:
    for low, span in itertools.product((0, -3.7, 12345.6, 0.9), (1e-3, 0.02, 1, 77, 5e4)):
        labels = [label for _, label in linear_ticks(low, low + span, 5)]
        assert len(set(labels)) == len(labels) >= 2, (low, span, labels)
