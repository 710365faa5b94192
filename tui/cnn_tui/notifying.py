"""Notifications of a command, as the user's settings ask for them."""

import os
from contextlib import suppress

from cnn_tui.ending import Ending
from cnn_tui.notify import Notifier
from cnn_tui.output import complain
from cnn_tui.settings import read_config, settings_dir


def notifier() -> Notifier:
    """Return what tells of endings beside a command; UserError for a mistake in the settings."""
    return Notifier(read_config(settings_dir()).notify, tell=_tell, ring=_ring)


def _tell(failure: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        complain(f"error: {failure}")


def _ring(_ending: Ending) -> None:
    # Not through sys.stderr, which a live display holds.
    with suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\a")
