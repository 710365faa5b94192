"""Jobs as processes of this machine: one for each GPU, or several that share the cores."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Self

from cnn_core.errors import UserError, printable
from cnn_core.launch.jobs import Job, Launcher, Running, command_line, environment
from cnn_core.launch.parent import PARENT
from cnn_core.regular_files import append_regular


class LocalLauncher(Launcher):
    """Starts each job at once.

    A job ends with a checkpoint when this process does, however that happens.
    """

    def __init__(self, slots: int, device: str = "auto") -> None:
        """``slots`` is the number of jobs that share the machine.

        Where ``device`` leaves the choice open, each is given one of the GPUs.
        """
        self._gpus = visible_gpus() if device in ("auto", "cuda") else []
        self._jobs: list[LocalJob] = []
        self.workers = slots
        self._threads = max(1, available_cpus() // slots)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def start(self, jobs: Sequence[Job]) -> list[Running]:
        """Start the jobs, each with the GPU that fewest others use."""
        return [self._start(job) for job in jobs]

    def _start(self, job: Job) -> "LocalJob":
        self._jobs = [running for running in self._jobs if running.poll() is None]
        taken = [running.gpu for running in self._jobs]
        gpu = min(self._gpus, key=taken.count, default=None)
        self._jobs.append(LocalJob(job, self._threads, gpu))
        return self._jobs[-1]


class LocalJob(Running):
    """A process of its own, outside the terminal's process group."""

    def __init__(self, job: Job, threads: int, gpu: str | None) -> None:
        self.job, self.gpu = job, gpu
        variables = environment(threads, None if gpu is None else [gpu])
        try:
            with append_regular(job.log) as log:
                self._process = subprocess.Popen(
                    command_line(job),
                    env=variables | {PARENT: str(os.getpid())},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,  # Ctrl-C is for who started us, who asks in turn
                )
        except OSError as error:
            raise UserError(f"{printable(job.name)}: {error.strerror}") from error
        self.id = f"process {self._process.pid}"

    def poll(self) -> int | None:
        """Return the process's exit code."""
        return self._process.poll()

    def stop(self) -> None:
        """Send SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)


def available_cpus() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that a job may be given, as CUDA_VISIBLE_DEVICES takes them.

    Asks the driver by NVML: torch would take hold of a device.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver: no GPU
        return []
    try:
        return [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def default_slots() -> int:
    """Return how many jobs share this machine unless told otherwise.

    One for each GPU; without one, a job for each two cores: small networks use no more well.
    """
    return len(visible_gpus()) or max(1, available_cpus() // 2)
