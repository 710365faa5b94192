"""Screens as text, held against files. ``UPDATE_GOLDEN=1 pytest tests/golden`` writes them anew."""

import asyncio
import io
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_support import Folder
from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Input

from cnn_core.runs.queue import Queue
from cnn_tui.app import CnnTuiApp
from cnn_tui.workplace import Workplace

NOW = 1_790_000_000.0
SIZES = ((80, 24), (120, 40))
HOSTILE = "[bold red]x[/] \x1b[31m"

Show = Callable[[CnnTuiApp, list[Path]], object]

PAGES: dict[str, tuple[Show, tuple[str, ...]]] = {
    "runs": (lambda app, runs: None, ("down",)),
    "new": (lambda app, runs: app.new_experiment(from_run=runs[0]), ()),
    "run": (lambda app, runs: app.open_run(runs[1]), ()),
    "compare": (lambda app, runs: app.compare(runs[:3]), ()),
    "queue": (lambda app, runs: app.open_page("queue"), ()),
    "help": (lambda app, runs: app.open_page("queue"), ("f1",)),
    "delete": (lambda app, runs: None, ("down", "d")),
}


@pytest.fixture(autouse=True)
def _fixed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fix the clock, the zone, ids and colours."""
    ids = itertools.count(0xC0DE)
    monkeypatch.setattr("cnn_core.runs.directory.secrets.token_hex", lambda _: f"{next(ids):04x}")
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    folder = Folder(tmp_path / "runs")
    accs = (0.55, 0.72, 0.83, 0.81, 0.9)
    made = [
        folder.finished("digits", accs=accs),
        folder.finished(HOSTILE, "optim.lr=0.5", accs=tuple(acc - 0.2 for acc in accs)),
        folder.finished("digits-adam", "optim.name=adam", "optim.nesterov=false", accs=accs[:3]),
        folder.new("digits-waits", "train.epochs=50"),
    ]
    Queue(tmp_path / "runs").add(made[-1].name)
    return made


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", PAGES)
async def test_screen(name: str, size: tuple[int, int], runs: list[Path], tmp_path: Path) -> None:
    show, keys = PAGES[name]
    app = CnnTuiApp(Workplace(tmp_path / "runs", tmp_path / "data", tmp_path / "cache", "cpu"))
    async with app.run_test(size=size) as pilot:
        show(app, runs)
        if keys:  # which move from where the rows have come to stand
            await settled(pilot, tmp_path, None)
            await pilot.press(*keys)
        golden = Path(__file__).with_name(f"{name}-{size[0]}x{size[1]}.txt")
        wanted = None if os.environ.get("UPDATE_GOLDEN") else golden.read_text()
        text = await settled(pilot, tmp_path, wanted)
    if wanted is None:
        golden.write_text(text)
    else:
        assert text == wanted


async def settled(pilot: Pilot[str], folder: Path, wanted: str | None) -> str:
    """Return the text of the screen once it is as wanted, or has stayed the same for a while."""
    enough = 5 if wanted is None else 100  # a busy machine may draw nothing for a second
    before, same = "", 0
    for _ in range(300):
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await pilot.pause()
        await asyncio.sleep(0.1)
        text = screen_text(pilot).replace(str(folder), "/tmp")
        if text == wanted:
            return text
        same = same + 1 if text == before else 0
        before = text
        if same == enough:
            break
    return before


def screen_text(pilot: Pilot[str]) -> str:
    width, height = pilot.app.size
    console = Console(width=width, height=height, file=io.StringIO(), record=True)
    console.print(pilot.app.screen._compositor.render_update(full=True))
    lines = console.export_text().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)
