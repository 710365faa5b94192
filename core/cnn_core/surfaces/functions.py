"""Functions of two variables that optimizers are tried on, with what is known of them."""

import math
from collections.abc import Mapping
from typing import Any

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.surfaces.surface import METHODS, Box, Surface


def find_surface(name: str) -> Surface:
    """Return the surface of that name, whatever its case; UserError with the nearest name."""
    if (surface := SURFACES.get(name.casefold())) is None:
        raise UserError(f"unknown surface '{printable(name)}'{did_you_mean(name, SURFACES)}")
    return surface


def _around(half: float, x: float = 0.0, y: float = 0.0) -> Box:
    return Box(x - half, x + half, y - half, y + half)


def _rates(plain: float, momentum: float, nesterov: float, adam: float) -> Mapping[str, float]:
    return dict(zip(METHODS, (plain, momentum, nesterov, adam), strict=True))


def _sphere(_: Any, x: Any, y: Any) -> Any:
    return x**2 + y**2


def _saddle(_: Any, x: Any, y: Any) -> Any:
    return x**2 - y**2


def _booth(_: Any, x: Any, y: Any) -> Any:
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def _beale(_: Any, x: Any, y: Any) -> Any:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _himmelblau(_: Any, x: Any, y: Any) -> Any:
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def _rosenbrock(_: Any, x: Any, y: Any) -> Any:
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2


def _camel3(_: Any, x: Any, y: Any) -> Any:
    return 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y**2


def _camel6(_: Any, x: Any, y: Any) -> Any:
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2


def _rastrigin(xp: Any, x: Any, y: Any) -> Any:
    waves = xp.cos(2 * math.pi * x) + xp.cos(2 * math.pi * y)
    return 20 + x**2 + y**2 - 10 * waves


def _ackley(xp: Any, x: Any, y: Any) -> Any:
    waves = xp.cos(2 * math.pi * x) + xp.cos(2 * math.pi * y)
    cone = xp.exp(-0.2 * xp.sqrt((x**2 + y**2) / 2))
    return 20 - 20 * cone + math.e - xp.exp(waves / 2)


def _schaffer2(xp: Any, x: Any, y: Any) -> Any:
    return 0.5 + (xp.sin(x**2 - y**2) ** 2 - 0.5) / (1 + 0.001 * (x**2 + y**2)) ** 2


def _schaffer4(xp: Any, x: Any, y: Any) -> Any:
    waves = xp.cos(xp.sin(xp.abs(x**2 - y**2))) ** 2
    return 0.5 + (waves - 0.5) / (1 + 0.001 * (x**2 + y**2)) ** 2


def _eggholder(xp: Any, x: Any, y: Any) -> Any:
    high = y + 47
    return -high * xp.sin(xp.sqrt(xp.abs(x / 2 + high))) - x * xp.sin(xp.sqrt(xp.abs(x - high)))


_SURVEY = "M. Jamil and X.-S. Yang, A literature survey of benchmark functions, IJMMNO 4(2), 2013"
_FIRST_CAMEL = "L. C. W. Dixon and G. P. Szegö, Towards Global Optimisation 2, 1978"
# Both are searched within 100 in the literature, where a picture of them shows moiré alone.
_SCHAFFER = "S. K. Mishra, MPRA paper 2718, 2006, after J. D. Schaffer, thesis, Vanderbilt, 1984"
_HIMMELBLAU = (
    (3.0, 2.0),
    (-2.805118086952745, 3.131312518250573),
    (-3.779310253377747, -3.283185991286170),
    (3.584428340330492, -1.848126526964404),
)
_EDGE = 1.253131828792882  # of Schaffer N.4: the root of x² = pi / 2 moved by the hull

