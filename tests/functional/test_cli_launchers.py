"""Runs sent to slots of this machine, to Ray and to SLURM: the same runs, which nothing loses."""

import importlib.util
import os
import signal
from pathlib import Path

import psutil
import pytest

from cnn_core.preset_files import load_experiment
from cnn_core.runs.queue import Queue
from cnn_core.runs.reader import read_summary
from cnn_core.runs.session import new_run

TINY = ("train.epochs=2", "data.limit=200")
ENDLESS = ("train.epochs=100000", "train.batch_size=16")

needs_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="ray is not installed")
needs_submitit = pytest.mark.skipif(
    not importlib.util.find_spec("submitit"), reason="submitit is not installed"
)


def new(cli, settings: tuple[str, ...], *, queue: bool = False) -> str:
    """Make a run and return its id; the command would take seconds to load torch."""
    run_dir = new_run(cli.runs, load_experiment("digits", settings))
    if queue:
        Queue(cli.runs).add(run_dir.name)
    return run_dir.name


def trains(cli, run_id: str, epochs: int = 1) -> bool:
    return len(cli.events(cli.runs / run_id, "epoch_finished")) >= epochs


def status(cli, run_id: str) -> str:
    return read_summary(cli.runs / run_id)["status"]


def process_of(run_id: str, *, launching: bool = False) -> psutil.Process | None:
    """Return the process that trains a run, or the one that waits for its end."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        named = "cnn_tui" in command and any(part.endswith(run_id) for part in command)
        if named and ("--launcher" in command) == launching:
            return process
    return None


@pytest.mark.long
def test_slots_train_at_once_and_a_killed_one_disturbs_no_other(cli):
    first, second = (new(cli, ENDLESS, queue=True) for _ in range(2))
    third, fourth = new(cli, TINY, queue=True), new(cli, ENDLESS, queue=True)
    queue = cli.start("queue", "--train", "--workers", "2")
    cli.wait_for(lambda: trains(cli, first) and cli.events(cli.runs / second, "checkpoint_saved"))
    assert Queue(cli.runs).ids() == [third, fourth]
    assert Queue(cli.runs).slots() == 2
    Queue(cli.runs).set_slots(1)
    process_of(second).kill()
    cli.wait_for(lambda: status(cli, second) == "interrupted")
    assert status(cli, first) == "running"
    Queue(cli.runs).set_slots(2)
    cli.wait_for(lambda: Queue(cli.runs).ids() == [fourth])
    Queue(cli.runs).set_slots(1)
    cli.wait_for(lambda: status(cli, third) == "finished")
    queue.send_signal(signal.SIGINT)
    out, err = queue.communicate()
    assert queue.returncode == 130, err
    assert f"{second}: its process was ended by signal 9" in err
    assert "1 run waits still" in err
    assert "Traceback" not in out + err
    assert status(cli, first) == "stopped"
    assert Queue(cli.runs).ids() == [fourth]
    assert all((cli.runs / run / "checkpoints/last.pt").is_file() for run in (first, second))


@pytest.mark.long
def test_slots_end_with_checkpoints_when_their_process_is_killed(cli):
    run = new(cli, ENDLESS, queue=True)
    queue = cli.start("queue", "--train", "--workers", "2")
    cli.wait_for(lambda: trains(cli, run))
    queue.kill()
    cli.wait_for(lambda: status(cli, run) == "stopped")


@needs_ray
@pytest.mark.long
def test_ray_trains_and_stops_with_a_checkpoint_when_its_driver_goes(cli):
    run = new(cli, ENDLESS)
    done = cli("resume", run, "--launcher", "ray", "--option", "cpus=1")
    assert done.stderr.startswith("sent to ray: actor ")
    assert done.stderr.strip() in (cli.runs / run / "log.txt").read_text()
    cli.wait_for(lambda: trains(cli, run))
    process_of(run, launching=True).kill()
    cli.wait_for(lambda: status(cli, run) == "stopped")
    cli.wait_for(lambda: process_of(run) is None)

    cli("resume", run, "--launcher", "ray")
    cli.wait_for(lambda: trains(cli, run, len(cli.events(cli.runs / run, "epoch_finished")) + 1))
    process_of(run, launching=True).terminate()
    cli.wait_for(lambda: len(cli.events(cli.runs / run, "run_finished")) == 2)
    cli.wait_for(lambda: status(cli, run) == "stopped")
    cli.wait_for(lambda: process_of(run, launching=True) is None)


@needs_ray
def test_a_ray_cluster_that_is_not_there(cli):
    nowhere = ("--launcher", "ray", "--option", "address=127.0.0.1:1")
    refused = cli("resume", new(cli, TINY), *nowhere, rc=2)
    assert "Ray: can't reach cluster 127.0.0.1:1" in refused.stderr
    assert refused.stdout == ""


@needs_submitit
@pytest.mark.long
def test_a_preempted_job_saves_a_checkpoint_and_goes_on(cli, slow, undisturbed):
    local = ("--launcher", "slurm", "--option", "cluster=local", "--headless")
    submitted = cli.start(*slow, *local)
    run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
    cli.wait_for(lambda: trains(cli, run_dir.name))
    process_of(run_dir.name).parent().send_signal(signal.SIGUSR2)
    _, err = submitted.communicate()
    assert submitted.returncode == 0, err
    assert [event["status"] for event in cli.events(run_dir, "run_finished")] == [
        "stopped",
        "finished",
    ]
    cli.assert_same_weights(run_dir, undisturbed, "last")
    cli.assert_same_weights(run_dir, undisturbed, "best")


@needs_submitit
@pytest.mark.long
def test_a_submitted_job_is_stopped_with_a_checkpoint(cli):
    local = ("--launcher", "slurm", "--option", "cluster=local")
    run = new(cli, ENDLESS)
    cli("resume", run, *local)
    cli.wait_for(lambda: trains(cli, run))
    assert "sent to slurm: job " in (cli.runs / run / "log.txt").read_text()
    process_of(run, launching=True).send_signal(signal.SIGINT)
    cli.wait_for(lambda: status(cli, run) == "stopped")
    cli.wait_for(lambda: process_of(run, launching=True) is None)


@needs_submitit
def test_what_sbatch_and_scancel_are_told(cli, tmp_path: Path):
    """The commands of SLURM, played by scripts: a job that waits until it is cancelled."""
    programs, called, states = tmp_path / "bin", tmp_path / "called", tmp_path / "states"
    programs.mkdir()
    states.write_text("JobID|State|NodeList\n4711|PENDING|\n")
    cancelled = f"echo scancel $@ >> {called}; echo '4711|CANCELLED|' >> {states}"
    for name, does in (
        ("sbatch", "echo Submitted batch job 4711"),
        ("srun", "true"),
        ("sacct", f"cat {states}"),
        ("scancel", cancelled),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    cli.env["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    options = ("slurm_partition=gpu", "timeout_min=60", "mem_gb=8", "gpus_per_node=1")
    slurm = ("--launcher", "slurm", *(part for name in options for part in ("--option", name)))
    sent = cli("run", "digits", *slurm)
    run = sent.stdout.strip()
    assert sent.stderr == "sent to slurm: job 4711\n"
    assert "sent to slurm: job 4711" in (cli.runs / run / "log.txt").read_text()
    assert status(cli, run) == "queued"
    (script,) = (cli.runs / run / "slurm").glob("*_submission.sh")
    for line in ("partition=gpu", "time=60", "mem=8GB", "gpus-per-node=1", "signal=USR2@90"):
        assert f"#SBATCH --{line}" in script.read_text()

    waits = cli.start("resume", run, *slurm, "--headless")
    cli.wait_for(lambda: (cli.runs / run / "log.txt").read_text().count("job 4711") == 2)
    waits.send_signal(signal.SIGINT)
    _, err = waits.communicate()
    assert waits.returncode == 128 + signal.SIGTERM, err
    assert called.read_text().splitlines() == [
        "scancel --state=PENDING 4711",
        "scancel --signal=TERM 4711",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "digits", "--launcher", "slrm"), "did you mean 'slurm'"),
        (("run", "digits", "--option", "gpus=1"), "give it with --launcher"),
        (("run", "digits", "--launcher", "local", "--option", "gpus=1"), "it has none"),
        (("run", "digits", "--launcher", "ray", "--queue"), "without --queue and --json"),
        (("queue", "--workers", "2"), "give --train too"),
        pytest.param(
            ("run", "digits", "--launcher", "ray", "--option", "adress=auto"),
            "did you mean 'address'?",
            marks=needs_ray,
        ),
        pytest.param(
            ("run", "digits", "--launcher", "ray", "--option", "gpus=all"),
            "expected a number of 0 or more",
            marks=needs_ray,
        ),
        pytest.param(
            ("run", "digits", "--launcher", "slurm", "--option", "partition=gpu"),
            "did you mean 'slurm_partition'?",
            marks=needs_submitit,
        ),
        pytest.param(
            ("run", "digits", "--launcher", "slurm"), "there is no sbatch", marks=needs_submitit
        ),
    ],
)
def test_mistakes_are_told_before_a_run_is_made(cli, arguments, told):
    assert told in cli(*arguments, rc=2).stderr
    assert not cli.runs.exists()
