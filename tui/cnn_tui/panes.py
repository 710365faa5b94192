"""Which panes of the page of a run are shown, in which layout."""

from collections.abc import Collection

PANES = {
    "loss": "Loss",
    "accuracy": "Accuracy",
    "rate": "Rate",
    "progress": "Progress",
    "classes": "Classes",
    "log": "Log",
}
# What a layout has no room for at first.
_LEFT_OUT = frozenset({"medium:rate", "tall:rate", "tall:classes", "tall:log"})
LAYOUTS = ("single", "tall", "medium", "wide")


def layout_for(width: int, height: int) -> str:
    """Return the layout for a window: one pane, one column, or several columns."""
    if height < 28 or (width < 100 and height < 44):
        return "single"
    if width < 100:
        return "tall"
    return "wide" if width >= 160 else "medium"


def shown_panes(layout: str, toggled: Collection[str], only: str | None) -> list[str]:
    """Return the panes to show: ``only`` one, or all that the layout has room for.

    ``toggled`` holds those that the user hid, or brought into a layout that begins without
    them, as "medium:rate": each layout is remembered on its own.
    """
    if only is not None or layout == "single":
        return [only or "loss"]
    keys = {pane: f"{layout}:{pane}" for pane in PANES}
    return [pane for pane, key in keys.items() if (key in toggled) == (key in _LEFT_OUT)]
