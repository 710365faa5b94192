"""Functions of two variables a second time, by SymPy, which torch depends on; descents in NumPy.

Nothing here is the program's: definitions, derivatives and methods are written again.
"""

from collections.abc import Callable

import numpy as np
import sympy
from sympy import Abs, E, Rational, cos, exp, pi, sin, sqrt

_x, _y = sympy.symbols("x y", real=True)
_r2, _hill = _x**2 + _y**2, _x**2 - _y**2
_damping = (1 + _r2 / 1000) ** 2
_DEFINITIONS = {
    "sphere": _r2,
    "saddle": _hill,
    "booth": (_x + 2 * _y - 7) ** 2 + (2 * _x + _y - 5) ** 2,
    "beale": sum(
        (Rational(c) - _x * (1 - _y**n)) ** 2 for n, c in enumerate(("1.5", "2.25", "2.625"), 1)
    ),
    "himmelblau": (_x**2 + _y - 11) ** 2 + (_x + _y**2 - 7) ** 2,
    "rosenbrock": 100 * (_y - _x**2) ** 2 + (1 - _x) ** 2,
    "camel3": 2 * _x**2 - Rational("1.05") * _x**4 + _x**6 / 6 + _x * _y + _y**2,
    "camel6": (4 - Rational("2.1") * _x**2 + _x**4 / 3) * _x**2 + _x * _y - 4 * _y**2 + 4 * _y**4,
    "rastrigin": 20 + sum(v**2 - 10 * cos(2 * pi * v) for v in (_x, _y)),
    "ackley": -20 * exp(-Rational("0.2") * sqrt(_r2 / 2))
    - exp((cos(2 * pi * _x) + cos(2 * pi * _y)) / 2)
    + E
    + 20,
    "schaffer2": Rational(1, 2) + (sin(_hill) ** 2 - Rational(1, 2)) / _damping,
    "schaffer4": Rational(1, 2) + (cos(sin(Abs(_hill))) ** 2 - Rational(1, 2)) / _damping,
    "eggholder": -(_y + 47) * sin(sqrt(Abs(_x / 2 + _y + 47))) - _x * sin(sqrt(Abs(_x - _y - 47))),
}


def _function(expression: object) -> Callable[[float, float], float]:
    # At 0 the derivative of |x| is 0, as torch has it.
    return sympy.lambdify((_x, _y), expression, "numpy")


def _gradient(expression: object) -> Callable[[float, float], np.ndarray]:
    along = [_function(sympy.diff(expression, v)) for v in (_x, _y)]
    return lambda x, y: np.array([float(one(x, y)) for one in along])


VALUES = {name: _function(one) for name, one in _DEFINITIONS.items()}
GRADIENTS = {name: _gradient(one) for name, one in _DEFINITIONS.items()}


def descended(
    gradient: Callable[[float, float], np.ndarray],
    method: str,
    start: tuple[float, float],
    lr: float,
    steps: int,
    beta: float = 0.9,
) -> np.ndarray:
    """Return the path of a method, start included, by step and (x, y)."""
    at, velocity, squares = np.array(start, float), np.zeros(2), np.zeros(2)
    path = [at]
    for step in range(1, steps + 1):
        slope = gradient(*at)
        match method:
            case "plain":
                move = slope
            case "momentum":
                move = velocity = beta * velocity + slope
            case "nesterov":
                velocity = beta * velocity + slope
                move = slope + beta * velocity
            case "adam":
                velocity = 0.9 * velocity + 0.1 * slope
                squares = 0.999 * squares + 0.001 * slope**2
                move = (velocity / (1 - 0.9**step)) / (np.sqrt(squares / (1 - 0.999**step)) + 1e-8)
        at = at - lr * move
        path.append(at)
    return np.array(path)
