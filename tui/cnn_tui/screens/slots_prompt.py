"""Asks how many runs of the queue shall train at once."""

from cnn_core.errors import UserError, printable
from cnn_core.launch.local import default_slots
from cnn_tui.screens.dialogs import Prompt


class SlotsPrompt(Prompt):
    """Returns the number as text; 0 is one only where a process trains in slots already."""

    def __init__(self, present: int | None) -> None:
        least = 1 if present is None else 0
        super().__init__(
            "Slots",
            str(present or default_slots()),
            text="How many of the runs that wait train at a time, each in a process of its own"
            + ("." if least else "; 0 lets no further one begin."),
            check=lambda text: check_slots(text, least),
        )


def check_slots(text: str, least: int) -> None:
    """Raise UserError unless the text is a number of slots."""
    if not (text.strip().isascii() and text.strip().isdigit() and int(text) >= least):
        raise UserError(f"slots {printable(text)!r}: expected a whole number of {least} or more")
