"""Pictures in cells."""

from typing import Any

import numpy as np
import pytest
from app_support import until
from PIL import Image
from rich.color import Color
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.strip import Strip
from textual.widget import Widget

from cnn_tui.widgets import graphics
from cnn_tui.widgets.half_blocks import HalfBlocks, fitted, half_blocks
from cnn_tui.widgets.picture import Picture


def image(height: int, width: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def colours(strip: Strip) -> list[tuple[Any, Any]]:
    return [
        (s.style.color.get_truecolor(), s.style.bgcolor.get_truecolor())
        for s in strip
        if s.style and s.style.color and s.style.bgcolor
    ]


def test_two_pixels_to_a_cell() -> None:
    pixels = image(4, 3)
    strips = half_blocks(Image.fromarray(pixels), 3, 2, colour=True)
    assert [strip.text for strip in strips] == ["▀▀▀", "▀▀▀"]
    for row, strip in enumerate(strips):
        for column, (upper, lower) in enumerate(colours(strip)):
            assert tuple(upper) == tuple(pixels[2 * row, column])
            assert tuple(lower) == tuple(pixels[2 * row + 1, column])


def test_small_images_keep_their_pixels() -> None:
    pixels = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    (strip,) = half_blocks(Image.fromarray(pixels), 4, 1, colour=True)
    expected = [Color.from_rgb(*rgb).get_truecolor() for rgb in ((255, 0, 0), (0, 0, 255))]
    assert [upper for upper, _ in colours(strip)] == [expected[0]] * 2 + [expected[1]] * 2


def test_without_colour_there_are_shades() -> None:
    ramp = np.linspace(0, 255, 10).astype(np.uint8)[None, :].repeat(2, axis=0)
    (strip,) = half_blocks(Image.fromarray(ramp), 10, 1, colour=False)
    assert strip.text == "  ░░▒▒▓▓██"


@pytest.mark.parametrize(
    ("size", "room", "cells"),
    [
        ((100, 100), (20, 20), (20, 10)),
        ((300, 200), (30, 20), (30, 10)),
        ((200, 300), (30, 15), (20, 15)),
        ((8, 8), (40, 40), (40, 20)),
        ((5000, 1), (20, 20), (20, 1)),
        ((1, 5000), (20, 20), (1, 20)),
    ],
)
def test_the_aspect_is_kept(
    size: tuple[int, int], room: tuple[int, int], cells: tuple[int, int]
) -> None:
    assert fitted(size, *room) == cells


class Wall(App[None]):
    """A large picture."""

    CSS = "#large { height: 12; width: 40; }"

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Picture(image(20, 20), "[b]one[/b]", id="large")


async def test_a_picture_fills_its_room_with_a_literal_caption() -> None:
    app = Wall()
    async with app.run_test(size=(80, 40)) as pilot:
        picture = app.query_one("#large", Picture)
        blocks = picture.query_one(HalfBlocks)
        await until(pilot, lambda: blocks.size == (22, 11))
        assert "[b]one[/b]" in app.export_screenshot()
        picture.show(image(10, 40), "")
        await until(pilot, lambda: blocks.size == (40, 5))
        assert blocks.render_line(0).text == "▀" * 40
        picture.show(image(1, 1)[:, :, :1], "grey")
        await until(pilot, lambda: blocks.size == (22, 11))
        picture.show(None)
        await until(pilot, lambda: not blocks.display)


@pytest.mark.parametrize(
    "environ",
    [
        {"TERM": "xterm-256color"},
        {"TERM": "xterm-kitty", "SSH_CONNECTION": "1 2 3 4"},
        {"TERM": "screen", "TERM_PROGRAM": "tmux"},
        {},
    ],
)
def test_only_known_terminals_that_are_near_are_asked(environ: dict[str, str]) -> None:
    assert not graphics.detect_graphics(environ=environ)
    assert graphics.picture_widget() is None


async def test_a_terminal_with_pictures_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Protocol(Widget):
        image: Any = None

    monkeypatch.setattr(graphics, "_widget", Protocol)
    app = Wall()
    async with app.run_test(size=(80, 40)) as pilot:
        picture = app.query_one("#large", Picture)
        shown = picture.query_one(Protocol)
        await until(pilot, lambda: shown.size == (22, 11))
        assert shown.image.size == (20, 20)
        assert Picture(image(2, 2), graphics="cells")._canvas.__class__ is HalfBlocks
