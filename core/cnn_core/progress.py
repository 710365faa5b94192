"""Progress of slow preparation, yielded by the generators that do the work."""

import dataclasses


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
