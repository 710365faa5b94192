"""The app in a browser: who is let in, what is served, and what outlives a window."""

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.cookies import Morsel
from typing import Any

import aiohttp
import psutil
import pyte
import pytest
from browser import CHROMIUM, Browser
from cli_support import Cli
from typer.testing import CliRunner
from yarl import URL
from zygote import Forked

from cnn_tui.cli import app

PATIENCE_S = 60
CTRL_Q = "\x11"


class Served:
    """A running ``cnn-tui serve`` and the address that it printed."""

    def __init__(self, process: Forked) -> None:
        assert process.stdout is not None
        self.process = process
        self.address = URL(process.stdout.readline().strip())
        self.token = self.address.query["token"]
        self.place = self.address.with_query(None)

    def windows(self) -> list[psutil.Process]:
        """Return the processes of its windows."""
        return psutil.Process(self.process.pid).children()


@contextmanager
def serving(cli: Cli, *arguments: str) -> Iterator[Served]:
    """Serve on a free port."""
    process = cli.start("serve", "--port", "0", *arguments)
    assert isinstance(process, Forked)
    try:
        yield Served(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory, zygote) -> Iterator[Served]:
    cli = Cli(tmp_path_factory.mktemp("serve"), zygote)
    with serving(cli) as made:
        yield made
    cli.end()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A program that keeps no cookies, and so is let in by the token alone."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


class Window:
    """What a page does: it sends keys and draws what comes."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self.line = line
        self.screen = pyte.Screen(100, 30)
        self._stream = pyte.ByteStream(self.screen)

    async def type(self, keys: str) -> None:
        await self.line.send_json(["stdin", keys])

    async def shown(self, text: str) -> None:
        """Draw until the text is there."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in "\n".join(self.screen.display):
                message = await self.line.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, self.screen.display
                self._stream.feed(message.data)

    async def closed(self) -> int | None:
        """Read to the end; return the code that the server gave."""
        async with asyncio.timeout(PATIENCE_S):
            async for _ in self.line:
                pass
        return self.line.close_code


@asynccontextmanager
async def window(client: aiohttp.ClientSession, served: Served) -> AsyncIterator[Window]:
    address = served.place / "ws" % {"token": served.token, "width": 100, "height": 30}
    async with client.ws_connect(address, origin=str(served.place.origin())) as line:
        yield Window(line)


def others(served: Served) -> list[tuple[dict[str, str], str]]:
    """Return headers of those who know the token and are not to be let in all the same."""
    own = served.place.authority
    return [
        ({"Host": "evil.example"}, "not known by that name"),
        ({"Host": f"evil.example:{served.place.port}"}, "not known by that name"),
        ({"Host": f"127.0.0.1.evil.example:{served.place.port}"}, "not known by that name"),
        ({"Host": "192.168.0.1"}, "not known by that name"),
        ({"Host": "[::1"}, "not known by that name"),
        ({"Origin": "http://evil.example"}, "another site"),
        ({"Origin": f"http://{own}.evil.example"}, "another site"),
        ({"Origin": f"http://127.0.0.1:{served.place.port - 1}"}, "another site"),
        ({"Origin": "null"}, "another site"),
    ]


