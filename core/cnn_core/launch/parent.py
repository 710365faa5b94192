"""A process that ends when the one that started it does, however that happened."""

import os
import signal
import threading
import time

# Set for a child: the number of the process that it may not outlive.
PARENT = "CNN_TUI_PARENT"
_LOOK_S = 0.5


def end_with_parent() -> None:
    """Where the environment names a parent, send this process SIGTERM once that is gone."""
    parent = os.environ.pop(PARENT, None)  # children of this process have another parent
    if parent is not None:
        threading.Thread(target=_watch, args=(int(parent),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
