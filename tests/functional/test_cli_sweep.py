"""cnn-tui sweep: trials by several workers, killed, shared, stopped and extended."""

import os
import signal
import time

import psutil
import pytest

SWEEP = """
name = "rates"
preset = "digits"
trials = {trials}
[set]
"train.epochs" = 2
"data.limit" = 200
[search]
seed = 1
[parameters]
"optim.lr" = {{type = "float", low = 1e-3, high = 0.1, log = true}}
"optim.momentum" = {{type = "float", low = 0.5, high = 0.99, log = true}}
"""


@pytest.fixture
def sweep_file(cli):
    def write(trials: int, text: str = SWEEP) -> str:
        (cli.folder / "rates.toml").write_text(text.format(trials=trials))
        return "rates.toml"

    return write


def until(condition, seconds: float = 100.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def ended_runs(cli) -> int:
    return sum('"run_finished"' in log.read_text() for log in cli.runs.glob("2*/events.jsonl"))


def workers_of(process) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children()]


@pytest.mark.long
def test_a_killed_sweep_goes_on_and_trains_no_trial_twice(cli, sweep_file):
    undisturbed = 8
    process = cli.start("sweep", sweep_file(undisturbed), "--workers", "2")
    until(lambda: ended_runs(cli) >= 2)
    for pid in [*workers_of(process), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    left = cli.json("trials", "rates")
    assert left["counts"].get("finished", 0) < undisturbed

    shown = cli.json("sweep", "rates", "--workers", "2")
    assert shown["counts"] == {"finished": undisturbed}
    assert [trial["trial"] for trial in shown["trials"]] == list(range(1, undisturbed + 1))
    assert len(cli.run_dirs()) == len({trial["run"] for trial in shown["trials"]}) == undisturbed
    assert shown["best"]["value"] == max(trial["value"] for trial in shown["trials"])
    runs = {run["id"]: run for run in cli.json("runs")}
    for trial in shown["trials"]:
        run = runs[trial["run"]]
        assert run["best"]["val_acc"] == trial["value"]
        assert run["config"]["optim"]["lr"] == trial["params"]["optim.lr"]
        assert run["epoch"] == 2
    # Those that had begun are the same trials still.
    before = {trial["trial"]: (trial["run"], trial["params"]) for trial in left["trials"]}
    after = {trial["trial"]: (trial["run"], trial["params"]) for trial in shown["trials"]}
    assert {number: after[number] for number in before} == before

    listed = cli("sweeps").stdout.splitlines()
    assert listed[1].split()[:1] == ["rates"]
    table = cli("trials", "rates").stdout
    assert f"{undisturbed} finished of {undisturbed}" in table
    assert cli("sweep", "rates").stderr.startswith("all trials have ended")


@pytest.mark.long
def test_two_commands_share_a_study_and_one_that_dies_is_replaced(cli, sweep_file):
    path = sweep_file(6)
    first = cli.start("sweep", path, "--workers", "1")
    second = cli.start("sweep", path, "--workers", "1")
    until(lambda: ended_runs(cli) >= 1)
    for pid in [*workers_of(first), first.pid]:
        os.kill(pid, signal.SIGKILL)
    _, told = second.communicate()
    assert second.returncode == 0, told
    shown = cli.json("trials", "rates")
    assert shown["counts"] == {"finished": 6}
    assert len({trial["run"] for trial in shown["trials"]}) == len(cli.run_dirs()) == 6


@pytest.mark.long
def test_a_stopped_sweep_is_resumed_and_extended(cli, sweep_file):
    cli.notify(command=f'echo "$CNN_TUI_NAME $CNN_TUI_STATUS" >> {cli.folder}/told.txt')
    process = cli.start("sweep", sweep_file(40), "--workers", "1")
    until(lambda: ended_runs(cli) >= 1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130, told
    assert "stopping all trials with checkpoints" in told
    assert "cnn-tui sweep rates" in told
    ended = cli.json("trials", "rates")["counts"]["finished"]

    shown = cli.json("sweep", "rates", "--trials", str(ended + 2))
    assert shown["wanted"] == ended + 2
    assert shown["counts"] == {"finished": ended + 2}
    # Of the sweep, not of each trial.
    assert (cli.folder / "told.txt").read_text() == "rates stopped\nrates finished\n"


def test_mistakes_are_told_before_anything_is_written(cli, sweep_file):
    path = sweep_file(4, SWEEP.replace("optim.lr", "optim.rate"))
    told = cli("sweep", path, rc=2).stderr
    assert "parameters.optim.rate (line 11): unknown key" in told
    assert not cli.runs.exists()
    path = sweep_file(4, SWEEP.replace('"digits"', '"caltech101-alexnet-scratch"'))
    assert "caltech101" in cli("sweep", path, rc=2).stderr
    assert cli.run_dirs() == []
    for arguments, message in (
        (["sweep", "nowhere"], "no sweep 'nowhere'"),
        (["trials", "nowhere"], "no sweep 'nowhere'"),
        (["sweep", path, "--launcher", "slrm"], "did you mean 'slurm'?"),
        (["sweep", path, "--option", "x"], "expected KEY=VALUE"),
        (["sweep", path, "--trials", "0"], "--trials"),
    ):
        assert message in cli(*arguments, rc=2).stderr
    assert cli.json("sweeps") == []
