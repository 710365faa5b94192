"""A sweep's workers on their way: started, watched, begun again where one died, asked to stop."""

import time
from collections.abc import Sequence
from pathlib import Path

from cnn_core.launch.jobs import Job, Launcher, Running
from cnn_core.search.folder import SweepFolder
from cnn_core.search.results import SweepResults

STOPPED = 130
# Deaths of workers, for each of them, without a trial that ended in between: then it is not chance.
_DEATHS = 3
# Between looks for trials that others have left.
_AGAIN_S = 10.0


class Drive:
    """The workers that one process has started for a sweep; others may have started more.

    It is over when all trials have an end: those that others train are waited for, and taken up
    where the others leave them.
    """

    def __init__(
        self, folder: SweepFolder, launcher: Launcher, *, data_dir: Path, device: str
    ) -> None:
        self._folder, self._launcher = folder, launcher
        self._last_request = folder.stop_request()
        self._stopping = False
        self._deaths, self._ended = 0, 0
        self._next_start = 0.0
        self._running: list[Running] = []
        name = folder.sweep.name
        arguments = (
            *("sweep", name, "--worker", "--device", device),
            *("--runs-dir", str(folder.runs_dir.absolute())),
            *("--data-dir", str(data_dir.absolute())),
        )
        self._jobs = [
            Job(f"{name}-{number + 1}", arguments, folder.log) for number in range(launcher.workers)
        ]
        self.given_up: str | None = None

    @property
    def stopping(self) -> bool:
        """Whether the workers were asked to end."""
        return self._stopping

    @property
    def waiting(self) -> bool:
        """Whether only others train by now."""
        return not self._running

    def stop(self) -> None:
        """Ask the workers to end with checkpoints, and once more to end at once."""
        self._stopping = True
        for running in self._running:
            running.stop()

    def poll(self, results: SweepResults) -> bool:
        """Look after the workers; return whether there is more to wait for.

        Raises UserError where none can be started.
        """
        if results.ended > self._ended:
            self._ended, self._deaths = results.ended, 0
        request = self._folder.stop_request()
        if request is not None and request != self._last_request and not self._stopping:
            self.given_up = request[1]
            self.stop()
        codes = [(running, running.poll()) for running in self._running]
        self._running = [running for running, code in codes if code is None]
        self._mourn([running.job for running, code in codes if code not in (None, 0, STOPPED)])
        if self._stopping:
            return bool(self._running)
        if not self._running and results.open and time.monotonic() >= self._next_start:
            self._next_start = time.monotonic() + _AGAIN_S
            self._running = self._launcher.start(self._jobs[: results.open])
        return bool(self._running) or results.ended < results.wanted

    def _mourn(self, died: Sequence[Job]) -> None:
        """Start other workers in place of those that died; what they left is taken up."""
        self._deaths += len(died)
        if not died or self._stopping:
            return
        if self._deaths > _DEATHS * len(self._jobs):
            self.given_up = (
                f"workers died {self._deaths} times without a trial that ended; "
                f"{self._folder.log} may say why"
            )
            self.stop()
        else:
            self._running += self._launcher.start(died)
