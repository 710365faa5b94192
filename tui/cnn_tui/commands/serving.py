"""serve: the app in a browser."""

import errno
import ipaddress
import os
import socket
import sys
from typing import Annotated

import typer

from cnn_core.errors import UserError, printable
from cnn_core.extras import require
from cnn_tui.options import DataDir, Device, RunsDir
from cnn_tui.output import narrate


def serve(
    runs_dir: RunsDir,
    data_dir: DataDir,
    device: Device = "auto",
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    windows: Annotated[
        int,
        typer.Option(
            "--windows",
            metavar="N",
            min=1,
            help="Most windows at a time, each a process of its own.",
        ),
    ] = 4,
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Let other machines in, without encryption."),
    ] = False,
) -> None:
    """Show the app in browsers: print the address to open, and serve until Ctrl-C.

    Each window is the app in a process of its own. A window that is closed, and the server's end,
    are closed terminals to it: a training goes on.
    """
    require("the app in a browser", "serve", "textual_serve", "aiohttp")
    listening = _listen(host, port)
    with listening:
        address, port = listening.getsockname()[:2]
        remote = not ipaddress.ip_address(address).is_loopback
        tunnel = f"ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}"
        if remote and not allow_remote:
            raise UserError(
                f"--host {printable(host)} lets other machines in, without encryption: leave it "
                f"out, and on your machine do {tunnel}; or add --allow-remote"
            )
        import asyncio

        from cnn_tui.serve.guard import Guard
        from cnn_tui.serve.server import Server
        from cnn_tui.terminal import STOPPED, over_ssh

        guard = Guard(remote=remote)
        sys.stdout.write(f"http://{_shown(address)}:{port}/?token={guard.token}\n")
        sys.stdout.flush()
        if remote:
            narrate(
                "warning: other machines are let in, and whoever reads the network reads the token "
                "and all that is shown; without --host and --allow-remote, on yours rather:",
                command=tunnel,
            )
        elif over_ssh():
            narrate("on your machine, before the address is opened there:", command=tunnel)
        narrate(
            f"that address opens the app in a browser, in up to {windows} windows; Ctrl-C ends the "
            "server, and trainings go on"
        )
        arguments = [
            *("--runs-dir", str(runs_dir.absolute()), "--data-dir", str(data_dir.absolute())),
            *("--device", device),
        ]
        asyncio.run(Server(guard, arguments, windows=windows).run(listening))
    raise typer.Exit(STOPPED)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; UserError says why it can't."""
    place = f"--host {printable(host)} --port {port}"
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (socket.gaierror, UnicodeError) as error:
        raise UserError(f"{place}: no such address here, such as 127.0.0.1: {error}") from error
    except OSError as error:
        hint = {
            errno.EADDRINUSE: f"; --port {port % 65535 + 1} is another one, 0 any free one",
            errno.EACCES: "; take a port above 1023",
            errno.EADDRNOTAVAIL: ": no address of this machine, such as 127.0.0.1",
        }.get(error.errno or 0, "")
        raise UserError(f"{place}: {os.strerror(error.errno or 0)}{hint}") from error


def _shown(address: str) -> str:
    """Return an address as it stands in a URL, this machine's name for any address."""
    ip = ipaddress.ip_address(address)
    if ip.is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if ip.version == 6 else address
