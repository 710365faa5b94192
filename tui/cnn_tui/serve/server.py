"""The server: a page, what it is made of, and a websocket for each window."""

import asyncio
import json
import logging
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from cnn_tui.output import narrate, sentence
from cnn_tui.serve.guard import Guard
from cnn_tui.serve.window import Window
from cnn_tui.signals import leave_terminal

_HEARTBEAT_S = 30.0
_LARGEST_MESSAGE_BYTES = 1 << 20
_PATIENCE_S = 3.0
"""How long the end waits for browsers, and for windows: who goes on then is training."""

_OURS, _TEXTUAL = files("cnn_tui.serve"), files("textual_serve") / "static"
_FILES: dict[str, tuple[Traversable, str]] = {
    "page.js": (_OURS / "page.js", "text/javascript"),
    "page.css": (_OURS / "page.css", "text/css"),
    "js/textual.js": (_TEXTUAL / "js" / "textual.js", "text/javascript"),
    "css/xterm.css": (_TEXTUAL / "css" / "xterm.css", "text/css"),
    **{
        f"fonts/{name}": (_TEXTUAL / "fonts" / name, "font/ttf")
        for name in (
            "RobotoMono-VariableFont_wght.ttf",
            "RobotoMono-Italic-VariableFont_wght.ttf",
        )
    },
}
"""All that is served besides the page: nothing else on the disk can be asked for."""


class _Told(logging.Handler):
    """Tells of what the web server could not do, in a line."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):  # no HTTP, which whoever sent it was told
            return
        cause = f": {sentence(error)}" if isinstance(error, Exception) else ""
        narrate(f"{record.getMessage()}{cause}")


class Server:
    """Shows ``cnn-tui ARGUMENTS`` in at most ``windows`` windows of browsers at a time."""

    def __init__(self, guard: Guard, arguments: Sequence[str], *, windows: int) -> None:
        self._guard, self._arguments, self._most = guard, arguments, windows
        self._open = 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._processes: set[Process] = set()

    async def run(self, listening: socket.socket) -> None:
        """Serve until Ctrl-C, SIGTERM or SIGHUP; then hang up on all windows."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                loop.add_signal_handler(number, _end, number, ended)
        logger = logging.Logger("cnn-tui serve", logging.WARNING)
        logger.addHandler(_Told())
        runner = web.AppRunner(
            self._application(), access_log=None, logger=logger, shutdown_timeout=_PATIENCE_S
        )
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            await ended.wait()
        finally:
            await runner.cleanup()
        await self._wait_for_windows()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard.middleware])
        application.on_response_prepare.append(self._guard.prepare)
        application.on_shutdown.append(self._close_windows)
        application.add_routes(
            [
                web.get("/", self._page),
                web.get("/ws", self._websocket),
                web.get("/static/{name:.+}", self._file),
            ]
        )
        return application

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(body=(_OURS / "page.html").read_bytes(), content_type="text/html")

    async def _file(self, request: web.Request) -> web.Response:
        if (found := _FILES.get(request.match_info["name"])) is None:
            raise web.HTTPNotFound
        file, kind = found
        return web.Response(body=file.read_bytes(), content_type=kind)

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(
            timeout=_PATIENCE_S, heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST_MESSAGE_BYTES
        )
        await websocket.prepare(request)
        if self._open >= self._most:
            await _tell(
                websocket,
                f"All {self._most} windows are open, each a process of its own: close one and "
                "load this page again. More at a time: cnn-tui serve --windows N.",
            )
            return websocket
        self._open += 1
        self._sockets.add(websocket)
        try:
            await self._show(websocket, _size(request))
        except OSError as error:  # no process or no terminal to be had
            await _tell(websocket, f"No window could be opened: {sentence(error)}")
        finally:
            self._sockets.discard(websocket)
            self._open -= 1
        return websocket

    async def _show(self, websocket: web.WebSocketResponse, size: tuple[int, int]) -> None:
        """Be the line between a window and its browser, until one of them ends."""
        window = await Window.open(self._arguments, *size)
        self._processes.add(window.process)
        sending = asyncio.create_task(_send(window, websocket))
        try:
            async for message in websocket:
                if message.type is not WSMsgType.TEXT or not await _heed(
                    message.data, window, websocket
                ):
                    await websocket.close(
                        code=WSCloseCode.UNSUPPORTED_DATA, message=b"not what the page sends"
                    )
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            window.hang_up()

    async def _close_windows(self, _application: web.Application) -> None:
        ends = [websocket.close(code=WSCloseCode.GOING_AWAY) for websocket in self._sockets]
        await asyncio.gather(*ends)

    async def _wait_for_windows(self) -> None:
        ends = [asyncio.create_task(process.wait()) for process in self._processes]
        if ends:
            await asyncio.wait(ends, timeout=_PATIENCE_S)
        training = sum(process.returncode is None for process in self._processes)
        if training:
            narrate(
                f"training goes on in {training} process{'es' if training > 1 else ''} that were "
                "windows; cnn-tui shows it, and cnn-tui stop RUN stops it with a checkpoint"
            )


def _end(number: int, ended: asyncio.Event) -> None:
    if number == signal.SIGHUP:
        leave_terminal()
    ended.set()


def _size(request: web.Request) -> tuple[int, int]:
    """Return the columns and lines that the page asks for; the usual ones if it is unsure."""
    try:
        return int(request.query["width"]), int(request.query["height"])
    except (KeyError, ValueError):
        return 80, 24


async def _tell(websocket: web.WebSocketResponse, text: str) -> None:
    """Show a sentence where the app would be."""
    await websocket.send_bytes(text.encode())
    await websocket.close()


async def _send(window: Window, websocket: web.WebSocketResponse) -> None:
    """Send what the app writes as fast as the browser takes it, until the app ends."""
    with suppress(ConnectionError):  # the reader of the websocket sees its end as well
        while data := await window.read():
            await websocket.send_bytes(data)
        await websocket.close()


async def _heed(text: str, window: Window, websocket: web.WebSocketResponse) -> bool:
    """Do what the page asks for; return whether that is one of the things that it asks for."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return False
    match message:
        case ["stdin", str(keys)]:
            await window.write(keys.encode("utf-8", "replace"))
        case ["resize", {"width": int(columns), "height": int(lines)}]:
            window.resize(columns, lines)
        case ["ping", answer]:
            await websocket.send_json(["pong", answer])
        case ["focus" | "blur"]:  # xterm.js tells the app itself
            pass
        case _:
            return False
    return True