_ALL = (
    Surface(
        name="sphere",
        title="Sphere",
        formula=_sphere,
        domain=_around(5.0),
        minima=((0.0, 0.0),),
        lowest=0.0,
        start=(-4.0, 3.0),
        rates=_rates(0.1, 0.02, 0.02, 0.2),
        source="K. A. De Jong, thesis, University of Michigan, 1975, function F1",
    ),
    Surface(
        name="saddle",
        title="Saddle",
        formula=_saddle,
        domain=_around(2.0),
        minima=(),
        lowest=None,
        start=(-1.8, 0.001),
        rates=_rates(0.05, 0.01, 0.01, 0.05),
        source="the hyperbolic paraboloid x² - y²",
    ),
    Surface(
        name="booth",
        title="Booth",
        formula=_booth,
        domain=_around(10.0),
        minima=((1.0, 3.0),),
        lowest=0.0,
        start=(-8.0, -6.0),
        rates=_rates(0.05, 0.01, 0.01, 0.3),
        source=_SURVEY,
        log_scale=True,
    ),
    Surface(
        name="beale",
        title="Beale",
        formula=_beale,
        domain=_around(4.5),
        minima=((3.0, 0.5),),
        lowest=0.0,
        start=(1.0, 1.0),
        rates=_rates(0.03, 0.01, 0.01, 0.1),
        source="E. M. L. Beale, Statistical Techniques Research Group, Princeton, report 25, 1958; "
        "start: J. J. Moré, B. S. Garbow, K. E. Hillstrom, ACM TOMS 7(1), 1981, problem 5",
        log_scale=True,
    ),
    Surface(
        name="himmelblau",
        title="Himmelblau",
        formula=_himmelblau,
        domain=_around(6.0),
        minima=_HIMMELBLAU,
        lowest=0.0,
        start=(0.0, 0.0),
        rates=_rates(0.01, 0.002, 0.002, 0.1),
        source="D. M. Himmelblau, Applied Nonlinear Programming, McGraw-Hill, 1972",
        log_scale=True,
    ),
    Surface(
        name="rosenbrock",
        title="Rosenbrock",
        formula=_rosenbrock,
        domain=_around(2.0, 0.0, 1.0),
        minima=((1.0, 1.0),),
        lowest=0.0,
        start=(-1.2, 1.0),
        rates=_rates(0.0015, 0.001, 0.001, 0.1),
        source="H. H. Rosenbrock, The Computer Journal 3(3), 1960, pages 175-184",
        log_scale=True,
    ),
    Surface(
        name="camel3",
        title="Three-hump camel",
        formula=_camel3,
        domain=_around(2.5),
        minima=((0.0, 0.0),),
        lowest=0.0,
        start=(-2.0, 2.0),
        rates=_rates(0.05, 0.01, 0.01, 0.05),
        source=_SURVEY,
        log_scale=True,
    ),
    Surface(
        name="camel6",
        title="Six-hump camel",
        formula=_camel6,
        domain=_around(2.0),
        minima=(
            (0.08984201368301331, -0.7126564032704135),
            (-0.08984201368301331, 0.7126564032704135),
        ),
        lowest=-1.031628453489877,
        start=(-1.5, 1.0),
        rates=_rates(0.02, 0.005, 0.005, 0.05),
        source=_FIRST_CAMEL,
        log_scale=True,
    ),
    Surface(
        name="rastrigin",
        title="Rastrigin",
        formula=_rastrigin,
        domain=_around(5.12),
        minima=((0.0, 0.0),),
        lowest=0.0,
        start=(-3.3, 2.7),
        rates=_rates(0.002, 0.002, 0.002, 0.1),
        source="L. A. Rastrigin, Systems of Extremal Control, Nauka, Moscow, 1974",
    ),
    Surface(
        name="ackley",
        title="Ackley",
        formula=_ackley,
        domain=_around(5.0),
        minima=((0.0, 0.0),),
        lowest=0.0,
        start=(-3.3, 2.7),
        rates=_rates(0.01, 0.01, 0.01, 0.1),
        source="D. H. Ackley, A Connectionist Machine for Genetic Hillclimbing, Kluwer, 1987",
    ),
    Surface(
        name="schaffer2",
        title="Schaffer N.2",
        formula=_schaffer2,
        domain=_around(10.0),
        minima=((0.0, 0.0),),
        lowest=0.0,
        start=(-5.0, 0.0),
        rates=_rates(0.008, 0.015, 0.015, 0.1),
        source=_SCHAFFER,
    ),
    Surface(
        name="schaffer4",
        title="Schaffer N.4",
        formula=_schaffer4,
        domain=_around(10.0),
        minima=((0.0, _EDGE), (0.0, -_EDGE), (_EDGE, 0.0), (-_EDGE, 0.0)),
        lowest=0.2925786320359805,
        start=(-4.0, 0.0),
        rates=_rates(0.03, 0.03, 0.03, 0.1),
        source=_SCHAFFER,
    ),
    Surface(
        name="eggholder",
        title="Eggholder",
        formula=_eggholder,
        domain=_around(512.0),
        minima=((512.0, 404.2318058008512),),
        lowest=-959.6406627208506,
        start=(300.0, 300.0),
        rates=_rates(0.5, 0.5, 0.5, 5.0),
        source="D. Whitley, S. Rana, J. Dzubera, K. E. Mathias, Artificial Intelligence 85, 1996, "
        "pages 245-276",
    ),
)
SURFACES: dict[str, Surface] = {surface.name: surface for surface in _ALL}
