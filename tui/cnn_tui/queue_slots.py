"""The queue trained several runs at a time, each in a process of its own."""

import signal
from pathlib import Path

from cnn_core.errors import UserError
from cnn_core.launch.jobs import Launcher, Running
from cnn_core.launch.parent import end_with_parent
from cnn_core.runs.queue import Queue
from cnn_core.runs.reader import read_summary
from cnn_tui.output import narrate, print_facts
from cnn_tui.sending import job_of, start_job
from cnn_tui.signals import asked_by_signals
from cnn_tui.wording import result_rows

_LOOK_S = 0.2
_STOPPED = 130


class QueueSlots:
    """Trains runs that wait, until none does; the number of slots may be changed meanwhile."""

    def __init__(
        self, waiting: Queue, runs_dir: Path, launcher: Launcher, name: str, place: tuple[Path, str]
    ) -> None:
        """``name`` is the launcher's, ``place`` the folder of the data sets and the device.

        The queue is held by this process.
        """
        self._queue, self._runs_dir, self._launcher, self._name = waiting, runs_dir, launcher, name
        self._data_dir, self._device = place
        self._running: list[Running] = []
        self._code, self._stopping = 0, False

    def train(self) -> int:
        """Train and tell how each run ended; return the exit code.

        Ctrl-C and SIGTERM stop all of them with checkpoints, a further Ctrl-C at once.
        """
        self._queue.set_slots(self._launcher.workers)
        with asked_by_signals() as asked:
            end_with_parent()
            while True:
                if asked.is_set():
                    asked.clear()
                    self._stop()
                self._look()
                if not self._stopping:
                    self._fill()
                if not self._running:
                    break
                asked.wait(_LOOK_S)
        if self._stopping:
            narrate(f"{waiting_text(self._queue)} still")
            return _STOPPED
        return self._code

    def _stop(self) -> None:
        again = "ending all of them at once" if self._stopping else None
        narrate(again or "stopping all of them with checkpoints; Ctrl-C aborts at once")
        self._stopping = True
        for running in self._running:
            running.stop()

    def _fill(self) -> None:
        """Start runs that wait in the slots that are free."""
        # Jobs of a launcher are this many at most, whatever is asked for meanwhile.
        while len(self._running) < (self._queue.slots() or 0):
            run_id = self._queue.take()
            if run_id is None:
                return
            run_dir = self._runs_dir / run_id
            job = job_of(run_dir, data_dir=self._data_dir, device=self._device)
            try:
                self._running.append(start_job(self._launcher, self._name, run_dir, job))
            except UserError:
                self._put_back(run_id)
                raise
            narrate(f"training {run_id}; {waiting_text(self._queue)} after it")

    def _look(self) -> None:
        """Take note of the jobs that have ended."""
        codes = [(running, running.poll()) for running in self._running]
        self._running = [running for running, code in codes if code is None]
        for running, code in codes:
            if code is not None:
                self._take_note(running.job.name, code)

    def _take_note(self, run_id: str, code: int) -> None:
        summary = read_summary(self._runs_dir / run_id)
        if self._stopping and summary["status"] == "queued":  # it had not begun
            self._put_back(run_id)
            return
        print_facts(result_rows(summary, str(self._runs_dir / run_id)))
        if code not in (0, _STOPPED):
            ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            if code == -signal.SIGKILL:
                ended += " (so the system ends some where memory is short)"
            log = self._runs_dir / run_id / "log.txt"
            narrate(
                f"{run_id}: its process {ended}; {log} may say why; to go on:",
                command=f"cnn-tui resume {run_id}",
            )
            self._code = 1

    def _put_back(self, run_id: str) -> None:
        self._queue.add(run_id)
        self._queue.move(run_id, -len(self._queue.ids()))


def waiting_text(queue: Queue) -> str:
    """Return how many runs wait, in words."""
    count = len(queue.ids())
    return f"{count} {'run waits' if count == 1 else 'runs wait'}"
