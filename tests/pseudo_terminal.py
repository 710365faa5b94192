"""A terminal that tests hold in their hands: they read it, stall it, close it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pyte
from zygote import Forked, Zygote

Value = TypeVar("Value")

ROOT = Path(__file__).parents[1]
COLUMNS, LINES = 100, 30
PATIENCE_S = 120

# As a shell in a window does, so that the kernel sends SIGHUP when the window is closed.
_OWN_THE_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class _Screen(pyte.Screen):
    """A screen that begins empty whenever a program takes it, as the alternate one does."""

    def set_mode(self, *modes: int, private: bool = False) -> None:
        if private and 1049 in modes:
            self.reset()
        super().set_mode(*modes, private=private)


def _start(
    arguments: Sequence[str | Path],
    terminal: int,
    folder: Path,
    env: Mapping[str, str],
    controlling: bool,
    zygote: Zygote | None,
) -> Forked | subprocess.Popen[bytes]:
    """Start a program on a terminal: fresh, or from the zygote."""
    if zygote is not None:
        return zygote.start(
            arguments, folder=folder, env=env, terminal=terminal, controlling=controlling
        )
    command = [sys.executable]
    if controlling:
        command += ["-c", _OWN_THE_TERMINAL]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        cwd=folder,
        env=env,
    )


class PseudoTerminal:
    """A Python program on a terminal of its own; what it writes is read only while we wait.

    Without ``hang_up_signal`` it is not the program's controlling terminal: closing it then
    shows at the program's next read or write only. With a ``zygote`` it is forked from that.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        folder: Path,
        env: Mapping[str, str],
        hang_up_signal: bool = True,
        zygote: Zygote | None = None,
        term: str = "xterm-256color",
    ) -> None:
        self._ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._open = True
        self.attributes_before = self.attributes()
        self.output = b""
        self.read_at = time.monotonic()
        """When the last of the output had come, before it was made a screen of."""
        self.screen = _Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.process = _start(arguments, its, folder, {**env, "TERM": term}, hang_up_signal, zygote)
        os.close(its)

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._open:
            self.close()

    def attributes(self) -> list[Any]:
        """Return the modes of the line, such as echo."""
        return termios.tcgetattr(self._ours)

    def close(self) -> None:
        """Close the window."""
        self._open = False
        os.close(self._ours)

    def type(self, keys: str | bytes) -> None:
        """Send what a keyboard sends."""
        os.write(self._ours, keys.encode() if isinstance(keys, str) else keys)

    def wait_for(self, condition: Callable[[], Value], *, reading: bool = True) -> Value:
        """Return the condition's value once it is true; meanwhile read, or stall the program."""
        until = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            assert time.monotonic() < until, f"waited in vain; the screen:\n{self.text()}"
            if reading and self._open:
                self._read()
            else:
                time.sleep(0.02)
        return value

    def exit_code(self, *, reading: bool = True) -> int:
        """Wait for the end of the program, and read what it had to say if it could."""
        self.wait_for(lambda: self.process.poll() is not None, reading=reading)
        while self._open and self._read():
            pass
        return self.process.returncode

    def text(self) -> str:
        """Return the text on the screen."""
        return "\n".join(self.screen.display)

    def wait_until_stopped(self) -> None:
        """Wait until the program is stopped."""
        program = psutil.Process(self.process.pid)
        self.wait_for(lambda: program.status() == psutil.STATUS_STOPPED)

    def cpu_s(self) -> float:
        """Return the processor time that the program has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    @property
    def left(self) -> bool:
        """Whether the program has given the terminal back as it was."""
        modes = re.findall(rb"\x1b\[\?(1049|25|1000|2004|2026)([hl])", self.output)
        on = {mode for mode, last in dict(modes).items() if last == b"h"}
        return on <= {b"25"} and self.attributes() == self.attributes_before

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 0.02)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: the program was the last to hold the other end
            return False
        self.read_at = time.monotonic()
        self.output += data
        self._stream.feed(data)
        return bool(data)
