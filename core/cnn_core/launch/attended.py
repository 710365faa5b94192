"""A job's command as a child of a process that a cluster has started for it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cnn_core.launch.jobs import Job, command_line
from cnn_core.launch.local import available_cpus
from cnn_core.launch.parent import PARENT
from cnn_core.regular_files import append_regular


class Attended:
    """The command of a job, sent to a cluster: made here, run there.

    It runs in the folder that it was sent from, and ends with a checkpoint when the process that
    attends to it is gone.
    """

    def __init__(self, job: Job, variables: Mapping[str, str] | None = None) -> None:
        """``variables`` are set for it, over those of the machine where it runs."""
        self.job, self._command = job, command_line(job)
        self._folder = Path.cwd()
        self._variables = dict(variables or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = self._ended = False

    def run(self) -> int:
        """Run it to its end and return its exit code, below 0 where a signal ended it."""
        self.start()
        return self.wait()

    def start(self) -> None:
        """Start the command."""
        environment = os.environ | self._variables | {PARENT: str(os.getpid())}
        environment.setdefault("OMP_NUM_THREADS", str(available_cpus()))
        with append_regular(self.job.log) as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # what ends that of its parent is not for the command
            )
        if self._asked:
            self._signal()

    def stop(self) -> None:
        """Send it SIGTERM, or do so once it has begun."""
        self._asked = True
        self._signal()

    def wait(self) -> int:
        """Return its exit code once it has one; also from a handler that interrupts a wait."""
        process = self._process
        assert process is not None
        # Not process.wait(), which holds a lock that a handler would wait for in vain.
        _, status = os.waitpid(process.pid, 0)
        self._ended = True
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode

    def _signal(self) -> None:
        if self._process is not None and not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
