"""The app on terminals that go away, stall, or are told to end: no training is lost."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pseudo_terminal import PseudoTerminal

from cnn_core.runs.requests import send_request

HANG_UPS = pytest.mark.parametrize("hang_up_signal", [True, False], ids=["signal", "no-signal"])


@pytest.fixture
def start(cli) -> Iterator[Callable[..., PseudoTerminal]]:
    """Start a command on a terminal, which ends with the test."""

    def started(*arguments: str, **options: Any) -> PseudoTerminal:
        command = ["-m", "cnn_tui", *arguments]
        terminal = PseudoTerminal(
            command, folder=cli.folder, env=cli.env, zygote=cli.zygote, **options
        )
        return stack.enter_context(terminal)

    with ExitStack() as stack:
        yield started


def paused(cli, terminal: PseudoTerminal) -> None:
    """Let the training in the app come to its second epoch and wait there."""
    terminal.wait_for(lambda: any(cli.events(run, "epoch_finished") for run in cli.run_dirs()))
    send_request(cli.only_run(), "pause")  # by a command: after the end, perhaps
    terminal.wait_for(lambda: cli.events(cli.only_run(), "paused"))


@HANG_UPS
def test_a_closed_terminal_ends_the_app_and_not_its_training(
    cli, start, slow, undisturbed, hang_up_signal
):
    terminal = start(*slow, hang_up_signal=hang_up_signal)
    paused(cli, terminal)
    assert "digits" in terminal.text()
    terminal.close()
    cli("unpause", "last")
    assert terminal.exit_code() == 0
    assert cli.json("show", "last")["status"] == "finished"
    cli.assert_same_weights(cli.only_run(), undisturbed, "last")
    cli.assert_same_weights(cli.only_run(), undisturbed, "best")


def test_a_stalled_terminal_delays_no_training(cli, start, slow, undisturbed):
    terminal = start(*slow)
    paused(cli, terminal)
    cli("unpause", "last")
    terminal.wait_for(lambda: cli.events(cli.only_run(), "run_finished"), reading=False)
    cli.assert_same_weights(cli.only_run(), undisturbed, "last")
    terminal.close()
    assert terminal.exit_code() == 0


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGINT]
)
def test_a_signal_stops_with_a_checkpoint_and_leaves_the_terminal(
    cli, start, slow, undisturbed, number
):
    terminal = start(*slow)
    terminal.wait_for(lambda: any(cli.events(run, "epoch_finished") for run in cli.run_dirs()))
    terminal.process.send_signal(number)
    assert terminal.exit_code() == 130
    assert terminal.left
    assert cli.json("show", "last")["status"] == "stopped"
    cli("resume", "last")
    cli.assert_same_weights(cli.only_run(), undisturbed, "last")


@HANG_UPS
def test_without_a_training_a_closed_terminal_is_the_end(start, hang_up_signal):
    terminal = start(hang_up_signal=hang_up_signal)
    terminal.wait_for(lambda: "No runs" in terminal.text() or "Quit" in terminal.text())
    terminal.close()
    assert terminal.exit_code() == 0
