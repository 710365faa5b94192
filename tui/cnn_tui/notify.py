"""Telling somebody who walked away that a training has ended: a bell, a command, a webhook.

What is told is the user's own choice (``[notify]`` of ``config.toml``), never a preset's.
"""

import http.client
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from cnn_core.errors import CnnTuiError, first_line, printable
from cnn_core.files import to_json
from cnn_core.training.events import EndStatus, Event, RunFinished
from cnn_tui.ending import Ending, ending_of

PATIENCE_S = 10.0
"""For the command, and for each answer of the webhook's server."""

ENDS: tuple[str, ...] = get_args(EndStatus)
_SETTLING_S = 2.0


@dataclass(frozen=True, slots=True)
class Notify:
    """The table ``[notify]``."""

    bell: bool = False
    command: str = ""
    webhook: str = field(default="", repr=False)
    on: tuple[str, ...] = ENDS


class Notifier:
    """Tells of endings in threads, so that nothing waits for it but the end of the program.

    ``tell`` gets a sentence about what failed, from those threads; ``ring`` rings the bell.
    Leaving it as a context waits for what is on its way, at most as long as that may take; Ctrl-C
    ends the waiting.
    """

    def __init__(
        self, how: Notify, *, tell: Callable[[str], object], ring: Callable[[Ending], object]
    ) -> None:
        self._how, self._tell, self._ring = how, tell, ring
        self._sent: list[tuple[threading.Thread, float]] = []

    def __enter__(self) -> "Notifier":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(KeyboardInterrupt):
            self.settle()

    def watched(self, run_dir: Path, events: Iterable[Event]) -> Iterator[Event]:
        """Yield a training's events; tell of its end once all of it is on the disk."""
        ended = False
        for event in events:
            ended = ended or isinstance(event, RunFinished)
            yield event
        if ended:  # not where it could not begin, or was aborted
            try:
                ending = ending_of(run_dir)
            except (CnnTuiError, OSError) as error:
                self._tell(f"nobody was notified: {printable(error)}")
            else:
                self.ended(ending)

    def ended(self, ending: Ending) -> None:
        """Tell of an end, unless such ends are not wished for."""
        if ending.status not in self._how.on:
            return
        if self._how.bell:
            self._ring(ending)
        if self._how.command:
            self._start(_run_command, self._how.command, ending)
        if self._how.webhook:
            self._start(_post, self._how.webhook, ending)

    def settle(self) -> None:
        """Wait for what is on its way; tell of what takes too long, and leave it."""
        for thread, until in self._sent:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                self._tell(f"{thread.name} was not waited for any longer")
        self._sent.clear()

    def _start(self, way: Callable[[str, Ending], str | None], to: str, ending: Ending) -> None:
        def send() -> None:
            failure = way(to, ending)
            if failure is not None:
                self._tell(f"{name}: {failure}")

        name = "notify.command" if way is _run_command else f"notify.webhook ({host_of(to)})"
        # A daemon: a server that never comes to an end must not keep the program.
        thread = threading.Thread(target=send, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            self._tell(f"{name}: {error}")
            return
        now = time.monotonic()
        self._sent = [sent for sent in self._sent if sent[0].is_alive()]
        self._sent.append((thread, now + PATIENCE_S + _SETTLING_S))


def host_of(url: str) -> str:
    """Return what may be shown of a webhook: who knows the rest can write to its channel.

    Raises ValueError where it is no address that something can be posted to.
    """
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an address of the web")
    if "@" in parts.netloc:
        raise ValueError("a password in an address is not sent")
    return parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"


def _run_command(command: str, ending: Ending) -> str | None:
    """Run the user's command in a shell; return what is wrong with it, None if nothing is.

    Nothing of the run is in its text: names come from elsewhere.
    """
    # Not a pipe, which what the command leaves in the background would hold open.
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command,
                shell=True,
                env={**os.environ, **ending.environment()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # ours is data
                stderr=errors,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return first_line(error)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"ended after {PATIENCE_S:.0f} s, the longest it may take"
        errors.seek(0)
        said = errors.read(1 << 16).decode(errors="replace").strip().splitlines()
    if code == 0:
        return None
    return f"exit code {code}" + (f": {printable(said[-1])}" if said else "")


class _Staying(urllib.request.HTTPRedirectHandler):
    """Takes a redirection for a refusal: the message would arrive without its document."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _post(url: str, ending: Ending) -> str | None:
    """Send the message; return what is wrong, without the address's secret, None if nothing is."""
    request = urllib.request.Request(
        url,
        data=to_json(ending.message()).encode(errors="backslashreplace"),
        headers={"Content-Type": "application/json", "User-Agent": "cnn-tui"},
    )
    try:
        with urllib.request.build_opener(_Staying).open(request, timeout=PATIENCE_S):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return f"refused with {error.code} {printable(error.reason)}".rstrip()
    except TimeoutError:
        return f"no answer within {PATIENCE_S:.0f} s"
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            return f"no answer within {PATIENCE_S:.0f} s"
        known = isinstance(reason, OSError) and reason.strerror
        return printable(known or "can't be reached")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no proper answer ({type(error).__name__})"
