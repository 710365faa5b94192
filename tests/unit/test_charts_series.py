"""Series made short enough to draw, against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.figures.series import Floats, reduce_to_columns, smooth, within

RNG = np.random.default_rng(0)


def smoothed_plainly(y: Floats, weight: float) -> list[float]:
    """The loop of TensorBoard."""
    last, count, result = 0.0, 0, []
    for value in y.tolist():
        if not math.isfinite(value):
            result.append(value)
            continue
        last = last * weight + (1 - weight) * value
        count += 1
        result.append(last / (1 - weight**count))
    return result


@pytest.mark.parametrize("weight", [0.1, 0.6, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 1000])
def test_the_average_is_that_of_tensorboard(weight: float, count: int) -> None:
    y = RNG.normal(size=count) * 10 ** RNG.uniform(-3, 3, count)
    y[count // 2 + 1 :: 7] = np.nan
    y[count // 3 + 2 :: 11] = np.inf
    np.testing.assert_allclose(smooth(y, weight), smoothed_plainly(y, weight), rtol=1e-9)


def test_no_weight_changes_nothing() -> None:
    y = np.array([1.0, np.nan, 3.0])
    np.testing.assert_array_equal(smooth(y, 0.0), y)


def test_a_constant_stays_what_it_is() -> None:
    np.testing.assert_allclose(smooth(np.full(500, 0.3), 0.97), 0.3)


def columns_plainly(x: Floats, y: Floats, columns: int, low: float, high: float) -> set[float]:
    """The y values that must be kept: the lowest and the highest of every column."""
    groups: dict[int, list[float]] = {}
    for at, value in zip(x.tolist(), y.tolist(), strict=True):
        if low <= at <= high and math.isfinite(value):
            column = min(int((at - low) / (high - low) * columns), columns - 1)
            groups.setdefault(column, []).append(value)
    return {edge for group in groups.values() for edge in (min(group), max(group))}


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),
            st.one_of(st.floats(-5, 5), st.sampled_from([math.nan, math.inf, -math.inf])),
        )
    ),
    st.integers(1, 20),
)
def test_every_column_keeps_its_lowest_and_highest(
    points: list[tuple[float, float]], columns: int
) -> None:
    x = np.array([at for at, _ in points], np.float64)
    y = np.array([value for _, value in points], np.float64)
    kept_x, kept_y = reduce_to_columns(x, y, columns, (10.0, 90.0))
    finite = kept_y[np.isfinite(kept_y)]
    assert set(finite.tolist()) == columns_plainly(x, y, columns, 10.0, 90.0)
    assert len(finite) <= 2 * columns
    assert (np.diff(kept_x) >= 0).all()
    assert not np.isinf(kept_y).any()


def test_one_spike_of_many_points_is_kept() -> None:
    y = np.zeros(100_000)
    y[54_321] = 1.0
    x = np.arange(100_000.0)
    _, kept = reduce_to_columns(x, y, 80, (0.0, 99_999.0))
    assert kept.max() == 1.0
    assert len(kept) <= 160


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_a_gap(bad: float) -> None:
    x = np.arange(5.0)
    kept_x, kept_y = reduce_to_columns(x, np.array([1.0, 2.0, bad, 4.0, 5.0]), 50, (0.0, 4.0))
    np.testing.assert_array_equal(kept_y, [1.0, 2.0, np.nan, 4.0, 5.0])
    assert kept_x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_points_are_put_in_order() -> None:
    kept_x, kept_y = reduce_to_columns(
        np.array([3.0, 1.0, 2.0]), np.array([30.0, 10.0, 20.0]), 10, (0.0, 3.0)
    )
    assert (kept_x.tolist(), kept_y.tolist()) == ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])


def test_lines_go_on_to_the_ends_of_a_range() -> None:
    x, y = within(np.array([0.0, 10.0]), np.array([0.0, 100.0]), (2.0, 4.0))
    assert (x.tolist(), y.tolist()) == ([2.0, 4.0], [20.0, 40.0])
    x, y = within(np.array([0.0, 3.0, 10.0]), np.array([0.0, 30.0, 30.0]), (3.0, 20.0))
    assert (x.tolist(), y.tolist()) == ([3.0, 10.0], [30.0, 30.0])
    assert len(within(np.array([0.0, 1.0]), np.array([0.0, 1.0]), (2.0, 3.0))[0]) == 0
