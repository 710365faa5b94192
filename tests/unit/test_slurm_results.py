"""What a job of SLURM leaves as its result: a pickle, from which only plain values are read."""

import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cnn_core.launch.slurm import SlurmJob


class _Code:
    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.made),)


def outcome(tmp_path: Path, content: bytes) -> int | None:
    file = tmp_path / "4711_0_result.pkl"
    file.write_bytes(content)
    submitted: Any = SimpleNamespace(
        job_id="4711", done=lambda: True, paths=SimpleNamespace(result_pickle=file)
    )
    job: Any = None
    return SlurmJob(job, submitted).poll()


@pytest.mark.parametrize(
    ("result", "code"),
    [(("success", 0), 0), (("success", 130), 130), (("error", "Traceback …"), -1)],
)
def test_the_exit_code_of_the_command_is_that_of_the_job(
    tmp_path: Path, result: Any, code: int
) -> None:
    assert outcome(tmp_path, pickle.dumps(result)) == code


@pytest.mark.parametrize("result", ["x", ("success", "0"), None, ("success", [0], 3)])
def test_another_result_is_a_failure(tmp_path: Path, result: Any) -> None:
    assert outcome(tmp_path, pickle.dumps(result)) == -1


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x05."])
def test_damaged_results_are_failures(tmp_path: Path, content: bytes) -> None:
    assert outcome(tmp_path, content) == -1


def test_code_in_a_result_is_not_run(tmp_path: Path) -> None:
    assert outcome(tmp_path, pickle.dumps(("success", _Code(tmp_path / "ran")))) == -1
    assert not (tmp_path / "ran").exists()
