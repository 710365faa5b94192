"""The thread of this process that trains: one run at a time, then whatever waits in the queue."""

import logging
import threading
from pathlib import Path

from cnn_core.errors import CnnTuiError
from cnn_core.runs.queue import Queue
from cnn_core.training.control import Control
from cnn_tui.ending import Ending
from cnn_tui.notify import Notifier, Notify
from cnn_tui.workplace import Workplace

_log = logging.getLogger(__name__)


class TrainingSlot:
    """Trains runs in a thread that knows no screen: whoever watches reads the run's files.

    It is no daemon thread: a process whose interface is gone lives until training ends.
    """

    def __init__(self, workplace: Workplace, notify: Notify | None = None) -> None:
        self._workplace = workplace
        self.notifier = Notifier(
            notify or Notify(), tell=lambda text: self._errors.append(text), ring=self._ring
        )
        self._rung: Path | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._control = Control()
        self._closing = False
        self.queue = Queue(workplace.runs_dir)
        # Runs left waiting by an earlier session start when told to, not by a look at them.
        self.queue_on = False
        self.current: Path | None = None
        self.refused: dict[str, str] = {}  # why runs could not be trained at all, by id
        self._errors: list[str] = []

    @property
    def busy(self) -> bool:
        """Whether the thread trains."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, run_dir: Path) -> bool:
        """Train the run now and the queue after it; False where another one is being trained."""
        with self._lock:
            if self.busy or self._closing:
                return False
            self._begin(run_dir)
            return True

    def enqueue(self, run_dir: Path) -> None:
        """Let the run wait its turn, and the queue go on; raises UserError as the queue does."""
        self.queue.add(run_dir.name)
        self.queue_on = True

    def start_waiting(self) -> bool:
        """Train the queue if a run waits in it and this thread is idle."""
        with self._lock:
            if self.busy or self._closing or not self.queue_on or not self.queue.ids():
                return False
            self._begin(None)
            return True

    def close(self, *, stop: bool) -> None:
        """Take no further run from now on; with ``stop`` end this one with a checkpoint."""
        with self._lock:
            self._closing = True
            if stop:
                self._control.request("stop")

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; return whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.busy

    def take_errors(self) -> list[str]:
        """Return why runs could not be trained at all, or wait, once; the rest is in the run."""
        errors, self._errors = self._errors, []
        return errors

    def take_bell(self) -> Path | None:
        """Return once the run for whose end the bell shall ring."""
        rung, self._rung = self._rung, None
        return rung

    def _ring(self, ending: Ending) -> None:
        self._rung = ending.folder

    def _begin(self, run_dir: Path | None) -> None:
        self.current = run_dir
        self._thread = threading.Thread(target=self._work, args=(run_dir,), name="training")
        self._thread.start()

    def _work(self, run_dir: Path | None) -> None:
        hold = None
        try:
            while True:
                if run_dir is not None:
                    began = self._train(run_dir)
                    self.current = None
                    if not began and hold is not None:  # taken in the moment of closing
                        self.queue.add(run_dir.name)
                        self.queue.move(run_dir.name, -len(self.queue.ids()))
                if self._closing or not self.queue_on:
                    return
                # Only one process takes from a queue: another one's turn is not ours.
                hold = hold or self.queue.try_hold()
                taken = self.queue.take() if hold else None
                if taken is None:
                    return
                run_dir = self._workplace.runs_dir / taken
        except (CnnTuiError, OSError) as error:
            self._errors.append(f"queue: {error}")
        finally:
            if hold is not None:
                hold.release()

    def _train(self, run_dir: Path) -> bool:
        """Train the run to its end; return False if the slot was told to stop before it began."""
        with self._lock:
            if self._closing and self._control.stopping:
                return False
            self._control = Control()
            self.current = run_dir
            self.refused.pop(run_dir.name, None)
        try:
            from cnn_core.runs.session import train_run  # loads torch
            from cnn_core.training.events import Notice

            place = self._workplace
            events = train_run(
                run_dir,
                self._control,
                data_dir=place.data_dir,
                cache_dir=place.cache_dir,
                device=place.device,
            )
            for event in self.notifier.watched(run_dir, events):
                if isinstance(event, Notice) and event.level == "error":  # maybe in no log
                    self._errors.append(event.text)
        except (CnnTuiError, OSError) as error:
            self._refuse(run_dir, str(error))
        except Exception as error:  # noqa: BLE001  (the thread must live on for the queue)
            _log.exception("training %s ended", run_dir.name)
            self._refuse(run_dir, f"{run_dir.name}: {type(error).__name__}: {error}")
        return True

    def _refuse(self, run_dir: Path, why: str) -> None:
        self._errors.append(why)
        self.refused[run_dir.name] = why
