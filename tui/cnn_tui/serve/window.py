"""A window: the app in a process of its own, on a pseudo-terminal that the server holds."""

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

_PIECE_BYTES = 16 * 1024
_MOST_CELLS = 1000
"""In either direction, whatever a browser asks for: the app draws every one of them."""

# Of the terminal in which the server was started, and so not true of this one.
_NOT_OURS = (
    *("COLUMNS", "LINES", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "LC_TERMINAL", "TMUX", "STY"),
    *(
        "KITTY_WINDOW_ID",
        "GHOSTTY_RESOURCES_DIR",
        "WEZTERM_PANE",
        "ITERM_SESSION_ID",
        "VTE_VERSION",
    ),
)


class Window:
    """The app on a terminal; ``read`` what it shows, ``write`` keys, ``hang_up`` at the end."""

    def __init__(self, process: Process, terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.create_task(process.wait())

    @classmethod
    async def open(cls, arguments: Sequence[str], columns: int, lines: int) -> Self:
        """Start ``cnn-tui ARGUMENTS`` on a terminal of this size; raises OSError."""
        ours, its = pty.openpty()
        try:
            _set_size(ours, columns, lines)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                # No module of the folder in which the server was started.
                *("-P", "-m", "cnn_tui.serve.window_process", *arguments),
                stdin=its,
                stdout=its,
                stderr=its,
                start_new_session=True,
                env=_environment(os.environ),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(its)
        os.set_blocking(ours, False)
        return cls(process, ours)

    async def read(self) -> bytes:
        """Return what the app wrote, nothing once it has ended.

        Unread, it fills the terminal, and the app leaves frames out.
        """
        while True:
            try:
                return os.read(self._terminal, _PIECE_BYTES)
            except BlockingIOError:
                if self._ended.done():  # a process that it left behind holds the terminal
                    return b""
                await self._wait(self._loop.add_reader, self._loop.remove_reader)
            except OSError:  # EIO: the app was the last to hold the other end
                return b""

    async def write(self, data: bytes) -> None:
        """Send keys; dropped if the app has ended."""
        while data and not self._ended.done():
            try:
                data = data[os.write(self._terminal, data) :]
            except BlockingIOError:
                await self._wait(self._loop.add_writer, self._loop.remove_writer)

    def resize(self, columns: int, lines: int) -> None:
        """Tell the app of a new size, in cells."""
        _set_size(self._terminal, columns, lines)

    def hang_up(self) -> None:
        """Close the terminal; no one may read or write any more. A training goes on."""
        os.close(self._terminal)

    async def _wait(
        self, add: Callable[[int, Callable[[], Any]], Any], remove: Callable[[int], Any]
    ) -> None:
        ready = asyncio.Event()
        add(self._terminal, ready.set)
        waiting = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait({waiting, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            remove(self._terminal)


def _set_size(terminal: int, columns: int, lines: int) -> None:
    columns, lines = (min(max(count, 1), _MOST_CELLS) for count in (columns, lines))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in _NOT_OURS}
    return kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
