"""Progress of slow preparation, yielded by the generators that do the work."""

import dataclasses
from collections.abc import Generator
from typing import TypeVar


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` items of ``what`` (total 0: not known)."""

    what: str
    done: int
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """Something the user should know: a cost stated before it is paid, images left out."""

    text: str
    warning: bool = False


Result = TypeVar("Result")

Work = Generator[Progress | Remark, None, Result]
"""Work that tells what it does and returns a result."""
