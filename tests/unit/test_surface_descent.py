"""Descents: paths held against NumPy's, minima where theory has them, and every ending."""

import math

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from surface_support import GRADIENTS, descended

from cnn_core.errors import UserError
from cnn_core.surfaces.descent import Step, check_start, descend, method_of
from cnn_core.surfaces.field import Field, exact_field, sample, sampled_field
from cnn_core.surfaces.functions import SURFACES
from cnn_core.surfaces.surface import METHODS, Box, Surface


def descent(surface: Surface, name: str, field: Field | None = None, **options) -> list[Step]:
    field = field or exact_field(surface)
    given = {key: options.pop(key) for key in ("lr", "beta", "options") if key in options}
    start = options.pop("start", surface.start)
    return list(descend(field, method_of(name, surface, field, **given), start, **options))


def places(steps: list[Step]) -> np.ndarray:
    return np.array([(step.x, step.y) for step in steps])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", sorted(SURFACES))
def test_a_path_is_that_of_another_computation(name: str, method: str):
    surface = SURFACES[name]
    steps = descent(surface, method, steps=400)
    expected = descended(
        GRADIENTS[name], method, surface.start, surface.rates[method], len(steps) - 1
    )
    assert places(steps) == pytest.approx(expected, abs=1e-6)
    for step in steps[:: len(steps) // 5 + 1]:
        norm = np.linalg.norm(GRADIENTS[name](step.x, step.y))
        assert step.gradient_norm == pytest.approx(norm, rel=1e-6, abs=1e-6)
        assert step.value == pytest.approx(surface.formula(np, step.x, step.y))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["sphere", "booth", "beale", "himmelblau"])
def test_every_method_reaches_the_minimum_from_the_usual_start(name: str, method: str):
    last = descent(SURFACES[name], method)[-1]
    assert last.ending == "gradient small"
    assert SURFACES[name].distance(last.x, last.y) < 1e-4
    assert last.value == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("method", METHODS[1:])
def test_all_but_plain_descent_pass_rosenbrocks_valley(method: str):
    last = descent(SURFACES["rosenbrock"], method)[-1]
    assert (last.ending, last.x, last.y) == (
        "gradient small", pytest.approx(1, abs=1e-4), pytest.approx(1, abs=1e-4)
    )  # fmt: skip


@pytest.mark.parametrize("name", ["schaffer2", "schaffer4"])
def test_schaffer_traps_plain_descent_and_momentum_but_not_nesterov(name: str):
    surface = SURFACES[name]
    away = {}
    for method in METHODS[:3]:
        last = descent(surface, method)[-1]
        away[method] = surface.distance(last.x, last.y)
    assert away["plain"] > 2
    assert away["momentum"] > 2
    assert away["nesterov"] < 0.01


def test_the_first_step_is_the_start_and_they_are_counted():
    steps = descent(SURFACES["sphere"], "plain", start=(3.0, 4.0), steps=3, lr=0.1)
    assert [step.step for step in steps] == [0, 1, 2, 3]
    first = steps[0]
    assert (first.x, first.y, first.value, first.gradient_norm) == (3.0, 4.0, 25.0, 10.0)
    assert [step.ending for step in steps] == [None, None, None, "steps run out"]


def test_it_ends_where_the_gradient_is_small():
    (only,) = descent(SURFACES["sphere"], "plain", start=(0.0, 0.0))
    assert (only.ending, only.gradient_norm) == ("gradient small", 0)
    last = descent(SURFACES["sphere"], "plain", gradient_norm=0.5)[-1]
    assert last.gradient_norm < 0.5


def test_it_ends_where_the_domain_does():
    steps = descent(SURFACES["sphere"], "plain", start=(3.0, 4.0), lr=2.0)
    assert [step.ending for step in steps] == [None, "left the domain"]
    assert (steps[-1].x, steps[-1].y) == pytest.approx((-9, -12))
    assert math.isnan(steps[-1].value)
    assert math.isnan(steps[-1].gradient_norm)


def test_it_ends_where_numbers_do():
    (only,) = descent(SURFACES["ackley"], "plain", start=(0.0, 0.0))  # the tip of a cone
    assert only.ending == "not finite"
    last = descent(SURFACES["sphere"], "plain", lr=1e308, start=(5.0, 5.0))[-1]
    assert last.ending == "not finite"


def test_no_step_at_all_is_possible():
    (only,) = descent(SURFACES["sphere"], "plain", steps=0)
    assert only.ending == "steps run out"


def test_any_optimizer_of_torch_descends():
    for name in ("rmsprop", "AdamW", "Adagrad", "rprop", "nadam", "radam", "adamax", "asgd"):
        steps = descent(SURFACES["sphere"], name, lr=0.05, steps=20)
        assert steps[-1].value < steps[0].value, name