def refused(*arguments: str) -> str:
    """Return what a command says of the user's mistake."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("path", ["", "ws", "static/js/textual.js", "nothing"])
async def test_only_who_knows_the_token_is_let_in(served, client, path):
    for token in (None, "", "no", served.token[:-1], f"{served.token}x", "ä\0"):
        address = served.place / path % ({} if token is None else {"token": token})
        async with client.get(address) as answer:
            assert answer.status == 403
            assert "open the address that was printed" in await answer.text()
            assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["", "ws"])
async def test_pages_of_others_are_not_let_in_even_with_the_token(served, client, path):
    address = served.place / path % {"token": served.token}
    for headers, told in others(served):
        async with client.get(address, headers=headers) as answer:
            assert answer.status == 403
            assert told in await answer.text()


async def test_a_foreign_page_opens_no_websocket(served, client):
    address = served.place / "ws" % {"token": served.token}
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await client.ws_connect(address, origin="http://evil.example")
    assert served.windows() == []


async def test_the_token_gives_a_cookie_that_only_this_server_gets_and_takes(served, client):
    async with client.get(served.address) as answer:
        assert answer.status == 200
        (kept,) = answer.cookies.values()
        assert isinstance(kept, Morsel)
        assert (kept["httponly"], kept["samesite"]) == (True, "Strict")
        assert served.token not in kept.OutputString()
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        page = await answer.text()
    assert served.token not in page
    cookie = {"Cookie": f"{kept.key}={kept.value}"}
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    for link in [*links, "static/fonts/RobotoMono-Italic-VariableFont_wght.ttf"]:
        if link != "data:,":
            async with client.get(served.place.join(URL(link)), headers=cookie) as answer:
                assert answer.status == 200, link
                assert await answer.read()
    async with client.get(served.place, headers={"Cookie": f"{kept.key}={served.token}"}) as answer:
        assert answer.status == 403
    for name in ("localhost", "[::1]", "127.0.0.2"):  # behind a tunnel, with a port of its own
        async with client.get(served.place, headers={**cookie, "Host": f"{name}:9"}) as answer:
            assert answer.status == 200


async def test_nothing_else_is_served(served, client):
    for path in (
        *("static/", "static/../server.py", "static/js/../../../../app.py", "static//etc/passwd"),
        *("static/%2e%2e/server.py", "static/images/background.png", "download/x", "page.html"),
    ):
        address = URL(f"{served.place}{path}?token={served.token}", encoded=True)
        async with client.get(address) as answer:
            assert answer.status in (403, 404), path


async def test_a_window_is_the_app_on_a_terminal(served, client):
    async with window(client, served) as shown:
        await shown.shown("No runs")
        await shown.line.send_str('["stdin", "\\ud800\\u0000\\u001b]52;c;?\\u0007"]')
        await shown.type("q")
        await shown.shown("Queue")
        await shown.line.send_json(["resize", {"width": 60, "height": 10**9}])
        await shown.line.send_json(["resize", {"width": 100, "height": 30}])
        await shown.line.send_json(["focus"])
        await shown.type("\x1b")
        await shown.shown("New experiment")
        await shown.type(CTRL_Q)
        assert await shown.closed() == aiohttp.WSCloseCode.OK


@pytest.mark.parametrize("sent", ["", "[" * 100_000, '["resize", {"width": "x"}]'])
async def test_what_no_page_sends_ends_the_window(served, client, sent):
    async with window(client, served) as shown:
        await shown.line.send_str(sent)
        assert await shown.closed() == aiohttp.WSCloseCode.UNSUPPORTED_DATA


async def test_windows_are_bounded_and_end_with_the_server(cli, client):
    with serving(cli, "--windows", "1") as served:
        async with window(client, served) as first:
            await first.shown("No runs")
            (process,) = served.windows()
            async with window(client, served) as second:
                await second.shown("close one")
                assert await second.closed() == aiohttp.WSCloseCode.OK
            os.kill(served.process.pid, signal.SIGINT)
            assert await first.closed() == aiohttp.WSCloseCode.GOING_AWAY
        _, errors = await asyncio.to_thread(served.process.communicate)
        assert served.process.returncode == 130
        assert "training goes on" not in errors
        assert not process.is_running()


@pytest.mark.long
async def test_a_training_outlives_its_window_and_the_server(cli, client):
    cli("run", "digits", "--set", "train.epochs=100000", "--queue")
    run_dir = cli.only_run()

    def epochs() -> int:
        return len(cli.events(run_dir, "epoch_finished"))

    with serving(cli) as served:
        async with window(client, served) as shown:
            await shown.shown("queued")
            await shown.type("r")
            await shown.shown("train")
            await asyncio.to_thread(cli.wait_for, epochs)
        served.process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.to_thread(served.process.communicate)
        assert served.process.returncode == 130
        assert "training goes on in 1 process" in errors
    before = epochs()
    await asyncio.to_thread(cli.wait_for, lambda: epochs() > before)
    cli("stop", "last")
    await asyncio.to_thread(cli.wait_for, lambda: cli.events(run_dir, "run_finished"))
    assert cli.json("show", "last")["status"] == "stopped"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "ssh -L 8000:127.0.0.1:8000"),
        (["--host", "::"], "--allow-remote"),
        (["--host", "no host"], "no such address here"),
        (["--host", "192.0.2.1"], "no address of this machine"),
    ],
)
def test_where_it_does_not_listen(arguments, told):
    assert told in refused("serve", *arguments)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refused("serve", "--port", str(port))
    assert f"--port {port}: Address already in use; --port {port + 1} is another one" in told


async def test_other_machines_are_let_in_where_that_is_asked_for(cli, client):
    with serving(cli, "--host", "0.0.0.0", "--allow-remote") as served:
        own = served.place.with_host("127.0.0.1") % {"token": served.token}
        for name, status in ((socket.gethostname(), 200), ("10.1.2.3", 200), ("evil.example", 403)):
            host = {"Host": f"{name}:{own.port}"}
            async with client.get(own, headers=host) as answer:
                assert answer.status == status
        served.process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.to_thread(served.process.communicate)
    assert "whoever reads the network" in errors
    assert f"  ssh -L {own.port}:127.0.0.1:{own.port} {socket.gethostname()}\n" in errors


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
async def test_in_a_browser(served, tmp_path):
    async with Browser() as browser:
        page = await browser.open(str(served.address))
        await page.wait_for(lambda: "No runs" in page.text())
        await page.press("q", code=81)
        await page.wait_for(lambda: "Queue" in page.text().splitlines()[0])
        await page.press("Escape", code=27)
        await page.wait_for(lambda: "Runs" in page.text().splitlines()[0])
        await page.press("p", code=80, modifiers=2)
        await page.wait_for(lambda: "Search for commands" in page.text())
        # The token has left the address bar, and nothing came from anywhere else.
        assert await page.evaluate("location.href") == str(served.place)
        assert {URL(address).authority for address in page.addresses} == {served.place.authority}
        assert page.problems == []
        foreign = await browser.open("data:text/html,<title>evil</title>")
        opened = await foreign.evaluate(
            "new Promise(told => { const line = new WebSocket("
            f"{json.dumps(str(served.place.with_scheme('ws') / 'ws'))});"
            "line.onopen = () => told('open'); line.onerror = () => told('refused') })"
        )
        assert opened == "refused"
        await page.close()
        await asyncio.to_thread(Cli.wait_for, lambda: served.windows() == [])


def test_without_the_extra(monkeypatch):
    def nothing(name: str) -> Any:
        return None if name == "textual_serve" else object()

    monkeypatch.setattr("importlib.util.find_spec", nothing)
    assert "needs textual_serve: pip install 'cnn-tui[serve]'" in refused("serve")
