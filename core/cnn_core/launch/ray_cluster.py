"""Jobs on a Ray cluster: one that is there, or one started on this machine."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Self

from cnn_core.errors import UserError, first_line, printable
from cnn_core.extras import require
from cnn_core.launch.attended import Attended
from cnn_core.launch.jobs import Job, Launcher, LaunchOptions, Running
from cnn_core.launch.local import available_cpus, default_slots, visible_gpus
from cnn_core.launch.option_checks import check_options

OPTIONS: dict[str, type] = {"address": str, "gpus": float, "cpus": float}
# Read when ray is imported. Its workers kill their children outright when they end; ours are to
# save a checkpoint first, which they do once their parent is gone.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_kill_child_processes_on_worker_exit": "0",
}
_CRASHED, _NOT_BEGUN = -9, -15
_PATIENCE_S = 5.0


class RayLauncher(Launcher):
    """Each job is an actor that holds GPUs and cores of a node; Ray waits until some are free.

    Jobs end with a checkpoint when this process does, however that happens.
    """

    def __init__(self, workers: int | None, device: str, options: LaunchOptions) -> None:
        """Raise UserError for an unknown option, or where ray is missing."""
        check_options("ray", options, OPTIONS)
        require("the ray launcher", "ray", "ray")
        self._address: str | None = options.get("address")
        self.workers = workers or default_slots()
        self._local_gpus = len(visible_gpus()) if device in ("auto", "cuda") else 0
        shared = min(1.0, self._local_gpus / self.workers)
        on_cluster = 1.0 if device.startswith("cuda") else 0.0
        self._gpus = float(options.get("gpus", on_cluster if self._address else shared))
        cpus = 1 if self._address else max(1, available_cpus() // self.workers)
        self._cpus = float(options.get("cpus", cpus))

    def __enter__(self) -> Self:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        import ray
        from ray._private import worker

        # Notes of the cluster on what befell our workers, which Ray writes to stdout.
        worker._worker_logs_enabled = False
        local: dict[str, Any] = {
            "num_cpus": self.workers * max(1, round(self._cpus)),
            "num_gpus": self._local_gpus,
            "include_dashboard": False,
        }
        try:
            if self._address not in (None, "auto"):
                _knock(str(self._address))
            with _on_stderr(), _keeping_signals():
                ray.init(
                    address=self._address or "local",
                    logging_level=logging.CRITICAL,
                    log_to_driver=False,
                    **({} if self._address else local),
                )
        # Whatever keeps it from a cluster (another version, no such host, a full disk).
        except Exception as error:
            place = f"cluster {printable(self._address)}" if self._address else "a local cluster"
            raise UserError(f"Ray: can't reach {place}: {first_line(error)}") from error
        return self

    def __exit__(self, *exc: object) -> None:
        import ray

        ray.shutdown()

    def start(self, jobs: Sequence[Job]) -> list[Running]:
        """Hand the jobs to Ray."""
        return [RayJob(job, self._cpus, self._gpus) for job in jobs]


class Seat(Attended):
    """A job on the node that Ray found for it."""

    def begun(self) -> bool:
        """Answer, which shows that there is a node."""
        return True


class RayJob(Running):
    """A job that holds its share of a node as long as it runs."""

    def __init__(self, job: Job, cpus: float, gpus: float) -> None:
        import ray

        self.job = job
        made: Any = ray.remote(Seat)
        actor = made.options(
            num_cpus=cpus,
            num_gpus=gpus,
            max_concurrency=2,  # it is asked to stop while it runs
            runtime_env={"env_vars": {name: os.environ[name] for name in _QUIET}},
        )
        self._actor: Any = actor.remote(job, _own_variables(max(1, int(cpus))))
        self._begun = self._actor.begun.remote()
        self._end = self._actor.run.remote()
        self._code: int | None = None
        self.id = f"actor {self._actor._actor_id.hex()}"

    def poll(self) -> int | None:
        """Return the command's exit code; below 0 too where its node or its worker died."""
        import ray

        if self._code is None and ray.wait([self._end], timeout=0)[0]:
            try:
                self._code = int(ray.get(self._end))
            except ray.exceptions.RayError:
                self._code = _CRASHED if self._has_begun else _NOT_BEGUN
            ray.kill(self._actor)  # so that another job has what it held
        return self._code

    def stop(self) -> None:
        """Send the command SIGTERM; a job that waits for a node waits no more."""
        import ray

        if self._has_begun:
            self._actor.stop.remote()
        else:
            ray.kill(self._actor)

    @property
    def _has_begun(self) -> bool:
        import ray

        if not ray.wait([self._begun], timeout=0)[0]:
            return False
        try:
            return bool(ray.get(self._begun))
        except ray.exceptions.RayError:  # killed before
            return False


def _own_variables(threads: int) -> dict[str, str]:
    """Return the environment that a job has of us: all but what Ray sets for each worker."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RAY_") and name != "CUDA_VISIBLE_DEVICES"
    }
    return {"OMP_NUM_THREADS": str(threads)} | ours


def _knock(address: str) -> None:
    """Raise OSError or ValueError where nothing answers: Ray would end this process for that."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()


@contextlib.contextmanager
def _keeping_signals() -> Iterator[None]:
    """Take SIGTERM back from Ray, which would end this process by it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _on_stderr() -> Iterator[None]:
    """Send what is printed to stdout to stderr: stdout is for data."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