def test_an_optimizer_that_searches_along_a_line():
    options = {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-14}
    last = descent(SURFACES["rosenbrock"], "lbfgs", options=options)[-1]
    assert last.ending == "gradient small"
    assert SURFACES["rosenbrock"].distance(last.x, last.y) < 1e-4


def test_options_reach_the_optimizer():
    plain = descent(SURFACES["beale"], "plain", steps=50, lr=0.005)
    assert descent(SURFACES["beale"], "sgd", steps=50, lr=0.005) == plain
    momentum = descent(SURFACES["beale"], "momentum", steps=50, lr=0.005, beta=0.5)
    options = {"momentum": 0.5}
    assert descent(SURFACES["beale"], "sgd", steps=50, lr=0.005, options=options) == momentum


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nesterow", {}, "unknown method 'nesterow'; did you mean 'nesterov'?"),
        ("ADAMX", {}, "unknown method 'adamx'; did you mean 'adamax'?"),
        ("optimizer", {}, "unknown method 'optimizer'"),
        ("SparseAdam", {}, "method 'sparseadam' can't descend a surface: it takes sparse"),
        ("muon", {}, "method 'muon' can't descend a surface: it moves matrices"),
        ("adam", {"beta": 1}, "adam: unknown option 'beta'; did you mean 'betas'?"),
        ("plain", {"params": 1}, "plain: unknown option 'params'"),
        ("rmsprop", {"alpha": -1}, "rmsprop: Invalid alpha value: -1"),
        ("adam", {"betas": 3}, "adam: "),
    ],
)
def test_mistakes_are_told(name: str, options: dict, message: str):
    surface = SURFACES["sphere"]
    with pytest.raises(UserError) as error:
        method_of(name, surface, exact_field(surface), options=options)
    assert str(error.value).startswith(message)


def test_a_learning_rate_that_torch_refuses():
    surface = SURFACES["sphere"]
    with pytest.raises(UserError, match="plain: Invalid learning rate: -1"):
        method_of("plain", surface, exact_field(surface), lr=-1.0)


def test_a_start_outside_is_told():
    assert check_start(SURFACES["beale"], (4.5, -4.5)) == (4.5, -4.5)
    with pytest.raises(UserError) as error:
        check_start(SURFACES["beale"], (5, 0))
    assert str(error.value) == (
        "start 5, 0: outside the domain of beale; expected x in -4.5 to 4.5 and y in -4.5 to 4.5"
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_fine_image_is_descended_like_the_function(method: str):
    surface, start = SURFACES["beale"], (1.0, 1.5)  # no derivative is 0 there, nor its sign chance
    images = descent(surface, method, sampled_field(surface, 2001), start=start, steps=40)
    exact = descent(surface, method, start=start, steps=40)
    assert places(images) == pytest.approx(places(exact), abs=0.01)


def test_in_an_image_rates_count_pixels_and_results_units():
    surface = SURFACES["sphere"]
    field = sampled_field(surface, 101, "autograd")  # a pixel is 0.1
    steps = descent(surface, "plain", field, start=(3.0, 4.0), lr=10.0, steps=1)
    slope = 10 * (2 * 3.05) * 0.1**2  # the slope of the patch, per pixel, times the rate
    assert steps[0].value == pytest.approx(25.0)
    assert steps[1].x == pytest.approx(3.0 - slope, abs=0.02)
    assert steps[0].gradient_norm == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_a_path_on_an_image_is_that_of_another_computation(method: str):
    surface, grid = SURFACES["rastrigin"], 64
    pixels = sample(surface, grid)

    def slope(x: float, y: float) -> np.ndarray:
        at = np.array([[y, y, y + 1, y - 1], [x + 1, x - 1, x, x]])
        right, left, up, down = map_coordinates(pixels, at, order=1)
        return np.array([right - left, up - down]) / 2

    field = sampled_field(surface, grid)
    steps = descent(surface, method, field, start=(1.3, -2.2), lr=0.1, steps=60)
    expected = descended(slope, method, field.inwards(1.3, -2.2), 0.1, len(steps) - 1)
    expected = np.array([field.outwards(*at) for at in expected])
    assert places(steps) == pytest.approx(expected, abs=1e-6)


def test_an_image_has_edges():
    surface = SURFACES["sphere"]
    last = descent(surface, "plain", sampled_field(surface, 11), start=(3.0, 4.0), lr=5.0)[-1]
    assert last.ending == "left the domain"
    assert math.isnan(last.value)


def test_a_box_holds_its_edges():
    box = Box(0, 1, 0, 1)
    assert box.holds(1, 0)
    assert not box.holds(1.1, 0)
    assert not box.holds(math.nan, 0)
