"""Descents on a field, step by step, by torch's optimizers."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cnn_core.errors import UserError, did_you_mean, first_line, printable
from cnn_core.surfaces.field import Field
from cnn_core.surfaces.surface import METHODS, Point, Surface

if TYPE_CHECKING:
    import torch

Ending = Literal["gradient small", "left the domain", "steps run out", "not finite"]

STEPS, GRADIENT_NORM, BETA = 3000, 1e-5, 0.9

# Of torch.optim, what can't move a point, and why.
_UNFIT = {
    "sparseadam": "it takes sparse gradients, and a point's is dense",
    "muon": "it moves matrices, and a point is none",
}


@dataclass(frozen=True)
class Method:
    """A way to descend: one of METHODS or a class of torch.optim, in lower case.

    ``lr`` and ``options`` go to the optimizer; ``lr`` None is torch's own.
    """

    name: str
    lr: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Where a descent is after ``step`` steps, in the function's units.

    Outside the domain there is neither value nor gradient: both are NaN. ``ending`` says of the
    last step why it is that.
    """

    step: int
    x: float
    y: float
    value: float
    gradient_norm: float
    ending: Ending | None = None


@dataclass(frozen=True)
class Track:
    """The steps of one method; ``style`` is that of its curves, as the palette counts them."""

    label: str
    style: int
    steps: Sequence[Step]


def method_of(
    name: str,
    surface: Surface,
    on: Field,
    *,
    lr: float | None = None,
    beta: float = BETA,
    options: Mapping[str, Any] | None = None,
) -> Method:
    """Return a method with the surface's learning rate for it, where ``lr`` is None.

    ``lr`` counts in coordinates of the field; ``beta`` is the momentum of momentum and nesterov.
    UserError: no such method, or options that it does not take.
    """
    known = name.casefold()
    taken: dict[str, Any] = {}
    if known in ("momentum", "nesterov"):
        taken["momentum"] = beta
    if known == "nesterov":
        taken["nesterov"] = True
    taken.update(options or {})
    own_rate = taken.pop("lr", None)
    lr = own_rate if lr is None else lr
    if lr is None and known in METHODS:
        # A step of Adam's is as long as the rate, that of the others as rate times gradient.
        lr = surface.rates[known] / (on.scale if known == "adam" else on.scale**2)
    method = Method(known, lr, taken)
    import torch

    _optimizer(method, torch.zeros(2, dtype=torch.float64, requires_grad=True))
    return method


def descend(
    on: Field,
    method: Method,
    start: Point,
    *,
    steps: int = STEPS,
    gradient_norm: float = GRADIENT_NORM,
) -> Iterator[Step]:
    """Yield the start, in the function's units, and each step from there.

    The last one tells why it is: the norm of the gradient, in the function's units, is under
    ``gradient_norm``; the domain was left; ``steps`` were made; a number is not finite.
    """
    import torch

    position = torch.tensor(on.inwards(*start), dtype=torch.float64, requires_grad=True)
    optimizer, needs_closure = _optimizer(method, position)

    def evaluate() -> float:
        value, *slope = on.evaluate(*position.tolist())
        position.grad = torch.tensor(slope, dtype=torch.float64)
        return value

    for step in range(steps + 1):
        at = position.tolist()
        value = norm = math.nan
        inside = on.domain.holds(*at)
        if inside:
            value = evaluate()
            assert position.grad is not None
            norm = math.hypot(*position.grad.tolist()) / on.scale
        ending: Ending | None = None
        if not all(map(math.isfinite, at)) or (inside and not math.isfinite(value + norm)):
            ending = "not finite"
        elif not inside:
            ending = "left the domain"
        elif norm < gradient_norm:
            ending = "gradient small"
        elif step == steps:
            ending = "steps run out"
        yield Step(step, *on.outwards(*at), value, norm, ending)
        if ending:
            return
        if needs_closure:
            optimizer.step(evaluate)
        else:
            optimizer.step()


def check_start(surface: Surface, start: Point) -> Point:
    """Return the start; UserError where it lies outside the domain."""
    box = surface.domain
    if not box.holds(*start):
        raise UserError(
            f"start {start[0]:g}, {start[1]:g}: outside the domain of {surface.name}; expected "
            f"x in {box.x_low:g} to {box.x_high:g} and y in {box.y_low:g} to {box.y_high:g}"
        )
    return start


def _optimizer(method: Method, position: "torch.Tensor") -> tuple["torch.optim.Optimizer", bool]:
    """Return the optimizer of a position, and whether its steps take a function to minimise."""
    made = _class(method.name)
    options = {**method.options, **({} if method.lr is None else {"lr": method.lr})}
    known = [name for name in inspect.signature(made).parameters if name != "params"]
    for name in options:
        if name not in known:
            raise UserError(
                f"{method.name}: unknown option '{printable(name)}'{did_you_mean(name, known)}"
            )
    try:
        optimizer = made([position], **options)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{method.name}: {first_line(error)}") from error
    closure = inspect.signature(made.step).parameters["closure"]
    return optimizer, closure.default is inspect.Parameter.empty


def _class(name: str) -> "type[torch.optim.Optimizer]":
    import torch

    if name in METHODS:
        return torch.optim.Adam if name == "adam" else torch.optim.SGD
    if name in _UNFIT:
        raise UserError(f"method '{name}' can't descend a surface: {_UNFIT[name]}")
    classes = {
        key.casefold(): value
        for key, value in vars(torch.optim).items()
        if inspect.isclass(value) and issubclass(value, torch.optim.Optimizer)
    }
    offered = {key: value for key, value in classes.items() if key not in {"optimizer", *_UNFIT}}
    if name not in offered:
        near = did_you_mean(name, {*METHODS, *offered})
        raise UserError(f"unknown method '{printable(name)}'{near}")
    return offered[name]
