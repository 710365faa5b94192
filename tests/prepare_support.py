"""Generators that report what they do, and return a result."""

from collections.abc import Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


def finish(steps: Generator[Any, None, Result]) -> tuple[Result, list[Any]]:
    """Return the result of the work and all that it told meanwhile."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen
