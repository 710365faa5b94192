"""Stub until merged."""

from cnn_core.training.events import Event


class RunSeries:
    def fold(self, time: float, event: Event) -> None: ...
