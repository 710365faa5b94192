"""A sweep's workers on their way: started, watched, begun again where one died, asked to stop."""

from collections.abc import Sequence
from pathlib import Path

from cnn_core.launch.jobs import Job, Launcher, Running
from cnn_core.search.folder import SweepFolder

STOPPED = 130
# Deaths of workers, for each of them, without a trial that ended in between: then it is not chance.
_DEATHS = 3


class Drive:
    """The workers that one process has started for a sweep; others may have started more."""

    def __init__(
        self,
        folder: SweepFolder,
        launcher: Launcher,
        workers: int,
        *,
        data_dir: Path,
        device: str,
    ) -> None:
        """Raise UserError where no worker can be started."""
        self._folder, self._launcher = folder, launcher
        self._last_request = folder.stop_request()
        self._stopping = False
        self._deaths, self._limit, self._ended = 0, _DEATHS * workers, 0
        self.given_up: str | None = None
        arguments = (
            *("sweep", folder.sweep.name, "--worker", "--device", device),
            *("--runs-dir", str(folder.runs_dir.absolute())),
            *("--data-dir", str(data_dir.absolute())),
        )
        name = folder.sweep.name
        jobs = [Job(f"{name}-{n + 1}", arguments, folder.log) for n in range(workers)]
        self._running: list[Running] = launcher.start(jobs)

    @property
    def stopping(self) -> bool:
        """Whether the workers were asked to end."""
        return self._stopping

    def stop(self) -> None:
        """Ask the workers to end with checkpoints, and once more to end at once."""
        self._stopping = True
        for running in self._running:
            running.stop()

    def poll(self, ended: int) -> bool:
        """Look after the workers; return whether any is on its way.

        ``ended`` is the number of trials that have an end by now.
        """
        if ended > self._ended:
            self._ended, self._deaths = ended, 0
        request = self._folder.stop_request()
        if request is not None and request != self._last_request and not self._stopping:
            self.given_up = request[1]
            self.stop()
        codes = [(running, running.poll()) for running in self._running]
        self._running = [running for running, code in codes if code is None]
        died = [running.job for running, code in codes if code not in (None, 0, STOPPED)]
        if died:
            self._replace(died)
        return bool(self._running)

    def _replace(self, died: Sequence[Job]) -> None:
        """Start other workers in place of those that died; what they left is taken up."""
        self._deaths += len(died)
        if self._stopping:
            return
        if self._deaths > self._limit:
            self.given_up = (
                f"workers died {self._deaths} times without a trial that ended; "
                f"{self._folder.log} may say why"
            )
            self.stop()
            return
        self._running += self._launcher.start(died)
