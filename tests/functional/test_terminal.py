"""Terminals that stall, hang up and stop: the work goes on, and the screen comes back whole."""

import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyte
import pytest
import working_app
from pseudo_terminal import COLUMNS, LINES, ROOT, PseudoTerminal

from cnn_tui.terminal import STOPPED, over_ssh

HANG_UPS = pytest.mark.parametrize("hang_up_signal", [True, False], ids=["signal", "no-signal"])


class Working(PseudoTerminal):
    """The working app on a terminal."""

    def __init__(self, folder: Path, *arguments: str, hang_up_signal: bool = True) -> None:
        self.folder = folder
        super().__init__(
            [working_app.__file__, folder, *arguments],
            folder=folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([f"{ROOT}/core", f"{ROOT}/tui"])},
            hang_up_signal=hang_up_signal,
        )
        self.wait_for(lambda: self.count("beats") > 5)

    def count(self, name: str) -> int:
        """Return a count of the app's."""
        path = self.folder / name
        return path.stat().st_size if path.exists() else 0

    def wait_for_more(self, name: str, more: int, *, reading: bool = True) -> None:
        """Wait until a count has grown."""
        goal = self.count(name) + more
        self.wait_for(lambda: self.count(name) >= goal, reading=reading)

    def ended(self) -> bool:
        """Whether the interface has ended."""
        return (self.folder / "ended").exists()

    def finish(self) -> str:
        """Let the work come to its end; return how it ended."""
        (self.folder / "enough").touch()
        assert self.exit_code() == 0
        return (self.folder / "done").read_text()

    def assert_usable(self) -> None:
        """Fail unless the screen is as if freshly painted, each key counts once, and it quits."""
        self.type("f" + "k" * 20)
        self.wait_for(lambda: "frozen" in self.text() and "20 keys" in self.text())
        shown, before = cells(self.screen), len(self.output)
        self.process.send_signal(signal.SIGCONT)  # which takes an empty screen and paints it
        self.wait_for(lambda: b"\x1b[?1049h" in self.output[before:])
        self.wait_for(lambda: cells(self.screen) == shown)
        self.assert_quits()

    def assert_quits(self) -> None:
        """Fail unless it ends on a key, gives the terminal back, and the work goes on."""
        self.type("q")
        self.wait_for(self.ended)
        self.wait_for_more("work", 3)
        assert self.finish() == "finished"
        assert self.left


