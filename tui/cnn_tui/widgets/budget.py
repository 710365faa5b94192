"""How much of a processor the drawing of charts may take from a training beside it."""

from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from textual.app import App

# Of one core, all charts of an app together, drawn because of new data.
SHARE = 0.02


class DrawBudget:
    """The time from which on the next automatic drawing may take place, for all charts."""

    _of_apps: ClassVar[WeakKeyDictionary[App[Any], "DrawBudget"]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.free_at = 0.0

    @classmethod
    def of(cls, app: App[Any]) -> "DrawBudget":
        """Return the budget that the charts of an app share."""
        return cls._of_apps.setdefault(app, cls())

    def take(self, now: float, seconds: float) -> bool:
        """Take a drawing of so many seconds of processor time; False while there is none."""
        if now < self.free_at:
            return False
        self.free_at = now + seconds / SHARE
        return True
