"""Few, round positions on an axis and their short labels."""

import math

Tick = tuple[float, str]

_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e4, "k"))
_LONGEST = 11


def linear_ticks(low: float, high: float, count: int) -> list[Tick]:
    """Return about ``count`` round values in ``low..high`` with labels such as 0.25 and 12k."""
    coarse = _round_step((high - low) / max(count, 1))
    if not coarse:
        return []
    fine = _round_step(coarse / 2.6)  # the one before: ends that are not round may leave room
    step = fine if fine and len(_multiples(low, high, fine, count)) <= count else coarse
    values = [float(f"{n * step:.12g}") for n in _multiples(low, high, step, 2 * count)]
    return list(zip(values, _labels(values, step), strict=True))


def _multiples(low: float, high: float, step: float, most: int) -> range:
    """Return which multiples of a step are in the range, no more than ``most`` and one."""
    first = math.ceil(low / step - 1e-9)
    # A step too small for its position (1e16 + 1) would count for ever.
    return range(first, min(math.floor(high / step + 1e-9), first + most) + 1)


def log_ticks(low: float, high: float, count: int) -> list[Tick]:
    """Return ticks of an axis that holds logarithms to base 10, between two of them."""
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    if len(decades) >= 3:
        stride = -(-len(decades) // max(count, 1))
        return [(float(power), _short(1, power)) for power in decades if power % stride == 0]
    ticks = [
        (math.log10(factor) + power, _short(factor, power))
        for power in range(math.floor(low), math.ceil(high))
        for factor in (1, 2, 5)
        if low <= math.log10(factor) + power <= high
    ]
    if 2 <= len(ticks) <= 2 * count:
        return ticks
    return [
        (math.log10(value), label)
        for value, label in linear_ticks(10.0**low, 10.0**high, count)
        if value > 0
    ]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not below ``least``."""
    if not 1e-300 < least < 1e305:
        return 0.0
    power = 10.0 ** math.floor(math.log10(least))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= least), 10 * power)


def _labels(values: list[float], step: float) -> list[str]:
    largest = max(map(abs, values), default=0.0)
    if largest < 0.01 or largest >= 1e12:
        return [_scientific(value) for value in values]
    for unit, suffix in _SUFFIXES:
        scale = 1e3 if suffix == "k" else unit
        if largest >= unit and step >= scale / 100:
            decimals = _decimals(step / scale)
            return [f"{value / scale:.{decimals}f}{suffix}" if value else "0" for value in values]
    decimals = _decimals(step)
    labels = [f"{value:.{decimals}f}" if value else "0" for value in values]
    return labels if max(map(len, labels), default=0) <= _LONGEST else [f"{v:.3g}" for v in values]


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _short(factor: int, power: int) -> str:
    return f"{factor * 10.0**power:g}" if -2 <= power <= 3 else f"{factor}e{power}"


def _scientific(value: float) -> str:
    if not value:
        return "0"
    mantissa, power = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"