def cells(screen: pyte.Screen) -> list[list[pyte.screens.Char]]:
    """Return what each cell of a screen shows, and how."""
    return [[screen.buffer[y][x] for x in range(COLUMNS)] for y in range(LINES)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Working]]:
    """Start the working app on a terminal, which ends with the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(
            Working(tmp_path, *arguments, **options)
        )


def test_on_a_good_terminal_it_draws_and_leaves_it_as_it_was(start):
    terminal = start()
    assert not terminal.left
    terminal.assert_usable()


def test_what_libraries_in_c_write_does_not_tear_the_picture(start):
    terminal = start()
    terminal.type("c")
    terminal.wait_for(lambda: terminal.count("complaints") == 1)
    terminal.assert_usable()
    assert b"COMPLAINT" not in terminal.output
    assert b"and complains no more" in terminal.output


@HANG_UPS
@pytest.mark.parametrize("stalled", [False, True], ids=["reading", "stalled"])
def test_the_work_outlives_its_terminal(start, hang_up_signal, stalled):
    terminal = start(hang_up_signal=hang_up_signal)
    if stalled:
        terminal.wait_for_more("beats", 60, reading=False)
    terminal.close()
    terminal.wait_for(terminal.ended)
    used_s, began = terminal.cpu_s(), time.monotonic()
    terminal.wait_for_more("work", 40)
    # A thread that spins on the dead terminal takes all of a processor.
    assert terminal.cpu_s() - used_s < 0.2 * (time.monotonic() - began)
    assert terminal.finish() == "finished"


def test_a_second_hang_up_signal_does_not_end_the_work(start):
    terminal = start()
    terminal.close()
    terminal.wait_for(terminal.ended)
    terminal.process.send_signal(signal.SIGHUP)  # as shells send to their jobs
    terminal.wait_for_more("work", 3)
    assert terminal.finish() == "finished"


def test_a_hang_up_signal_alone_gives_the_terminal_back(start):
    terminal = start()
    terminal.process.send_signal(signal.SIGHUP)
    terminal.wait_for(terminal.ended)
    terminal.wait_for(lambda: terminal.left)
    terminal.close()
    assert terminal.finish() == "finished"


@pytest.mark.parametrize("synchronised", [False, True], ids=["plain", "synchronised"])
def test_a_stalled_reader_stops_nothing_and_gets_a_whole_screen(start, synchronised):
    terminal = start()
    if synchronised:
        terminal.type("\x1b[?2026;2$y")
        terminal.wait_for(lambda: b"\x1b[?2026h" in terminal.output)
    works = terminal.count("work")
    terminal.wait_for_more("beats", 100, reading=False)
    assert terminal.count("work") > works + 20
    before = len(terminal.output)
    terminal.assert_usable()
    # What was drawn for nobody is not shown to them later: 100 frames are some 300 KB.
    assert len(terminal.output) - before < 250_000
    brackets = re.findall(rb"\x1b\[\?2026([hl])", terminal.output)
    assert b"".join(brackets) == b"hl" * (len(brackets) // 2)
    assert bool(brackets) == synchronised


def test_settings_survive_a_stall(start):
    terminal = start()
    terminal.wait_for_more("beats", 60, reading=False)
    terminal.type("b" * 3)
    terminal.wait_for_more("beats", 5, reading=False)
    before = len(terminal.output)
    terminal.wait_for_more("beats", 20)
    assert terminal.output[before:].count(b"\a") == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "stalled", [False, pytest.param(True, marks=pytest.mark.long)], ids=["reading", "stalled"]
)
def test_a_signal_stops_the_work_and_gives_the_terminal_back(start, number, stalled):
    terminal = start()
    if stalled:
        terminal.wait_for_more("beats", 60, reading=False)
    terminal.process.send_signal(number)
    assert terminal.exit_code(reading=not stalled) == STOPPED
    assert (terminal.folder / "done").read_text() == "stopped"
    assert terminal.left


def test_signals_count_while_the_work_is_awaited(start):
    terminal = start("deaf")
    terminal.type("q")
    terminal.wait_for(terminal.ended)
    terminal.process.send_signal(signal.SIGTERM)
    terminal.wait_for_more("work", 3)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.exit_code() == working_app.ABORTED
    assert not (terminal.folder / "done").exists()


def test_a_signal_while_the_work_is_awaited_is_the_exit_code(start):
    terminal = start()
    terminal.type("q")
    terminal.wait_for(terminal.ended)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.exit_code() == STOPPED
    assert (terminal.folder / "done").read_text() == "stopped"


def test_stopped_without_warning_it_comes_back_whole(start):
    terminal = start()
    for _ in range(3):
        terminal.process.send_signal(signal.SIGSTOP)
        terminal.wait_until_stopped()
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_for_more("beats", 5)
    terminal.assert_usable()


def test_stopped_by_its_key_it_leaves_the_terminal_and_comes_back_whole(start):
    terminal = start()
    for _ in range(3):
        terminal.type("\x1a")
        terminal.wait_until_stopped()
        terminal.wait_for(lambda: terminal.left)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_for_more("beats", 5)
    terminal.assert_usable()


def test_a_terminal_closed_while_it_is_stopped_ends_the_interface_alone(start):
    terminal = start()
    terminal.type("\x1a")
    terminal.wait_until_stopped()
    terminal.close()
    terminal.process.send_signal(signal.SIGCONT)
    terminal.wait_for(terminal.ended)
    assert terminal.finish() == "finished"


def test_garbled_input_is_no_failure(start):
    terminal = start()
    chance = random.Random(0)
    terminal.type("\x1b[20:27:8A\x1b[86012377P\x1b[254774174583A")
    # Not the keys that mean something, and nothing that begins a paste without an end.
    noise = bytes(chance.randrange(0x80, 0x100) for _ in range(2000))
    terminal.type(noise)
    terminal.wait_for_more("beats", 10)
    terminal.assert_usable()


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY"])
def test_a_session_over_ssh_is_told_by_its_variables(monkeypatch, name):
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("SSH_TTY", raising=False)
    assert not over_ssh()
    monkeypatch.setenv(name, "10.0.0.1 50000 10.0.0.2 22")
    assert over_ssh()
