"""How much of a processor the drawing of charts may take from a training beside it."""

from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from textual.app import App

# Of one core, all charts of an app together, drawn because of new data.
SHARE = 0.02


# A chart looks again after this long where another one's turn comes first.
_AGAIN = 0.02


class DrawBudget:
    """Automatic drawings of all charts of an app, one after another, those first that wait longest.

    A chart asks with ``take`` and, as long as it is put off, again after ``pause`` seconds.
    """

    _of_apps: ClassVar[WeakKeyDictionary[App[Any], "DrawBudget"]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._free_at = 0.0
        self._waiting: list[object] = []

    @classmethod
    def of(cls, app: App[Any]) -> "DrawBudget":
        """Return the budget that the charts of an app share."""
        return cls._of_apps.setdefault(app, cls())

    def take(self, chart: object, now: float, seconds: float) -> bool:
        """Take a drawing of so many seconds of processor time; False while it is too early."""
        if chart not in self._waiting:
            self._waiting.append(chart)
        if now < self._free_at or self._waiting[0] is not chart:
            return False
        self.leave(chart)
        self._free_at = now + seconds / SHARE
        return True

    def leave(self, chart: object) -> None:
        """Wait no more: it was drawn for another reason, or can't be seen."""
        if chart in self._waiting:
            self._waiting.remove(chart)

    def pause(self, now: float) -> float:
        """Return in how many seconds to ask again."""
        return max(self._free_at - now, _AGAIN)
