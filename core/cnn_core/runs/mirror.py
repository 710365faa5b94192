"""Copies of a run's figures for other trackers, made from its log: live and afterwards alike."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from cnn_core.config import Tracking
from cnn_core.errors import first_line, printable
from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.runs.dotted import flatten
from cnn_core.runs.follower import EventFollower
from cnn_core.runs.reader import CONFIG, parse_config, read_created
from cnn_core.runs.summary_state import LABELS
from cnn_core.tracking.points import counting, points
from cnn_core.tracking.tracker import Tracked, Tracker, trackers_of
from cnn_core.training.events import EndStatus, RunFinished, RunStarted

_log = logging.getLogger(__name__)

_FACTS = ("device", "precision", "batch_size", "params_total", "params_trainable")
_POLL_S = 1.0
# How long a run waits at its end for trackers that are behind, and after an abortion.
_PATIENCE_S, _HASTE_S = 20.0, 2.0


class Mirror:
    """Tells a tracker what a run's log says, from its start on; raises whatever that raises."""

    def __init__(self, run_dir: Path, tracker: Tracker) -> None:
        self._run_dir, self._tracker = run_dir, tracker
        self._follower = EventFollower(run_dir)
        self._begun = False
        self._status: EndStatus | None = None
        self._time = 0.0

    def catch_up(self) -> int:
        """Pass on what was written since the last call; return the number of points."""
        events = counting(self._follower.poll())
        if not self._begun:
            started = [event for _, event in events if isinstance(event, RunStarted)]
            self._tracker.begin(_tracked(self._run_dir, started))
            self._begun = True
        for self._time, event in events:
            if isinstance(event, RunStarted | RunFinished):
                self._status = event.status if isinstance(event, RunFinished) else None
        new = [point for time, event in events for point in points(time, event)]
        if new:
            self._tracker.log(new)
        return len(new)

    def close(self) -> None:
        """Let the tracker keep everything."""
        self._tracker.close(self._status, self._time)


class Mirrors:
    """The trackers that a preset asks for, fed while the run is trained; a context manager.

    Each has a thread of its own, so that neither a slow server nor a failure holds up the
    training. Leaving waits for them, but not for ever; what fails then goes to the log.
    """

    def __init__(self, run_dir: Path, tracking: Tracking) -> None:
        self._run_dir = run_dir
        self._makers = trackers_of(run_dir, tracking)
        self._threads: list[_Copying] = []

    def start(self) -> None:
        """Begin, once the log says where this sitting of the run starts."""
        self._threads = [_Copying(self._run_dir, name, make) for name, make in self._makers.items()]

    def failures(self) -> list[str]:
        """Return what failed since the last call."""
        return [text for thread in self._threads for text in thread.failures()]

    def settle(self) -> None:
        """Wait until the trackers know all that is written, or for as long as is bearable."""
        for thread in self._threads:
            thread.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for thread in self._threads:
            thread.end(_PATIENCE_S if error is None else _HASTE_S)
        for text in self.failures():
            _log.warning("warning: %s", text)


class _Copying:
    """A thread that keeps one tracker up to date until it fails or is ended."""

    def __init__(self, run_dir: Path, name: str, make: Callable[[], Tracker]) -> None:
        self._run_dir, self._name, self._make = run_dir, name, make
        self._orders: queue.SimpleQueue[Literal["settle", "end"]] = queue.SimpleQueue()
        self._failures: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._settled = threading.Event()
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name=f"mirror {name}", daemon=True)
        self._thread.start()

    def failures(self) -> list[str]:
        """Return what failed since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._failures.get_nowait())
        return found

    def settle(self) -> None:
        """Wait until everything written so far is passed on, or for as long as is bearable."""
        self._orders.put("settle")
        if not self._settled.wait(_PATIENCE_S):
            self._give_up(_PATIENCE_S)

    def end(self, patience_s: float) -> None:
        """Pass on the rest and close the tracker, within this time."""
        self._orders.put("end")
        self._thread.join(0 if self._given_up else patience_s)
        if self._thread.is_alive() and not self._given_up:
            self._give_up(patience_s)

    def _give_up(self, after_s: float) -> None:
        self._given_up = True
        self._tell(f"it did not take everything within {after_s:g} s")

    def _run(self) -> None:
        try:
            mirror = Mirror(self._run_dir, self._make())
            order = None
            while order != "end":
                mirror.catch_up()
                if order == "settle":
                    self._settled.set()
                try:
                    order = self._orders.get(timeout=_POLL_S)
                except queue.Empty:
                    order = None
            mirror.catch_up()
            mirror.close()
        except Exception as error:  # noqa: BLE001 (whatever a tracker meets, training goes on)
            self._tell(first_line(error))
        finally:
            self._settled.set()

    def _tell(self, what: str) -> None:
        later = f"cnn-tui export {printable(self._run_dir.name)} --format {self._name}"
        self._failures.put(
            f"tracking.{self._name}: {printable(what)}; the run goes on without it, and "
            f"`{later}` copies it later"
        )


def _tracked(run_dir: Path, started: Sequence[RunStarted]) -> Tracked:
    """Return a run as trackers get to know it; UserError where its config.toml is damaged."""
    experiment = load_experiment(run_dir / CONFIG)
    config = to_toml(experiment.model_copy(update={"tracking": Tracking()}))
    settings = flatten(parse_config(config))
    return Tracked(
        run_id=run_dir.resolve().name,
        settings={
            key: value
            for key, value in settings.items()
            if key not in LABELS and not key.startswith("tracking.")
        },
        config=config,
        facts={name: str(getattr(start, name)) for start in started[-1:] for name in _FACTS},
        created=read_created(run_dir) or 0.0,
        tags=experiment.tags,
        notes=experiment.notes,
    )
