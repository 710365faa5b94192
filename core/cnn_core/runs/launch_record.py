"""Which run the processes of one launch train: known to those that it starts anew, too."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cnn_core.runs.reader import read_summary

_KEY = "run"
# What a new start can't change. A stop on request is one of them, unless the launcher itself
# asked, to start as many processes as there are machines now: that is no restart by its count.
_ENDED = ("finished", "diverged", "stopped")


class Store(Protocol):
    """Words by key, kept by the launcher as long as it lives."""

    def check(self, keys: list[str]) -> bool:
        """Return whether all keys have a value."""

    def get(self, key: str) -> bytes:
        """Return the value of a key."""

    def set(self, key: str, value: str) -> None:
        """Set the value of a key."""


class EndedError(Exception):
    """The launch's run has ended, as ``status`` says: starting anew changes nothing."""

    def __init__(self, run_dir: Path, status: str) -> None:
        super().__init__(f"{run_dir.name} is {status}")
        self.run_dir, self.status = run_dir, status


def run_of_launch(store: Store, restarts: int, begin: Callable[[], Path]) -> Path:
    """Return the folder of the run that this launch trains, at its first start by ``begin``.

    ``restarts`` counts how often the launcher has started its processes anew after a failure.
    Raises EndedError where the run has ended for good.
    """
    if not store.check([_KEY]):
        run_dir = begin().absolute()
    else:
        known = json.loads(store.get(_KEY))
        run_dir = Path(known["run"])
        status = read_summary(run_dir)["status"]
        if status in _ENDED and (status != "stopped" or restarts > known["restarts"]):
            raise EndedError(run_dir, status)
    store.set(_KEY, json.dumps({"run": str(run_dir), "restarts": restarts}))
    return run_dir
