"""What asks for a stop, and what then ends a training at once."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnn_core.launch import attended, local
from cnn_core.launch.attended import Attended
from cnn_core.launch.jobs import Job
from cnn_core.launch.local import LocalLauncher
from cnn_core.training.control import Control
from cnn_tui.headless import stopping_on_signals
from cnn_tui.signals import STOPPING, asked_by_signals

# Waits for a second signal, and says which both were.
TOLD = """
import pathlib, signal, sys, time
came = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: came.append(signal.Signals(number).name))
print("ready", flush=True)
while len(came) < 2:
    time.sleep(0.01)
    if came:
        print(came[0], flush=True)
print(came[1], flush=True)
"""


@pytest.mark.parametrize("number", STOPPING)
def test_each_of_them_asks_and_only_ctrl_c_then_aborts(number: signal.Signals) -> None:
    control = Control()
    with stopping_on_signals(control) as signalled:
        signal.raise_signal(number)
        assert control.stopping
        assert signalled.is_set()
        for again in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            signal.raise_signal(again)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", STOPPING)
def test_who_drives_others_is_asked_once_and_by_every_ctrl_c(number: signal.Signals) -> None:
    with asked_by_signals() as asked:
        signal.raise_signal(number)
        assert asked.is_set()
        asked.clear()
        signal.raise_signal(signal.SIGTERM)  # the scheduler tells all processes of a job
        assert not asked.is_set()
        signal.raise_signal(signal.SIGINT)
        assert asked.is_set()


@pytest.mark.parametrize("place", ["slot", "cluster"])
def test_a_job_asked_twice_is_aborted(tmp_path: Path, monkeypatch, place: str) -> None:
    for module in (local, attended):
        monkeypatch.setattr(module, "command_line", lambda _: [sys.executable, "-c", TOLD])
    job = Job("x", (), tmp_path / "log")

    def wait_for(text: str) -> None:
        until = time.monotonic() + 60
        while not (job.log.exists() and text in job.log.read_text()):
            assert time.monotonic() < until
            time.sleep(0.01)

    if place == "slot":
        (running,) = LocalLauncher(1, "cpu").start([job])
    else:
        running = Attended(job)
        running.start()
    wait_for("ready")
    running.stop()
    wait_for("SIGTERM")
    running.stop()
    wait_for("SIGINT")
    while running.poll() is None if place == "slot" else running.wait():
        time.sleep(0.01)


def test_signals_that_interrupt_each_others_handlers_hang_nothing():
    code = """
import signal, sys
from contextlib import contextmanager
from pathlib import Path
from textual.app import App
from cnn_core.flag import Flag
from cnn_core.training.control import Control
from cnn_tui.headless import stopping_on_signals
from cnn_tui.signals import asked_by_signals
from cnn_tui.slot import TrainingSlot
from cnn_tui.terminal import guarded
from cnn_tui.workplace import Workplace

def interrupt(frame, kind, _):
    global line
    if kind == "line":
        line -= 1
        if not line:
            signal.raise_signal(signal.SIGUSR2)
    return interrupt

@contextmanager
def beside_app():
    asked = Flag()
    slot = TrainingSlot(Workplace(Path("runs"), Path("data"), Path("cache")))
    with guarded(App(), on_stop=lambda: (slot.close(stop=True), asked.set())):
        yield asked

for guard in (lambda: stopping_on_signals(Control()), asked_by_signals, beside_app):
    for at in range(1, 40):  # a line of the handler, or of what it calls
        with guard() as asked:
            line = at
            sys.settrace(interrupt)
            signal.raise_signal(signal.SIGTERM)
            sys.settrace(None)
            assert asked.is_set()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
