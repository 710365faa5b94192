"""Commands forked from a process that has already imported what is slow to import.

Most of a short command's time goes into importing torch, torchvision and scikit-learn. The zygote
has imported these, nothing of ours, and has one thread. For each command it forks: a process with
its own arguments, environment, folder, streams, session, signals and exit code, which runs a module
as ``python -m`` does and ends as the interpreter does. A keeper between the two waits for the end.

What concerns the start itself (what is imported, closed streams, variables that the interpreter or
OpenMP read) needs a fresh process.
"""

import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

SLOW_TO_IMPORT = (
    *("torch", "torchvision", "sklearn.datasets", "sklearn.model_selection"),
    *("timm", "matplotlib.figure", "pydantic", "rich.console", "textual.app", "typer"),
)
_NUMBER = struct.Struct("i")
_CHUNK_BYTES = 1 << 16


class Forked:
    """A running command, with what tests use of ``subprocess.Popen``."""

    def __init__(self, status: int, stdout: IO[str] | None, stderr: IO[str] | None) -> None:
        self._status, self.stdout, self.stderr = status, stdout, stderr
        self.pid = self._number()
        self.returncode: int | None = None

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once there is one, minus the number of the signal that ended it."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} goes on after {timeout} s")
            self.returncode = self._number()
            os.close(self._status)
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, None if the process goes on."""
        with suppress(TimeoutError):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self) -> tuple[str, str]:
        """Return what it writes to the two streams, once it has ended."""
        with ThreadPoolExecutor(1) as beside:
            errors = beside.submit(_rest, self.stderr)
            try:
                output = _rest(self.stdout)
            except BaseException:  # such as a test's time that is over
                self.kill()  # or the other reader would wait for it
                raise
        self.wait()
        return output, errors.result()

    def _number(self) -> int:
        (number,) = _NUMBER.unpack(os.read(self._status, _NUMBER.size))
        return int(number)


def _rest(stream: IO[str] | None) -> str:
    if stream is None or stream.closed:
        return ""
    with stream:
        return stream.read()


class Zygote:
    """The process that forks; ``end()`` ends it, and so does the end of this process."""

    def __init__(self, env: Mapping[str, str], also: Sequence[str] = ()) -> None:
        """``also`` names further modules to import first, whose start is not what is tried."""
        self._requests, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(its.fileno()), *also],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                env=env,
            )

    def start(
        self,
        arguments: Sequence[str | Path],
        *,
        folder: Path,
        env: Mapping[str, str],
        terminal: int | None = None,
        controlling: bool = False,
    ) -> Forked:
        """Start what ``python ARGUMENTS`` would, that is ``-m MODULE ...``.

        Its output goes to pipes, or to a ``terminal`` in a session of its own, whose
        ``controlling`` terminal it is then if so wished.
        """
        status, its_status = os.pipe()
        request = {
            "arguments": list(map(str, arguments)),
            "folder": str(folder),
            "env": dict(env),
            "session": terminal is not None,
            "controlling": controlling,
        }
        stdout = stderr = None
        if terminal is None:
            (out, its_out), (err, its_err) = os.pipe(), os.pipe()
            stdout, stderr = os.fdopen(out, encoding="utf-8"), os.fdopen(err, encoding="utf-8")
            streams, to_close = (0, its_out, its_err), (its_out, its_err, its_status)
        else:
            streams, to_close = (terminal, terminal, terminal), (its_status,)
        message = f"{json.dumps(request)}\n".encode()
        sent = socket.send_fds(self._requests, [message], [*streams, its_status])
        self._requests.sendall(message[sent:])
        for descriptor in to_close:
            os.close(descriptor)
        return Forked(status, stdout, stderr)

    def end(self) -> None:
        """Let it end; commands that run go on."""
        self._requests.close()
        self._process.wait()


def _serve(requests: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for each request; return it, and its streams, in the process that becomes the command.

    This one ends with the last of those that could ask.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _CHUNK_BYTES, 4)
        if not message:
            sys.exit()
        while not message.endswith(b"\n"):
            message += requests.recv(_CHUNK_BYTES)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not os.fork():
            requests.close()
            *streams, status = descriptors
            command = os.fork()
            if not command:
                os.close(status)
                return json.loads(message), streams
            _keep(command, streams, status)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(command: int, streams: Sequence[int], status: int) -> None:
    """Tell the number of the command's process and then its exit code, and end."""
    for descriptor in streams:
        os.close(descriptor)
    os.write(status, _NUMBER.pack(command))
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with suppress(BrokenPipeError):  # nobody wants to know
        os.write(status, _NUMBER.pack(code))
    os._exit(0)


def _become(request: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Be what the request wants: what a shell, and then the interpreter, set up for a program."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in streams:
        os.close(descriptor)
    if request["session"]:
        os.setsid()
    if request["controlling"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        stream = open(  # noqa: SIM115
            number,
            before.mode,
            buffering=1 if name == "stderr" else -1,
            encoding=before.encoding,
            errors=before.errors,
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def main() -> None:
    """Import, serve, and in a forked process be the command."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    for name in (*SLOW_TO_IMPORT, *sys.argv[2:]):
        importlib.import_module(name)
    threads = psutil.Process().num_threads()
    assert threads == 1, f"{threads} threads: a fork would lose all but one"
    gc.collect()
    gc.freeze()  # or the end of each command would copy the pages of all that was imported
    request, streams = _serve(requests)
    _become(request, streams)
    # A shell without job control starts what runs in the background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    option, module, *arguments = request["arguments"]
    assert option == "-m"
    sys.argv = [module, *arguments]
    sys.path[0] = str(Path.cwd())
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
