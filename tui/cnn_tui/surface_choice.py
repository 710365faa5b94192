"""Learning rates and options of optimizers, as they are written in a shell and in the app."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from cnn_core.errors import UserError, did_you_mean, printable


def rates_of(texts: Iterable[str], methods: Sequence[str]) -> dict[str, float]:
    """Return learning rates by method, from ``RATE`` for all and ``METHOD=RATE`` for one."""
    for_all: dict[str, float] = {}
    for_one: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            rate = float(value)
        except ValueError:
            rate = math.nan
        if not math.isfinite(rate):
            raise UserError(
                f"learning rate {printable(text)}: expected RATE or METHOD=RATE, such as 0.01"
            )
        if equals:
            for_one[_known(name, methods, "learning rate")] = rate
        else:
            for_all = dict.fromkeys(methods, rate)
    return for_all | for_one


def options_of(texts: Iterable[str], methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return options of optimizers by method, from ``METHOD.KEY=VALUE``."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        name, dot, key = place.partition(".")
        if not (equals and dot and key):
            raise UserError(f"option {printable(text)}: expected METHOD.KEY=VALUE")
        found.setdefault(_known(name, methods, "option"), {})[key] = _value(value)
    return found


def optimizer_of(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name of an optimizer and its options, from ``NAME KEY=VALUE KEY=VALUE``."""
    name, *pairs = text.split() or [""]
    return name.casefold(), options_of([f"{name}.{pair}" for pair in pairs], [name.casefold()]).get(
        name.casefold(), {}
    )


def _value(text: str) -> Any:
    from cnn_core.preset_files import option_value

    return option_value(text)


def _known(name: str, methods: Sequence[str], what: str) -> str:
    if name.casefold() not in methods:
        near = did_you_mean(name, methods)
        raise UserError(f"{what}: no method '{printable(name)}' is asked for{near}")
    return name.casefold()
