"""What benchmarks share: rounds in turn, medians, tables, and a line about the machine."""

import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def machine() -> str:
    """Return processor, cores, torch and its threads, GPU and date, for the head of a table."""
    import torch

    parts = [
        processor(),
        f"{os.cpu_count()} cores",
        f"torch {torch.__version__}",
        f"{torch.get_num_threads()} threads",
        datetime.date.today().isoformat(),
    ]
    if torch.cuda.is_available():
        parts.insert(0, torch.cuda.get_device_name())
    return ", ".join(parts)


def processor() -> str:
    """Return the processor's name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def interleaved(
    contestants: Mapping[Key, Callable[[], float]], rounds: int
) -> dict[Key, list[float]]:
    """Ask all contestants for a figure, in turn, ``rounds`` times after one that is not counted.

    So a busy moment of the machine does not fall on one contestant alone, and figures of the
    same round can be divided by each other.
    """
    figures: dict[Key, list[float]] = {key: [] for key in contestants}
    for round_ in range(rounds + 1):
        for key, measure in contestants.items():
            figure = measure()
            if round_:
                figures[key].append(figure)
    return figures


def with_words(names: Sequence[str], words: Sequence[str] | None) -> list[str]:
    """Return the names that hold any of the words, all without words; exit where none does."""
    found = [name for name in names if not words or any(word in name for word in words)]
    if not found:
        raise SystemExit(f"--only {' '.join(words or ())}: in none of: {'; '.join(names)}")
    return found


def per_second(work: Callable[[], int]) -> Callable[[], float]:
    """Return a function that does the work and returns how many of its items a second took."""

    def measure() -> float:
        started = time.perf_counter()
        done = work()
        return done / (time.perf_counter() - started)

    return measure


def median_ratio(figures: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios of figures taken in the same rounds."""
    return statistics.median(one / other for one, other in zip(figures, others, strict=True))


def spread(figures: Sequence[float], form: str) -> list[str]:
    """Return median, minimum and maximum as cells of a table."""
    return [format(f(figures), form) for f in (statistics.median, min, max)]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines of aligned columns, the first one to the left, the others to the right."""
    lines = [tuple(heads), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        ).rstrip()
        for line in lines
    )
