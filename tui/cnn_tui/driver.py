"""The app's link to its terminal, which may be slow, stalled or gone at any moment."""

import codecs
import os
import re
import select
import signal
from typing import Any

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from cnn_tui.outlet import Outlet
from cnn_tui.signals import leave_terminal

_PATIENCE_S = 2.0
"""How long the end of the interface waits for a stalled terminal."""
_LOOK_S = 0.1
_READ_BYTES = 4096
_STDERR = 2

# Modes, queries, the clipboard, the bell: what is no part of the picture, and so never dropped.
_SETTING = re.compile(r"(?:\x1b\[[<=>?][0-9;]*\$?[a-zA-Z]|\x1b\].*?(?:\a|\x1b\\)|\a)+", re.DOTALL)


class PatientDriver(LinuxDriver):
    """A driver whose event loop never waits for the terminal and outlives its hang-up.

    Frames that a slow link can't carry are dropped, and the screen is painted anew once it has
    caught up. When the terminal is gone, by a signal or without, the interface ends unasked.
    """

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        assert self._file is not None, "the app runs on a terminal"
        self._output = self._file
        self._outlet: Outlet | None = None
        self._stderr: int | None = None
        self._bracketed = self._hung_up = False

    def hang_up(self) -> None:
        """End the interface because nobody is there any more; any thread and handler may call."""
        self._hung_up = True
        self._loop.call_soon_threadsafe(self._app.exit)

    def write(self, data: str) -> None:
        """Have data written, or drop it if it is a frame that the link can't carry now."""
        outlet = self._outlet  # the thread that reads keys writes too, and may do so at the end
        if outlet is None:
            return
        if data in (SYNC_START, SYNC_END):
            # The brackets of a synchronised update travel with their frame, or not at all.
            self._bracketed = data == SYNC_START
            return
        frame = not _SETTING.fullmatch(data)
        if frame and self._bracketed:
            data = SYNC_START + data + SYNC_END
        outlet.put(data.encode(self._output.encoding, "replace"), frame=frame)

    def start_application_mode(self) -> None:
        """Take the terminal: modes, input, output."""
        key_thread = self._key_thread
        self._outlet = Outlet(
            self._output.fileno(),
            caught_up=self._repaint,
            lost=self.hang_up,
        )
        self._outlet.start()
        self._silence()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._key_thread is key_thread:
            # In the background: the shell keeps the terminal, and SIGCONT brings us back here.
            self.close()

    def close(self) -> None:
        """Let go of the output, after a bounded wait for what is to be written."""
        super().close()  # the thread of the base class, which has nothing to write
        if self._outlet is not None:
            self._outlet.close(_PATIENCE_S)
            self._outlet = None
        if self._stderr is not None:
            os.dup2(self._stderr, _STDERR)
            os.close(self._stderr)
            self._stderr = None
        if self._hung_up:
            leave_terminal()

    def _silence(self) -> None:
        """Keep off the screen what libraries in C write, such as libjpeg on damaged images.

        The outlet has a descriptor of its own.
        """
        if self._stderr is None:
            self._stderr = os.dup(_STDERR)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDERR)
            os.close(nowhere)

    def run_input_thread(self) -> None:
        """Pass on keys, mouse and reports until the interface ends or the terminal is gone."""
        parser = XTermParser(self._debug)
        # A bad line may bring bytes that are no text.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], _LOOK_S)[0]:
                try:
                    data = os.read(self.fileno, _READ_BYTES)
                except BlockingIOError:  # another process of this terminal made it non-blocking
                    continue
                except OSError:  # EIO: the terminal is gone
                    data = b""
                if not data:
                    self.hang_up()
                    return
                try:
                    # No text is left of half a character; to the parser that would be the end.
                    for message in parser.feed(text) if (text := decoder.decode(data)) else ():
                        self.process_message(message)
                except (ValueError, OverflowError):
                    # A report that the line garbled, with numbers that the parser can't take.
                    parser = XTermParser(self._debug)
            for message in parser.tick():
                self.process_message(message)

    def _repaint(self) -> None:
        self._loop.call_soon_threadsafe(self._app.refresh)

    def _sigtstp_application(self, *_: Any) -> None:
        if self._auto_restart and not self._loop.is_closed():
            # Not in the handler, which may have interrupted anything.
            self._loop.call_soon_threadsafe(super()._sigtstp_application)
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: Any) -> None:
        if self._auto_restart and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._come_back)

    def _come_back(self) -> None:
        """Take the terminal again after a stop, which may have come without warning (SIGSTOP)."""
        if not self._app.is_running:
            return
        if self._outlet is not None:
            # Started twice, two threads would read the keys, and raw mode would seem the original.
            self.suspend_application_mode()
        self.resume_application_mode()
        self._app.refresh()
