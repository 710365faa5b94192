"""Functions of two variables: held against what the literature says, and against SymPy."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.optimize import approx_fprime, minimize, rosen, rosen_der
from surface_support import GRADIENTS, VALUES

from cnn_core.errors import UserError
from cnn_core.surfaces.field import exact_field, sample, sampled_field
from cnn_core.surfaces.functions import SURFACES, find_surface

NAMES = sorted(SURFACES)
REQUIRED = {
    *("beale", "himmelblau", "rosenbrock", "rastrigin", "schaffer2", "schaffer4", "eggholder"),
    "ackley",
}


def points(name: str, count: int = 50) -> np.ndarray:
    box = SURFACES[name].domain
    return np.random.default_rng(0).uniform(
        (box.x_low, box.y_low), (box.x_high, box.y_high), (count, 2)
    )


def test_the_usual_ones_are_there():
    assert set(SURFACES) >= REQUIRED
    assert set(VALUES) == set(SURFACES)


@pytest.mark.parametrize(
    ("name", "x", "y", "value"),
    [
        ("beale", 0, 0, 14.203125),
        ("himmelblau", 0, 0, 170),
        ("himmelblau", -0.270845, -0.923039, 181.616522),  # its local maximum
        ("rosenbrock", -1.2, 1, 24.2),
        ("rastrigin", 1, 1, 2),
        ("ackley", 1, 1, 3.6253849384403627),
        ("schaffer2", 0, 1.253115, 0.5 + 0.5 * 0),
        ("schaffer4", 0, 1.253115, 0.292579),
        ("eggholder", 0, 0, -25.460337185286313),
        ("booth", 0, 0, 74),
        ("camel3", -1.74755, 0.87378, 0.298638),
        ("camel6", 0.0898, -0.7126, -1.0316),
    ],
)
def test_known_values(name: str, x: float, y: float, value: float):
    if name == "schaffer2":  # sin² is 1 where x² - y² is half of pi
        y, value = np.sqrt(np.pi / 2), 0.5 + 0.5 / (1 + 0.0005 * np.pi) ** 2
    assert SURFACES[name].formula(np, float(x), float(y)) == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_those_of_the_definition(name: str):
    field = exact_field(SURFACES[name])
    for x, y in points(name):
        value, *gradient = field.evaluate(x, y)
        assert value == pytest.approx(VALUES[name](x, y), rel=1e-12, abs=1e-12)
        assert gradient == pytest.approx(GRADIENTS[name](x, y), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_numeric_gradient_is_near(name: str):
    surface = SURFACES[name]
    numeric, exact = exact_field(surface, "numeric"), exact_field(surface)
    for x, y in points(name, 10):
        scale = 1 + np.abs(exact.evaluate(x, y)).max()
        assert numeric.evaluate(x, y) == pytest.approx(exact.evaluate(x, y), abs=1e-4 * scale)
        scipys = approx_fprime((x, y), lambda at: surface.formula(np, *at))
        assert numeric.evaluate(x, y)[1:] == pytest.approx(scipys, abs=1e-4 * scale)


def test_rosenbrock_is_scipys():
    for x, y in points("rosenbrock"):
        value, *gradient = exact_field(SURFACES["rosenbrock"]).evaluate(x, y)
        assert value == pytest.approx(rosen((x, y)))
        assert gradient == pytest.approx(rosen_der(np.array((x, y))))


@pytest.mark.parametrize("name", [name for name in NAMES if SURFACES[name].minima])
def test_no_point_lies_below_the_minima(name: str):
    surface = SURFACES[name]
    box = surface.domain
    for x, y in surface.minima:
        assert surface.formula(np, x, y) == pytest.approx(surface.lowest, abs=1e-12)
        found = minimize(
            lambda at: surface.formula(np, *at),
            (x, y),
            method="Nelder-Mead",
            bounds=((box.x_low, box.x_high), (box.y_low, box.y_high)),
            options={"xatol": 1e-12, "fatol": 1e-15},
        )
        assert found.fun == pytest.approx(surface.lowest, abs=1e-9)
        assert found.x == pytest.approx((x, y), abs=1e-6)
    assert sample(surface, 501).min() >= surface.lowest - 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_a_surface_is_complete(name: str):
    surface = SURFACES[name]
    box = surface.domain
    assert surface.name == name == name.casefold()
    assert surface.source
    assert box.side == pytest.approx(box.y_high - box.y_low)
    assert box.holds(*surface.start)
    assert all(box.holds(*minimum) for minimum in surface.minima)
    assert (surface.lowest is None) == (not surface.minima)


def test_the_distance_is_that_of_the_nearest_minimum():
    assert SURFACES["himmelblau"].distance(3, 3) == 1
    assert SURFACES["saddle"].distance(0, 0) is None


def test_a_name_that_is_none_is_told_with_the_nearest():
    assert find_surface("Beale") is SURFACES["beale"]
    with pytest.raises(UserError, match=r"unknown surface 'bael'; did you mean 'beale'\?"):
        find_surface("bael")


@pytest.mark.parametrize("name", ["beale", "schaffer2"])
def test_pixels_are_interpolated_bilinearly(name: str):
    surface, grid = SURFACES[name], 40
    field = sampled_field(surface, grid)
    at = np.random.default_rng(0).uniform(0, grid - 1, (100, 2))
    expected = map_coordinates(sample(surface, grid), at.T[::-1], order=1)
    assert [field.evaluate(x, y)[0] for x, y in at] == pytest.approx(expected)


def test_the_slope_of_an_image_counts_pixels():
    field = sampled_field(SURFACES["beale"], 64, "autograd")
    x, y = 20.3, 30.6
    value, by_x, by_y = field.evaluate(x, y)
    differences = sampled_field(SURFACES["beale"], 64, "numeric", 0.1).evaluate(x, y)
    assert (value, by_x, by_y) == pytest.approx(differences)  # one pixel's patch is linear in each


def test_pixels_and_units_are_converted():
    field = sampled_field(SURFACES["rosenbrock"], 101)
    assert field.inwards(-2, 3) == pytest.approx((0, 100))
    assert field.outwards(*field.inwards(0.3, -0.7)) == pytest.approx((0.3, -0.7))
    assert field.evaluate(*field.inwards(-2, 3))[0] == pytest.approx(rosen((-2, 3)))


@pytest.mark.parametrize("grid", [1, 5000])
def test_an_image_has_a_size(grid: int):
    with pytest.raises(UserError, match=f"a grid of {grid} pixels: expected 2 to 4096"):
        sampled_field(SURFACES["beale"], grid)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_epsilon_is_positive(epsilon: float):
    with pytest.raises(UserError, match="expected a number above 0"):
        exact_field(SURFACES["beale"], "numeric", epsilon)


def test_names_cost_no_torch():
    code = "import sys, cnn_core.surfaces.field; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_formulas_take_tensors_of_any_shape():
    x, y = torch.rand(2, 3, 4, dtype=torch.float64)
    for surface in SURFACES.values():
        assert surface.formula(torch, x, y).numpy() == pytest.approx(
            surface.formula(np, x.numpy(), y.numpy())
        )
