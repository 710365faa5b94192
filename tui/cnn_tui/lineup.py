"""The runs of a comparison: each has a letter, is followed from its folder, and can be hidden."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_core.errors import CnnTuiError
from cnn_core.runs.compare import letter
from cnn_core.runs.dotted import value_at
from cnn_tui.run_feed import RunFeed

# Where a lower value is better, so that it comes first.
_ASCENDING = ("letter", "name", "status", "timing.total_s", "params.trainable")


@dataclass(slots=True, eq=False)
class Entrant:
    """A run; ``number`` gives its letter and the style of its curves for as long as it is here.

    ``document`` is its summary (None: not read yet, or not readable), ``error`` says why the
    folder can't be read any more; what was read before stays.
    """

    run_dir: Path
    number: int
    shown: bool = True
    feed: RunFeed | None = None
    document: dict[str, Any] | None = None
    error: str = ""

    @property
    def letter(self) -> str:
        """A, B, …, Z, AA, AB, …"""
        return letter(self.number)

    @property
    def version(self) -> int:
        """Grows with the curves."""
        return self.feed.series.version if self.feed else 0

    def poll(self) -> bool:
        """Take in what was written since the last call; return whether anything changed."""
        before = self.error
        try:
            if not self.run_dir.is_dir():
                self.error = "the run's folder is gone"
                return self.error != before
            self.feed = self.feed or RunFeed(self.run_dir)
            changed = self.feed.poll() or self.document is None
            self.error = ""
        except (CnnTuiError, OSError) as error:
            self.error = str(error)
            return self.error != before
        if changed:
            self.document = self.feed.document
        return changed or self.error != before


@dataclass(slots=True)
class Lineup:
    """Runs in the order in which they are shown; ``poll`` reads files, so call it in a thread."""

    sort_key: str = "letter"
    descending: bool = False
    entrants: list[Entrant] = field(default_factory=list)

    def add(self, run_dir: Path) -> bool:
        """Add a run under the first free letter; return False if it is here already."""
        if any(entrant.run_dir == run_dir for entrant in self.entrants):
            return False
        taken = {entrant.number for entrant in self.entrants}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        self.entrants.append(Entrant(run_dir, number))
        return True

    def find(self, letter: str | None) -> Entrant | None:
        """Return the run with this letter."""
        return next((one for one in self.entrants if one.letter == letter), None)

    def poll(self) -> bool:
        """Follow all runs; return whether anything changed."""
        return sum(entrant.poll() for entrant in list(self.entrants)) > 0  # each is polled

    def ordered(self) -> list[Entrant]:
        """Return all runs, sorted; those without the value come last."""
        ranks = [(self._rank(entrant), entrant) for entrant in self.entrants]
        known = [(rank, entrant) for rank, entrant in ranks if rank is not None]
        known.sort(key=lambda ranked: ranked[0], reverse=self.descending)
        return [one for _, one in known] + [one for rank, one in ranks if rank is None]

    def compared(self) -> list[Entrant]:
        """Return the runs that are shown and readable, sorted."""
        return [one for one in self.ordered() if one.shown and one.document is not None]

    def sort_by(self, key: str) -> None:
        """Sort by a key of the summary, the best first; by the same key again, turn it round."""
        self.descending = not self.descending if key == self.sort_key else key not in _ASCENDING
        self.sort_key = key

    def _rank(self, entrant: Entrant) -> Any:
        if self.sort_key == "letter":
            return entrant.number
        value = value_at(entrant.document or {}, self.sort_key)
        return None if isinstance(value, float) and math.isnan(value) else value
