"""A headless Chromium in the tests' hands, and the screen of the terminal that its page shows."""

import asyncio
import base64
import shutil
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import pyte

Value = TypeVar("Value")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE_S = 60
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu", "--mute-audio"),
    *("--disable-dev-shm-usage", "--remote-debugging-port=0", "--window-size=1000,600"),
)
_COLUMNS, _LINES = 300, 100


class Page:
    """A tab: what it asked for, and what its websocket brought, drawn by a terminal here."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line, self._answers = line, dict[int, asyncio.Future[Any]]()
        self.addresses: list[str] = []
        self.problems: list[str] = []
        self.screen = pyte.Screen(_COLUMNS, _LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""
        self._listening = asyncio.create_task(self._listen())

    async def call(self, method: str, **parameters: Any) -> Any:
        """Return what the browser answers to a command of the DevTools protocol."""
        number = len(self._answers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._line.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(self._answers[number], PATIENCE_S)

    async def press(self, key: str, *, code: int, modifiers: int = 0) -> None:
        """Press a key: its name, its code of Windows, and 2 for ctrl."""
        what = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        if len(key) == 1 and not modifiers:
            what["text"] = key
        await self.call("Input.dispatchKeyEvent", type="keyDown", **what)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **what)

    async def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True)
        return answer["result"].get("value")

    async def screenshot(self, path: Path) -> None:
        """Write a picture of the page."""
        answer = await self.call("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(answer["data"]))

    def text(self) -> str:
        """Return the text that the terminal shows."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    async def wait_for(self, condition: Callable[[], Value]) -> Value:
        """Return the condition's value once it is true."""
        until = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            assert time.monotonic() < until, f"waited in vain:\n{self.problems}\n{self.text()}"
            await asyncio.sleep(0.05)
        return value

    async def close(self) -> None:
        """Close the tab."""
        await self.call("Page.close")

    async def _listen(self) -> None:
        async for message in self._line:
            told = message.json()
            if "id" in told:
                answer = told.get("result", told.get("error"))
                self._answers[told["id"]].set_result(answer)
                continue
            what = told["params"]
            match told["method"]:
                case "Network.requestWillBeSent":
                    self.addresses.append(what["request"]["url"])
                case "Network.webSocketCreated":
                    self.addresses.append(what["url"])
                case "Network.webSocketFrameReceived" if what["response"]["opcode"] == 2:
                    data = base64.b64decode(what["response"]["payloadData"])
                    self.received += data
                    self._stream.feed(data)
                case "Runtime.exceptionThrown":
                    self.problems.append(str(what["exceptionDetails"]))
                case "Log.entryAdded" if what["entry"]["level"] == "error":
                    self.problems.append(what["entry"]["text"])


class Browser:
    """Context manager of a Chromium with a profile of its own."""

    async def __aenter__(self) -> Self:
        assert CHROMIUM is not None
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process: Process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *_OPTIONS,
            f"--user-data-dir={self._profile.name}",
            "about:blank",
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        self._session = aiohttp.ClientSession()
        told = Path(self._profile.name, "DevToolsActivePort")
        until = time.monotonic() + PATIENCE_S
        while not (told.exists() and (lines := told.read_text().splitlines())):
            assert time.monotonic() < until, "Chromium does not start"
            await asyncio.sleep(0.05)
        self._address = f"http://127.0.0.1:{lines[0]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._process.terminate()
        await self._process.wait()
        self._profile.cleanup()

    async def open(self, address: str) -> Page:
        """Open an address in a tab."""
        async with self._session.put(f"{self._address}/json/new") as answer:
            target = await answer.json()
        page = Page(await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0))
        for domain in ("Network", "Runtime", "Log", "Page"):
            await page.call(f"{domain}.enable")
        await page.call("Page.navigate", url=address)
        return page
