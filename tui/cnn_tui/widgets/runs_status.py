"""The words above the table of runs, and those in its place while there are none."""

from pathlib import Path

from rich.text import Text
from textual.widgets import Static

from cnn_tui.output import literal

_ORDERS = {"-created": "newest first", "created": "oldest first"}


class RunsStatus(Static):
    """A line: how many runs are shown, and why these; or what is wrong."""

    def __init__(self) -> None:
        super().__init__("loading…")
        self._said = ""

    def tell(
        self, *, shown: int, total: int, wanted: str, sort: str, marked: int, hidden: int
    ) -> None:
        """Say how many runs are shown, by which filter and order, and how many are selected."""
        runs = f"{total:,} run{'' if total == 1 else 's'}"
        parts = [runs if shown == total else f"{shown:,} of {runs}"]
        if wanted:
            parts.append(f"filter: {wanted}")
        parts.append(_ORDERS.get(sort, f"sorted by {sort}"))
        if marked:
            parts.append(f"{marked} selected" + (f", {hidden} of them not shown" if hidden else ""))
        self._say(" · ".join(parts) if total else "", wrong=False)

    def tell_mistake(self, mistake: str) -> None:
        """Say what is wrong."""
        self._say(mistake, wrong=True)

    def _say(self, words: str, *, wrong: bool) -> None:
        if words != self._said:
            self._said = words
            self.set_class(wrong, "-error")
            self.update(literal(words))


def welcome(runs_dir: Path) -> Text:
    """Return what a folder without runs is told of."""
    return Text.assemble(
        ("No runs yet\n\n", "bold"),
        "Every training is kept as a run, in a folder of its own in ",
        literal(runs_dir),
        ".\nThis list follows them all, whoever trains them.\n\n",
        ("n   ", "bold"),
        "sets up an experiment: data, network, training\n",
        ("F1  ", "bold"),
        "tells what one can do, on every page\n\n",
        ("cnn-tui run digits", "bold"),
        "  in a shell trains a small network on 1,797\n",
        "handwritten digits within a minute; it shows up here at once.",
    )
