"""Write docs/pictures/tour.gif: the app in use, recorded while it really trains (``make tour``)."""

import asyncio
import io
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from unittest import mock

import make_pictures
import resvg_py
from PIL import Image, ImageColor
from textual.pilot import Pilot
from textual.widgets import Input

from cnn_core.runs.directory import list_runs
from cnn_core.runs.reader import read_summary
from cnn_tui.app import CnnTuiApp
from cnn_tui.workplace import Workplace

SIZE = (110, 34)
ZOOM = 0.75
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
LOOK_S = 2.5
TRAINING_FRAMES, TRAINING_FRAME_S = 30, 0.4
PATIENCE_S = 120.0

Frame = tuple[str, float]


async def tour(app: CnnTuiApp, runs: list[Path]) -> list[Frame]:
    """Return pictures and how long each is shown: list, clone, live curves, comparison."""
    frames: list[Frame] = []
    async with app.run_test(size=SIZE) as pilot:

        async def look(seconds: float = LOOK_S) -> None:
            frames.append((await _still(pilot), seconds))

        await look()
        await _press(pilot, "e")
        await look()
        await _press(pilot, "f6")
        await look()
        await _press(pilot, "f9")
        for _ in range(TRAINING_FRAMES):
            await pilot.pause(TRAINING_FRAME_S)
            frames.append((_picture(pilot), TRAINING_FRAME_S))
        begun = max(list_runs(app.workplace.runs_dir))  # ids begin with the time
        deadline = time.monotonic() + PATIENCE_S
        while read_summary(begun)["status"] != "finished" and time.monotonic() < deadline:
            await pilot.pause(TRAINING_FRAME_S)
        await look()
        app.compare([begun, *runs[:3]])
        await look(2 * LOOK_S)
    return frames


async def _press(pilot: Pilot[str], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause(0.1)


async def _still(pilot: Pilot[str]) -> str:
    """Return the screen as soon as it has stayed the same for a while."""
    before, same, deadline = "", 0, time.monotonic() + PATIENCE_S
    while same < 4 and time.monotonic() < deadline:
        await pilot.pause(0.3)
        svg = _picture(pilot)
        same = same + 1 if svg == before else 0
        before = svg
    return before


def _picture(pilot: Pilot[str]) -> str:
    for line in pilot.app.screen.query(Input):
        line.cursor_blink = False
    return make_pictures.slim(pilot.app.export_screenshot())


def animated(frames: list[Frame]) -> bytes:
    """Return a GIF of the frames; those that look alike are one."""
    shown: list[Frame] = []
    for svg, seconds in frames:
        if shown and shown[-1][0] == svg:
            shown[-1] = (svg, shown[-1][1] + seconds)
        else:
            shown.append((svg, seconds))
    images = [_image(svg) for svg, _ in shown]
    palette = _palette([svg for svg, _ in shown], images)
    first, *rest = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    out = io.BytesIO()
    durations = [round(1000 * seconds) for _, seconds in shown]
    first.save(out, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    return out.getvalue()


def _palette(pictures: list[str], images: list[Image.Image]) -> Image.Image:
    """Return one palette for all frames: with one for each, all would be redrawn each time.

    It has the colours of the app, and of the edges between them those that are seen most.
    """
    named = {ImageColor.getrgb(name) for svg in pictures for name in COLOUR.findall(svg)}
    seen = Counter[tuple[int, ...]]()
    for image in images:
        seen.update({rgb: count for count, rgb in image.getcolors(image.width * image.height)})
    edges = [rgb for rgb, _ in seen.most_common() if rgb not in named]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for rgb in [*named, *edges][:256] for part in rgb])
    return palette


def _image(svg: str) -> Image.Image:
    png = resvg_py.svg_to_bytes(svg_string=svg, monospace_family="DejaVu Sans Mono", zoom=2)
    image = Image.open(io.BytesIO(bytes(png))).convert("RGB")
    size = (round(image.width * ZOOM / 2), round(image.height * ZOOM / 2))
    return image.resize(size, Image.Resampling.LANCZOS)


def main() -> None:
    """Write the recording to the file given, or to docs/pictures/tour.gif."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures/tour.gif"
    out = out.absolute()
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)  # paths that are shown look the same everywhere
        os.environ["CNN_TUI_CONFIG"] = f"{name}/config"
        place = Workplace(Path("runs"), Path("data"), Path(name) / "cache", "cpu")
        place.data_dir.mkdir()
        with mock.patch.object(make_pictures, "NOW", time.time()):
            runs = make_pictures.make_runs(Path("runs"), Path(name) / "cache")
        frames = asyncio.run(tour(CnnTuiApp(place), runs))
    out.write_bytes(animated(frames))


if __name__ == "__main__":
    main()
