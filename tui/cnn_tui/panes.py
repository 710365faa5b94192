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
LAYOUTS = ("single", "tall", "medium", "wide")


def layout_for(width: int, height: int) -> str:
    """Return the layout for a window: one pane, one column, or several columns."""
    if height < 28 or (width < 100 and height < 44):
        return "single"
    if width < 100:
        return "tall"
    return "wide" if width >= 160 else "medium"


def shown_panes(layout: str, hidden: Collection[str], only: str | None) -> list[str]:
    """Return the panes to show: ``only`` one, or those not in ``hidden``.

    Each layout has panes of its own hidden, as "medium:rate".
    """
    if only is not None or layout == "single":
        return [only or "loss"]
    return [pane for pane in PANES if f"{layout}:{pane}" not in hidden]
