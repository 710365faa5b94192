"""Requests to a training of several processes: all of them heed the same ones at the same step."""

import time

from cnn_core.training.control import PAUSE_STEP_S, PROGRESS_INTERVAL_S, Control
from cnn_core.training.ranks import Ranks


class SharedControl(Control):
    """What all processes have agreed to do, of what was asked of any.

    They agree every so many steps: about as many as take half a second, a number that the first
    process reckons and tells with each agreement. Nothing waits for a device here.
    """

    def __init__(self, own: Control, ranks: Ranks) -> None:
        """``own`` takes what is asked of this process."""
        super().__init__()
        self._own, self._ranks = own, ranks
        self._steps = self._interval = 1
        self._agreed_at = time.monotonic()
        self._due = False

    def poll(self) -> None:
        """Note a step; agree where enough were done since the last time."""
        self._steps -= 1
        self._due = self._steps <= 0
        if self._due:
            self._agree(self._next_interval() if self._ranks.first else 0)
            self._steps = self._interval

    def asked_to_stop(self) -> bool:
        """Return whether this process is asked to stop, whatever the others are."""
        return self._own.asked_to_stop()

    def due(self, age_s: float) -> bool:  # noqa: ARG002
        """Return whether figures are to be told: at each agreement, whatever a clock says."""
        return self._due

    def wait_while_paused(self) -> None:
        """Return when training may go on or shall end."""
        while self.paused and not (self.stopping or self.finishing):
            time.sleep(PAUSE_STEP_S)
            self._agree(self._interval)
        self._agreed_at = time.monotonic()

    def _agree(self, interval: int) -> None:
        own = self._own
        own.poll()
        lr, checkpoint = own.take_lr(), own.take_checkpoint()
        asked = [own.stopping, own.finishing, own.paused, checkpoint, lr or 0]
        *agreed, rate, steps = self._ranks.largest([*map(float, asked), float(interval)])
        self._interval = int(steps)
        self.stopping, self.finishing, self.paused, wanted = map(bool, agreed)
        if wanted:
            self.request("checkpoint")
        if rate:
            self.request("set_lr", rate)

    def _next_interval(self) -> int:
        """Return how many steps take about as long as figures may be old; the first are slow."""
        now = time.monotonic()
        elapsed, self._agreed_at = now - self._agreed_at, now
        fitting = self._interval * PROGRESS_INTERVAL_S / max(elapsed, 1e-6)
        return max(1, min(int(fitting), 2 * self._interval))


def shared(control: Control, ranks: Ranks) -> Control:
    """Return the control to train by: of one process alone its own."""
    return control if ranks.alone else SharedControl(control, ranks)
