"""Jobs by SLURM, as a job array that submitit submits; preempted ones are queued again."""

import io
import logging
import os
import pickle
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from cnn_core.errors import UserError, first_line, printable
from cnn_core.extras import require
from cnn_core.launch.attended import Attended
from cnn_core.launch.jobs import Job, Launcher, LaunchOptions, Running
from cnn_core.launch.option_checks import check_options
from cnn_core.regular_files import read_regular

if TYPE_CHECKING:
    import submitit

CLUSTERS = ("slurm", "local")
_GENERIC: dict[str, type] = {
    "cluster": str,
    "timeout_min": int,
    "mem_gb": float,
    "cpus_per_task": int,
    "gpus_per_node": int,
}
# Ours: the workers, one process for each job, one file of output, the name.
_TAKEN = ("job_name", "array_parallelism", "nodes", "ntasks_per_node", "num_gpus", "time")
_TIMEOUT_MIN = 240
# A run that needs longer than its time limit is queued again this often.
_TIMEOUTS = 100
_STOPPED, _FAILED, _CANCELLED = 130, -1, -15


def known_options() -> dict[str, type]:
    """Return the options by name: submitit's own, and those of sbatch that it knows."""
    from submitit.slurm.slurm import SlurmExecutor

    own = {f"slurm_{name}": object for name in SlurmExecutor._valid_parameters() - {*_TAKEN}}
    return _GENERIC | own | {"slurm_setup": list}


class SlurmLauncher(Launcher):
    """Jobs of one ``start`` are an array of which ``workers`` run at a time.

    They outlive this process. One that SLURM preempts, or whose time is over, saves a checkpoint,
    is queued again and goes on from there.
    """

    def __init__(
        self, workers: int | None, device: str, options: LaunchOptions, folder: Path
    ) -> None:
        """Raise UserError for an unknown option, without submitit, and without SLURM."""
        require("the slurm launcher", "slurm", "submitit")
        check_options("slurm", options, known_options())
        self.cluster = options.get("cluster", CLUSTERS[0])
        if self.cluster not in CLUSTERS:
            raise UserError(
                f"option cluster of the slurm launcher: '{printable(self.cluster)}', "
                f"expected one of: {', '.join(CLUSTERS)}"
            )
        if self.cluster == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
            raise UserError(
                "there is no sbatch on this machine: submit from a login node of the SLURM "
                "cluster, or try it here by option cluster=local"
            )
        self.workers = workers or 1
        self._folder = folder / "slurm"
        gpus = {"gpus_per_node": 1} if device.startswith("cuda") else {}
        self._parameters = {"timeout_min": _TIMEOUT_MIN} | gpus | options
        self._parameters.pop("cluster", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def start(self, jobs: Sequence[Job]) -> list[Running]:
        """Submit the jobs; raises UserError with what sbatch says where it refuses them."""
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        # It tells of every requeue and every slow sacct; what matters is in the jobs' logs.
        logging.getLogger("submitit").setLevel(logging.ERROR)
        try:
            executor = submitit.AutoExecutor(
                self._folder, cluster=self.cluster, slurm_max_num_timeout=_TIMEOUTS
            )
            executor.update_parameters(
                name=jobs[0].name, slurm_array_parallelism=self.workers, **self._parameters
            )
            with _deaf_to_ctrl_c(), executor.batch():
                made = [executor.submit(Requeued(job)) for job in jobs]
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            raise UserError(f"sbatch refused {jobs[0].name}: {first_line(error)}") from error
        return [SlurmJob(job, submitted) for job, submitted in zip(jobs, made, strict=True)]


class SlurmJob(Running):
    """A submitted job; its outcome is a file that submitit writes."""

    def __init__(self, job: Job, submitted: "submitit.Job[int]") -> None:
        self.job = job
        self.id = f"job {submitted.job_id}"
        self._submitted, self._stopped = submitted, False

    def poll(self) -> int | None:
        """Return the command's exit code; below 0 where the job was cancelled, or failed."""
        if not self._submitted.done():
            return None
        try:
            outcome, value = _outcome(self._submitted.paths.result_pickle)
        except (OSError, EOFError):  # cancelled before it began, or killed
            return _CANCELLED if self._stopped else _FAILED
        except Exception:  # noqa: BLE001 - on other bytes the unpickler raises almost anything
            return _FAILED
        return value if outcome == "success" and isinstance(value, int) else _FAILED

    def stop(self) -> None:
        """Cancel it if it waits, else let it end with a checkpoint; the second time, cancel it."""
        import submitit

        again, self._stopped = self._stopped, True
        if isinstance(self._submitted, submitit.LocalJob):
            process = self._submitted._process
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
            return
        job_id = self._submitted.job_id
        asked = (
            [["scancel", job_id]]
            if again
            else [
                ["scancel", "--state=PENDING", job_id],
                ["scancel", "--signal=TERM", job_id],
            ]
        )
        for command in asked:
            subprocess.run(command, capture_output=True, check=False)


class _PlainUnpickler(pickle.Unpickler):
    """Reads numbers, text and containers: what a file names to be called is not looked up."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a result")


def _outcome(path: Path) -> tuple[str, int | str]:
    """Return ("success", exit code) or ("error", traceback) of a job."""
    outcome, value = _PlainUnpickler(io.BytesIO(read_regular(path))).load()
    return outcome, value


class Requeued(Attended):
    """What submitit calls on the node, and asks for a checkpoint before it queues it again."""

    def __call__(self) -> int:
        """Run the command to its end and return its exit code."""
        signal.signal(signal.SIGTERM, self._pass_on)
        # SLURM signals all processes of a step, and the command would die of this one: it starts,
        # and stays, with the signal blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, {_preemption()})
        self.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {_preemption()})
        return self.wait()

    def checkpoint(self) -> Any:
        """Let the command end with a checkpoint; return what goes on, None if nothing is left."""
        from submitit.helpers import DelayedSubmission

        if not self._asked:
            self.stop()
        return DelayedSubmission(Requeued(self.job)) if self.wait() == _STOPPED else None

    def _pass_on(self, _number: int, _frame: FrameType | None) -> None:
        if "SLURM_JOB_ID" in os.environ:
            self._asked = True  # the command was signalled with us; a second one would abort it
        else:
            self.stop()


def _preemption() -> signal.Signals:
    from submitit.core.job_environment import JobEnvironment

    return signal.Signals(JobEnvironment._usr_sig())


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Keep Ctrl-C in our terminal from what is started here: we are asked, and ask in turn."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
