"""Small drawings in one line of text, cheap enough for every row of a long table."""

import math
from collections.abc import Sequence

from rich.text import Text

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return at most ``width`` characters, the mean of as many equal parts of the values.

    NaN and infinity are blanks; values that are all equal stand in the middle.
    """
    count = len(values)
    if width < 1 or not count:
        return ""
    if count > width:
        edges = [index * count // width for index in range(width + 1)]
        values = [_mean(values[edges[i] : edges[i + 1]]) for i in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    if low == high:
        return "".join(_LEVELS[3] if math.isfinite(value) else " " for value in values)
    # Halved first: the span of two huge numbers has no float.
    scale = 7 / (high / 2 - low / 2) / 2
    return "".join(
        _LEVELS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values
    )


def _mean(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    if math.isfinite(mean):
        return mean
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(value / len(finite) for value in finite) if finite else math.nan


def bar(done: float, total: float, width: int) -> Text:
    """Return a bar of ``width`` cells, filled by ``done / total`` to an eighth of a cell.

    Without a total (0 or less) it is empty.
    """
    share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    full, eighths = divmod(round(share * max(width, 0) * 8), 8)
    filled = "█" * full + (_EIGHTHS[eighths] if eighths else "")
    return Text(filled.ljust(max(width, 0)), no_wrap=True, end="")
