"""What the pictures of a sweep show: scales, means, merits, and their drawing in cells."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from cnn_core.figures.chart import save_chart
from cnn_core.search.results import SweepResults, TrialRow
from cnn_core.search.sweep_config import Parameter, Sweep
from cnn_tui.charts.cells import as_text
from cnn_tui.charts.palette import Ink
from cnn_tui.charts.parallel import Axis, compose_parallel
from cnn_tui.charts.plot import Curve, View, draw
from cnn_tui.sweep_figures import (
    history_figure,
    metric_figure,
    metric_text,
    parallel_axes,
    scale_of,
    short_names,
)
from cnn_tui.sweep_rows import sorted_trials

LOG = {"type": "float", "low": 1e-3, "high": 1.0, "log": True}


def sweep_of(parameters: dict[str, Any], **search: Any) -> Sweep:
    return Sweep.model_validate(
        {
            "name": "made",
            "preset": "digits",
            "trials": 9,
            "search": search,
            "parameters": {key: Parameter(**value) for key, value in parameters.items()},
        }
    )


def results_of(*trials: tuple[dict[str, Any], float | None, str]) -> SweepResults:
    rows = tuple(
        TrialRow(number, params, status, value, None, None, None)
        for number, (params, value, status) in enumerate(trials, 1)
    )
    ended = [row for row in rows if row.status == "finished" and row.value is not None]
    return SweepResults(rows, max(ended, key=lambda row: row.value or 0, default=None), len(rows))


@pytest.mark.parametrize(
    ("parameter", "log", "names", "value", "share"),
    [
        (LOG, True, (), 0.1, 2 / 3),
        ({"type": "float", "low": 0.0, "high": 2.0}, False, (), 0.5, 0.25),
        ({"values": [10, 15, 20]}, False, (), 15, 0.5),
        ({"values": [0, 1]}, False, (), 1, 1.0),
        ({"values": [1e-3, 1e-2, 1e-1, 1.0]}, True, (), 0.1, 2 / 3),
        ({"values": [0.0, 1e-4, 1e-6]}, False, ("0", "1e-06", "0.0001"), 1e-6, 0.5),
        ({"values": ["none", "flip", "crop"]}, False, ("none", "flip", "crop"), "flip", 0.5),
        ({"values": [True, False]}, False, ("true", "false"), False, 1.0),
        ({"values": [[1], [2]], "labels": ["a", "b"]}, False, ("a", "b"), "b", 1.0),
        ({"values": [3]}, False, (), 3, 0.5),
        ({"values": ["only"]}, False, ("only",), "only", 0.5),
    ],
)
def test_each_parameter_has_the_axis_that_suits_it(
    parameter: dict[str, Any], log: bool, names: tuple[str, ...], value: Any, share: float
) -> None:
    scale = scale_of(Parameter(**parameter))
    assert (scale.log, scale.names) == (log, names)
    assert scale.share(value) == pytest.approx(share)
    assert all(0 <= place <= 1 for place, _ in scale.labels)


def test_short_names_are_told_apart() -> None:
    keys = ["optim.lr", "freeze.lr", "model.dropout", "seed"]
    assert list(short_names(keys).values()) == ["optim.lr", "freeze.lr", "dropout", "seed"]


def test_accuracies_are_percentages_and_losses_are_not() -> None:
    assert metric_text("best.val_acc", 0.1234) == "12.34%"
    assert metric_text("test.loss", 0.1234) == "0.1234"
    sweep = sweep_of({"optim.lr": LOG}, metric="test.loss")
    results = results_of(({"optim.lr": 0.1}, 2.5, "finished"))
    figure = metric_figure(sweep, results, "optim.lr", "metric")
    assert figure.view.y_label == ""
    assert figure.curves[0].y.tolist() == [2.5]
    assert figure.curves[0].x.tolist() == pytest.approx([-1.0])
    assert figure.view.log_x


def test_trials_that_did_not_finish_stand_apart() -> None:
    sweep = sweep_of({"optim.lr": LOG})
    figure = metric_figure(
        sweep,
        results_of(
            ({"optim.lr": 0.1}, 0.5, "finished"),
            ({"optim.lr": 0.2}, 0.4, "pruned"),
            ({"optim.lr": 0.3}, None, "failed"),
            ({}, None, "waiting"),
        ),
        "optim.lr",
        "metric",
    )
    assert {curve.label: curve.y.tolist() for curve in figure.curves} == {
        "best.val_acc": [50.0],
        "not finished": [40.0],
        "best: trial 1": [50.0],
    }
    assert not any(curve.joined for curve in figure.curves)


def test_a_grid_has_a_line_and_independent_draws_have_none() -> None:
    trials = [({"optim.lr": lr}, lr, "finished") for lr in (0.1, 0.2, 0.4)]
    drawn = sweep_of({"optim.lr": LOG})
    listed = sweep_of({"optim.lr": {"values": [0.1, 0.2, 0.4]}}, sampler="grid")
    for sweep, joined in ((drawn, False), (listed, True)):
        figure = metric_figure(sweep, results_of(*trials), "optim.lr", "metric")
        assert figure.curves[0].joined is joined


@pytest.mark.parametrize(("metric", "best"), [("best.val_acc", 0.9), ("best.val_loss", 0.2)])
def test_the_best_has_the_highest_merit(metric: str, best: float) -> None:
    sweep = sweep_of({"optim.lr": LOG}, metric=metric)
    values = (0.2, 0.5, 0.9)
    results = results_of(*(({"optim.lr": 0.1}, value, "finished") for value in values))
    axes, merit = parallel_axes(sweep, results)
    assert values[int(np.argmax(merit))] == best
    assert [axis.name for axis in axes] == ["lr", metric]
    history = history_figure(sweep, results).curves[0]
    assert history.y[-1] == pytest.approx(100 * best if "acc" in metric else best)


def test_sorting_puts_what_is_not_known_last() -> None:
    sweep = sweep_of({"optim.lr": LOG})
    rows = results_of(
        ({"optim.lr": 0.3}, 0.5, "finished"),
        ({}, None, "waiting"),
        ({"optim.lr": 0.1}, math.nan, "finished"),
    ).trials
    for sort, wanted in (
        ("optim.lr", [3, 1, 2]),
        ("-optim.lr", [1, 3, 2]),
        ("-value", [1, 2, 3]),
        ("number", [1, 2, 3]),
    ):
        assert [row.number for row in sorted_trials(sweep, rows, sort)] == wanted


PLACES = st.lists(
    st.tuples(st.floats(0, 1) | st.just(math.nan), st.floats(0, 1), st.floats(0, 1)), max_size=20
)


@settings(max_examples=100, deadline=None)
@given(PLACES, st.text(max_size=12), st.integers(0, 90), st.integers(0, 30))
def test_parallel_coordinates_have_exactly_their_size(
    trials: list[tuple[float, float, float]], label: str, width: int, height: int
) -> None:
    axes = [
        Axis(label, np.array([trial[place] for trial in trials]), ((0.0, label), (1.0, "high")))
        for place in range(2)
    ]
    merit = np.array([trial[2] for trial in trials])
    text = as_text(compose_parallel(axes, merit, width, height).rows)
    lines = text.plain.split("\n") if height else []
    assert [cell_len(line) for line in lines] == [width] * height


@pytest.mark.parametrize("ink", [Ink(), Ink((30, 30, 30), (250, 250, 250))])
def test_the_best_line_is_on_top(ink: Ink) -> None:
    places = np.array([0.5, 0.5])
    axes = [Axis("a", places, ()), Axis("b", places, ())]
    drawn = [
        compose_parallel(axes, np.array(merit), 40, 8, ink=ink).rows[3]
        for merit in ([1.0, 0.1], [0.1, 1.0], [1.0, 1.0], [0.1, 0.1])
    ]
    assert drawn[0] == drawn[1] == drawn[2] != drawn[3]


def test_names_on_an_axis_are_cut_to_their_share() -> None:
    names = ("none", "a very long name of a policy [bold]", "日本語の名前")
    curve = Curve("acc", np.arange(3.0), np.arange(3.0), 0, joined=False)
    lines = draw([curve], View(x_names=names), 60, 12).plain.split("\n")
    assert [cell_len(line) for line in lines] == [60] * 12
    assert "none" in lines[-1]
    assert "…" in lines[-1]
    assert "日本語の名前" in lines[-1]
    assert sum(line.count("●") for line in lines) == 3 + 1  # one in the legend


def test_points_are_all_there_and_logarithms_have_round_labels(tmp_path: Any) -> None:
    x = np.linspace(-3, 0, 12)
    curve = Curve("acc", x, np.full(12, 0.5), 0, joined=False)
    view = View(log_x=True)
    drawn = draw([curve], view, 80, 12).plain
    assert drawn.count("●") == 12 + 1  # one in the legend
    assert "0.01" in drawn
    for made in (view, View(x_names=("a", "b", "c"))):
        save_chart(tmp_path / "made.svg", [curve], made)
        assert (tmp_path / "made.svg").stat().st_size > 1000
