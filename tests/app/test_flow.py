"""The whole way through the app: choose, train, watch, pause, stop, clone, compare, quit."""

import re
from pathlib import Path
from typing import Any

import pytest
from app_support import until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from cnn_core.runs.directory import list_runs
from cnn_core.runs.reader import read_summary
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.compare import ComparePage
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.new import NewPage
from cnn_tui.screens.pick import PickPreset
from cnn_tui.screens.runs import RunsPage
from cnn_tui.widgets.form_view import FieldRow
from cnn_tui.widgets.key_bar import KeyBar
from cnn_tui.widgets.one_of import OneOf
from cnn_tui.widgets.runs_table import RunsTable

SIZE = (120, 40)

pytestmark = pytest.mark.usefixtures("beside_training")


class Hands:
    """Keys only."""

    def __init__(self, app: CnnTuiApp, pilot: Pilot[Any]) -> None:
        self.app, self.pilot = app, pilot

    async def do(self, action: str) -> None:
        """Press the key that the bar tells for an action, once it is offered."""
        keys: list[str] = []

        def offered() -> bool:
            active = self.app.screen.active_bindings.values()
            keys[:] = [a.binding.key for a in active if a.binding.description == action]
            return bool(keys)

        await until(self.pilot, offered, what=f"{action} is offered")
        await self.pilot.press(keys[0])

    async def pick(self, text: str) -> None:
        """Pick the entry of a long list."""
        await self._find(text)
        await self.pilot.press("enter")

    async def go_to(self, row: FieldRow) -> None:
        """Put the focus on a field, by as many tabs as it takes, at once."""
        while (focused := self.app.focused) is None or row not in focused.ancestors_with_self:
            chain = self.app.screen.focus_chain
            here = chain.index(focused) if focused in chain else -1
            there = next(n for n, widget in enumerate(chain) if row in widget.ancestors)
            for _ in range((there - here) % len(chain)):
                self.app.simulate_key("tab")
            await self.pilot.pause()

    async def next_value(self, one_of: OneOf) -> None:
        """Turn to the next value."""
        await self.pilot.press("right")

    async def select_all(self, table: RunsTable) -> None:
        """Select both runs."""
        await self.pilot.press("home", "space", "space")

    async def _find(self, text: str) -> int:
        """Write what is looked for; return the line of the entry that is highlighted then."""
        await self.pilot.press(*text)
        options = self.app.screen.query_one(OptionList)

        def highlighted() -> bool:
            return options.highlighted_option is not None and options.highlighted_option.id == text

        await until(self.pilot, highlighted, what=f"{text} is found")
        assert options.highlighted is not None
        return options.highlighted


class Mouse(Hands):
    """Clicks only, but for what has to be written."""

    async def do(self, action: str) -> None:
        """Click on an action in the bar."""

        def place() -> tuple[int, int] | None:
            bar = self.app.screen.query_one(KeyBar)
            for y, line in enumerate(str(bar.render()).split("\n")):
                if (found := re.search(rf"\b{action}(?=  |$)", line)) and bar.region.y > 0:
                    return found.start() + 2, y
            return None

        before = None
        while before is None or before != place():  # a bar may change under the hand
            await until(self.pilot, place, what=f"{action} is offered")
            before = place()
            await self.pilot.pause(0.5)
        await self.pilot.click(KeyBar, offset=before)

    async def pick(self, text: str) -> None:
        """Click on the entry."""
        await self.pilot.click(OptionList, offset=(2, await self._find(text)))

    async def go_to(self, row: FieldRow) -> None:
        """Click on the field once the form is scrolled to it."""

        def seen() -> bool:
            row.scroll_visible(immediate=True, animate=False)
            place = row.region.offset
            inside = self.app.screen.region.contains_point(place)
            return inside and row in self.app.screen.get_widget_at(*place)[0].ancestors_with_self

        await until(self.pilot, seen, what="the field is in view")
        if row.query(Input):
            await self.pilot.click(row.query_one(Input))

    async def next_value(self, one_of: OneOf) -> None:
        """Click on the arrow behind the value."""
        await self.pilot.click(one_of, offset=(len(one_of.value) + 3, 0))

    async def select_all(self, table: RunsTable) -> None:
        """Click before both runs."""
        for line in (1, 2):
            await self.pilot.click(table, offset=(1, line))


async def through(app: CnnTuiApp, pilot: Pilot[Any], hands: Hands) -> None:
    """Go the whole way."""
    runs_dir = app.workplace.runs_dir
    await hands.do("New experiment")
    await until(pilot, lambda: isinstance(app.screen, PickPreset) and app.screen.query(OptionList))
    await pilot.pause()
    await hands.pick("digits")
    await fill(pilot, app, hands, "train.epochs", "100000")
    await hands.do("Start")
    await until(pilot, lambda: isinstance(app.screen, LivePage), 60)
    first = only(runs_dir)
    await until(pilot, lambda: read_summary(first)["epoch"] >= 2, 60)
    await hands.do("Pause")
    await until(pilot, lambda: read_summary(first)["status"] == "paused")
    await hands.do("Go on")
    await until(pilot, lambda: read_summary(first)["status"] == "running")
    await hands.do("Stop")
    await until(pilot, lambda: read_summary(first)["status"] == "stopped")
    await until(pilot, lambda: not app.slot.busy)
    await hands.do("Clone")
    await fill(pilot, app, hands, "train.epochs", "2")
    row = field(app, "freeze.policy")
    await hands.go_to(row)
    await hands.next_value(row.query_one(OneOf))
    await hands.do("Start")
    await until(pilot, lambda: len(list_runs(runs_dir)) == 2, 60)
    second = next(run for run in list_runs(runs_dir) if run != first)
    await until(pilot, lambda: read_summary(second)["status"] == "finished", 60)
    assert read_summary(second)["config"]["freeze"]["policy"] == "convolutional"
    assert read_summary(second)["params"]["trainable"] < read_summary(first)["params"]["trainable"]
    while not isinstance(app.screen, RunsPage):
        await hands.do("Back")
        await pilot.pause()
    table = app.screen.query_one(RunsTable)
    await until(pilot, lambda: len(table.rows) == 2)
    await hands.select_all(table)
    await until(pilot, lambda: len(table.marked) == 2, what="both are selected")
    await hands.do("Compare")
    await until(pilot, lambda: isinstance(app.screen, ComparePage))
    await until(pilot, lambda: "freeze.policy" in app.export_screenshot(), what="what differs")
    await hands.do("Quit")
    await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 0


async def fill(pilot: Pilot[Any], app: CnnTuiApp, hands: Hands, key: str, text: str) -> None:
    """Write into a field of the form, once it is there."""
    await until(
        pilot, lambda: isinstance(app.screen, NewPage) and app.screen.query(FieldRow), what="form"
    )
    row = field(app, key)
    await hands.go_to(row)
    await pilot.press("end", "ctrl+u", *text)


def field(app: CnnTuiApp, key: str) -> FieldRow:
    return next(row for row in app.screen.query(FieldRow) if row.field.key == key)


def only(runs_dir: Path) -> Path:
    (run,) = list_runs(runs_dir)
    return run


async def test_by_keys_alone(app: CnnTuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await through(app, pilot, Hands(app, pilot))


@pytest.mark.long
async def test_by_mouse(app: CnnTuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await through(app, pilot, Mouse(app, pilot))
