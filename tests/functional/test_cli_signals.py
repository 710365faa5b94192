"""Stopping, pausing, killing and resuming: nothing is lost, and nothing changes."""

import signal

import pytest
from pseudo_terminal import PseudoTerminal

from cnn_core.preset_files import load_experiment
from cnn_core.runs.session import new_run


def started(cli, *arguments: str, epochs: int = 1):
    """Start training and return process and folder once it has trained a few epochs more."""
    process = cli.start(*arguments)
    run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
    before = len(cli.events(run_dir, "epoch_finished")) if arguments[0] == "resume" else 0
    cli.wait_for(lambda: len(cli.events(run_dir, "epoch_finished")) >= before + epochs)
    return process, run_dir


def test_stopped_by_signals_it_goes_on_to_the_same_weights(cli, slow, undisturbed):
    process, run_dir = started(cli, *slow)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert "stopping after this step with a checkpoint" in err
    assert f"  cnn-tui resume {run_dir.name}\n" in err
    assert "stopped" in out
    assert cli.json("show", "last")["status"] == "stopped"
    assert (run_dir / "checkpoints/last.pt").is_file()

    process, _ = started(cli, "resume", "last")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert cli.json("show", "last")["status"] == "stopped"

    resumed = cli("resume", "last")
    assert "going on in epoch" in resumed.stderr
    assert cli.json("show", "last")["status"] == "finished"
    cli.assert_same_weights(run_dir, undisturbed, "last")
    cli.assert_same_weights(run_dir, undisturbed, "best")
    refused = cli("resume", "last", rc=2)
    assert "finished: nothing to resume" in refused.stderr


def test_killed_it_goes_on_to_the_same_weights(cli, slow, undisturbed):
    process, run_dir = started(cli, *slow)
    process.kill()
    process.communicate()
    assert cli.json("show", "last")["status"] == "interrupted"

    cli("resume", "last")
    cli.assert_same_weights(run_dir, undisturbed, "last")
    history = cli.json("show", "last")["history"]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4, 5, 6]


def test_ctrl_c_aborts_one_that_is_stopping_already(cli):
    one_step_of_seconds = ("model.options.widths=[64, 64, 64]", "train.batch_size=1000")
    settings = (part for item in one_step_of_seconds for part in ("--set", item))
    process = cli.start("run", "digits", *settings)
    run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
    cli.wait_for(lambda: cli.events(run_dir, "run_started"))
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGTERM):  # as a scheduler may
        process.send_signal(number)
    assert any("stopping after this step" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "aborted; to go on" in err
    assert "Traceback" not in err
    assert cli.json("show", "last")["status"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_schedulers_signals_leave_a_checkpoint(cli, slow, number):
    process, run_dir = started(cli, *slow, "--set", "train.epochs=100000")
    process.send_signal(signal.SIGCONT)  # SLURM's preemption sends it before the other
    process.send_signal(number)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "aborted" not in err
    assert cli.json("show", "last")["status"] == "stopped"
    assert (run_dir / "checkpoints/last.pt").is_file()


def test_other_processes_pause_and_stop_it(cli, slow):
    process, run_dir = started(cli, *slow, "--set", "train.epochs=1000")
    asked = cli("pause", "last")
    assert asked.stderr == f"asked {run_dir.name} to pause\n"
    cli.wait_for(lambda: cli.events(run_dir, "paused"))
    assert cli.json("show", "last")["status"] == "paused"
    refused = cli("resume", "last", rc=2)
    assert f"process {process.pid} on " in refused.stderr
    cli("unpause", "last")
    cli.wait_for(lambda: cli.events(run_dir, "unpaused"))
    cli("pause", "last")
    cli.wait_for(lambda: len(cli.events(run_dir, "paused")) == 2)
    cli("stop", run_dir.name[:-2])
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert cli.json("show", "last")["status"] == "stopped"
    for request in ("stop", "pause", "unpause"):
        assert "not running" in cli(request, "last", rc=2).stderr


def test_another_process_finishes_it(cli, slow):
    process, run_dir = started(cli, *slow, "--set", "train.epochs=1000")
    assert cli("finish", "last").stderr == f"asked {run_dir.name} to finish\n"
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "test accuracy" in out
    shown = cli.json("show", "last")
    assert shown["status"] == "finished"
    assert 1 <= shown["epoch"] < 1000
    assert shown["test"]["acc"] is not None
    assert "not running" in cli("finish", "last", rc=2).stderr


def test_a_queued_run_starts_and_stops_when_nobody_reads_its_events(cli):
    settings = ["train.epochs=100000", "data.limit=100"]
    run_dir = new_run(cli.runs, load_experiment("digits", settings))
    assert cli.json("show", "last")["status"] == "queued"
    process = cli.start("resume", run_dir, "--json")
    assert any("epoch_finished" in line for line in process.stdout)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() != 0
    assert cli.json("show", "last")["status"] == "stopped"
    assert (run_dir / "checkpoints/last.pt").is_file()


def test_a_closed_terminal_does_not_end_it(cli, slow, undisturbed):
    command = ["-m", "cnn_tui", *slow, "--headless"]
    with PseudoTerminal(command, folder=cli.folder, env=cli.env, zygote=cli.zygote) as terminal:
        run_dir = terminal.wait_for(cli.run_dirs)[0]
        terminal.wait_for(lambda: cli.events(run_dir, "epoch_finished"))
        terminal.close()
        assert terminal.exit_code() == 0
    assert cli.json("show", "last")["status"] == "finished"
    cli.assert_same_weights(run_dir, undisturbed, "last")


def test_a_reader_of_the_narration_that_leaves_stops_it_with_a_checkpoint(cli, slow):
    process = cli.start(*slow, "--set", "train.epochs=1000")
    assert any(line.startswith("epoch ") for line in process.stderr)
    process.stderr.close()
    assert process.wait(timeout=120) == 1
    process.stdout.close()
    assert cli.json("show", "last")["status"] == "stopped"
    assert (cli.only_run() / "checkpoints/last.pt").is_file()
