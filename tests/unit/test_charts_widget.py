"""The chart as a widget: what makes it draw and what does not, zoom and mouse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from app_support import until
from textual import events
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from cnn_tui.charts.plot import Curve
from cnn_tui.widgets.budget import SHARE, DrawBudget
from cnn_tui.widgets.chart import Chart


def curves(count: int = 100, *names: str) -> list[Curve]:
    x = np.linspace(0, 100, count)
    return [Curve(name, x, x * (n + 1), n) for n, name in enumerate(names or ("loss",))]


class Bench(App[None]):
    """One chart with something to scroll above and below it."""

    CSS = "Chart { height: 16; border: round grey; } Static { height: 20; }"
    chart_fps = 1000.0

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static("above", id="above")
            yield Input()
            yield Chart("[b]title[/b]")
            yield Static("below")


@asynccontextmanager
async def bench(**options: Any) -> AsyncIterator[tuple[Pilot[None], Chart]]:
    app = Bench()
    for name, value in options.items():
        setattr(app, name, value)
    async with app.run_test(size=(80, 40)) as pilot:
        chart = app.query_one(Chart)
        chart.scroll_visible(animate=False)
        chart.show(curves(), x_label="step", y_label="loss")
        await until(pilot, lambda: "step" in shown(chart))
        yield pilot, chart


def shown(chart: Chart) -> str:
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


async def settle(pilot: Pilot[None]) -> None:
    """Let everything that is due happen."""
    for _ in range(5):
        await pilot.pause()
        await asyncio.sleep(0.02)


async def test_only_a_change_is_drawn() -> None:
    async with bench() as (pilot, chart):
        before = chart.drawings
        scroll = pilot.app.query_one(VerticalScroll)
        for _ in range(3):
            scroll.scroll_end(animate=False)
            await settle(pilot)
            scroll.scroll_home(animate=False)
            await settle(pilot)
        chart.scroll_visible(animate=False)
        chart.focus()
        await settle(pilot)
        pilot.app.query_one(Input).focus()
        await pilot.press("a", "b")
        pilot.app.refresh(repaint=True)
        chart.refresh()
        await settle(pilot)
        assert chart.drawings == before


async def test_what_the_user_does_is_drawn_whatever_the_rate() -> None:
    async with bench(chart_fps=0.001) as (pilot, chart):
        for change in (
            lambda: setattr(chart, "log_y", True),
            chart.zoom_in,
            chart.reset_zoom,
            lambda: setattr(chart, "smoothing", 0.9),
            lambda: setattr(pilot.app, "theme", "textual-light"),
        ):
            before = chart.drawings
            change()
            await until(pilot, lambda before=before: chart.drawings == before + 1)
        before = chart.drawings
        await pilot.resize_terminal(100, 45)
        await until(pilot, lambda: chart.drawings > before)


async def test_new_points_keep_to_the_rate() -> None:
    async with bench(chart_fps=0.001) as (pilot, chart):
        before = chart.drawings
        for count in range(101, 140):
            chart.show(curves(count), x_label="step", y_label="loss")
            await pilot.pause()
        await settle(pilot)
        assert chart.drawings == before


async def test_new_points_are_drawn_when_they_are_due() -> None:
    async with bench() as (pilot, chart):
        chart.show([Curve("loss", np.array([1.0, 2]), np.array([7000.0, 9000]), 0)],
                   x_label="step", y_label="loss")  # fmt: skip
        await until(pilot, lambda: "9000" in shown(chart))


@pytest.mark.parametrize(
    "options",
    [{"x_label": "epoch"}, {"y_label": "accuracy"}, {"names": ("other",)}, {"now": True}],
)
async def test_something_else_is_drawn_at_once(options: dict[str, Any]) -> None:
    async with bench(chart_fps=0.001) as (pilot, chart):
        before = chart.drawings
        shown_curves = curves(100, *options.pop("names", ()))
        chart.show(shown_curves, **({"x_label": "step", "y_label": "loss"} | options))
        await until(pilot, lambda: chart.drawings == before + 1)


async def test_a_hidden_chart_draws_when_it_shows() -> None:
    async with bench() as (pilot, chart):
        chart.display = False
        await settle(pilot)
        before = chart.drawings
        chart.show(curves(200, "a", "b"))
        chart.log_y = True
        await settle(pilot)
        assert chart.drawings == before
        chart.display = True
        await until(pilot, lambda: chart.drawings == before + 1)


async def test_a_chart_of_another_screen_draws_when_it_shows() -> None:
    async with bench() as (pilot, chart):
        await pilot.app.push_screen(Screen())
        before = chart.drawings
        chart.show(curves(300), x_label="step", y_label="loss")
        chart.show(curves(200, "a", "b"))
        await settle(pilot)
        assert chart.drawings == before
        await pilot.app.pop_screen()
        await until(pilot, lambda: chart.drawings == before + 1)


async def test_charts_share_a_budget_of_one_app() -> None:
    async with bench() as (pilot, _):
        app = pilot.app
        assert DrawBudget.of(app) is DrawBudget.of(app)
        assert DrawBudget.of(app) is not DrawBudget.of(Bench())


def test_a_budget_spaces_drawings_by_what_they_cost() -> None:
    budget = DrawBudget()
    assert budget.take("a", 100.0, 0.010)
    assert not budget.take("a", 100.0 + 0.010 / SHARE - 0.001, 0.010)
    assert budget.pause(100.0 + 0.010 / SHARE - 0.1) == pytest.approx(0.1)
    assert budget.take("a", 100.0 + 0.010 / SHARE, 0.010)


def test_charts_draw_in_turn() -> None:
    budget = DrawBudget()
    assert budget.take("a", 0.0, 1.0)
    assert not budget.take("b", 1.0, 1.0)
    assert not budget.take("a", 2.0, 1.0)
    assert not budget.take("a", 51.0, 1.0)
    assert budget.take("b", 51.0, 1.0)
    assert not budget.take("b", 51.5, 1.0)
    budget.leave("a")
    assert budget.take("b", 101.0, 1.0)


async def test_a_chart_that_goes_lets_others_draw() -> None:
    async with bench() as (pilot, chart):
        other = Chart()
        await pilot.app.query_one(VerticalScroll).mount(other, before=chart)
        other.show(curves(50), x_label="step", y_label="loss")
        await until(pilot, lambda: other.drawings > 0)
        budget = DrawBudget.of(pilot.app)
        assert not budget.take(other, -1.0, 0.0)  # it waits, before the chart does
        await other.remove()
        chart.show([Curve("loss", np.array([1.0, 2]), np.array([7000.0, 9000]), 0)],
                   x_label="step", y_label="loss")  # fmt: skip
        await until(pilot, lambda: "9000" in shown(chart))


async def test_the_title_is_literal() -> None:
    async with bench() as (pilot, _):
        assert "[b]title[/b]" in pilot.app.export_screenshot()


async def test_zoom_and_pan_stay_inside_the_data() -> None:
    async with bench() as (_, chart):
        chart.zoom_in()
        assert chart.zoom == pytest.approx((15, 85))
        chart.pan(1)
        assert chart.zoom == pytest.approx((30, 100))
        chart.pan(-1)
        chart.pan(-1)
        chart.pan(-1)
        assert chart.zoom == pytest.approx((0, 70))
        chart.zoom_out()
        assert chart.zoom is None
        chart.zoom_out()
        chart.pan(1)
        assert chart.zoom is None
        for _ in range(100):
            chart.zoom_in()
        assert chart.zoom is not None
        assert chart.zoom[1] - chart.zoom[0] == pytest.approx(0.01, rel=0.5)
        chart.reset_zoom()
        assert chart.zoom is None


async def test_without_data_there_is_nothing_to_zoom() -> None:
    async with bench() as (pilot, chart):
        chart.show([])
        for act in (chart.zoom_in, chart.zoom_out, chart.reset_zoom):
            act()
        chart.pan(1)
        assert chart.zoom is None
        await until(pilot, lambda: "no data yet" in shown(chart))


def mouse(kind: type[events.MouseEvent], chart: Chart, x: int, y: int = 5) -> events.MouseEvent:
    """Return an event at a place inside the chart."""
    at = chart.region.offset
    return kind(chart, x, y, 0, 0, 1, False, False, False, at.x + x, at.y + y)


async def test_the_wheel_zooms_around_the_pointer() -> None:
    async with bench() as (pilot, chart):
        right_end = chart.size.width  # the border moves it by one
        chart.post_message(mouse(events.MouseScrollUp, chart, right_end))
        await until(pilot, lambda: chart.zoom is not None)
        assert chart.zoom == pytest.approx((30, 100))
        chart.post_message(mouse(events.MouseScrollDown, chart, right_end))
        await until(pilot, lambda: chart.zoom is None)


async def test_dragging_pans_and_a_double_click_shows_all() -> None:
    async with bench() as (pilot, chart):
        chart.zoom = (40.0, 60.0)
        await settle(pilot)
        await pilot.mouse_down(chart, offset=(50, 5))
        await pilot.hover(chart, offset=(20, 5))
        await until(pilot, lambda: chart.zoom is not None and chart.zoom[0] > 45)
        await pilot.mouse_up(chart, offset=(20, 5))
        moved = chart.zoom
        await pilot.hover(chart, offset=(60, 5))
        await settle(pilot)
        assert chart.zoom == moved
        await pilot.click(chart, offset=(30, 5), times=2)
        await until(pilot, lambda: chart.zoom is None)


async def test_the_pointer_reads_values_and_draws_nothing() -> None:
    def head() -> str:
        return chart.render_line(0).text

    async with bench() as (pilot, chart):
        before = chart.drawings
        await pilot.hover(chart, offset=(40, 5))
        await until(pilot, lambda: "step 4" in head() or "step 5" in head())
        assert chart.drawings == before
        chart.show([Curve("loss", np.array([0.0, 100]), np.array([77.0, 77]), 0)],
                   x_label="step", y_label="loss", now=True)  # fmt: skip
        await until(pilot, lambda: chart.drawings > before)
        assert "loss 77" in head()
        await pilot.hover("#above", offset=(1, 1))
        await until(pilot, lambda: "step" not in head())


async def test_small_charts_live_too() -> None:
    async with bench() as (pilot, chart):
        for width, height in ((10, 3), (30, 8), (3, 3)):
            chart.styles.width, chart.styles.height = width, height
            await settle(pilot)
            rows = [chart.render_line(y).cell_length for y in range(chart.size.height)]
            assert rows == [chart.size.width] * chart.size.height
