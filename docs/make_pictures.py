"""Write docs/pictures: every screen of the app at three sizes, as SVG (``make pictures``).

The runs are trained on the spot, on scikit-learn's digits, so that losses and accuracies are real.
What differs from machine to machine or from day to day is set to fixed values, so that the pictures
stay the same: ids, clock times, durations and speeds, the load of the device.
"""

import asyncio
import dataclasses
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from textual.pilot import Pilot
from textual.widgets import Input

from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.runs.directory import create_run
from cnn_core.runs.encoding import json_bytes
from cnn_core.runs.queue import Queue
from cnn_core.runs.reader import fold_events
from cnn_core.runs.session import train_run
from cnn_core.runs.writer import RunWriter
from cnn_core.search.folder import begin_sweep, sweep_names
from cnn_core.search.study import Study
from cnn_core.search.sweep_files import experiment_of
from cnn_core.training.control import Control
from cnn_tui.app import CnnTuiApp
from cnn_tui.device_stats import DeviceLoad, DeviceStats
from cnn_tui.workplace import Workplace

SIZES = ((80, 24), (120, 40), (200, 60))
NOW = 1_790_000_000.0
EPOCHS, EPOCH_S = 12, 1.5
PATIENCE_S = 60.0

# Name, what differs from the preset, hours before now. The last one is left in the middle.
TRAINED = (
    ("digits", (), 26.0),
    ("digits-constant", ("optim.schedule=constant",), 25.0),
    ("digits-adam", ("optim.name=adam", "optim.nesterov=false", "optim.lr=0.002"), 7.0),
    ("digits-narrow", ("model.options.widths=[8,16,32]", "train.batch_size=32"), 3.0),
    ("digits-too-fast", ("optim.lr=1e6", "optim.schedule=constant"), 2.0),
    ("digits-wide", ("model.options.widths=[48,96,192]", "train.epochs=16"), 0.01),
)
WAITING = (
    ("digits-no-augmentation", ("augment.transforms=[]",)),
    ("digits-long", ("train.epochs=100",)),
)

# A sweep in a folder of its own, stopped after some of its trials.
SWEEP = """
name = "digits-rates"
preset = "digits"
trials = 14
[set]
train.epochs = 3
[parameters]
optim.lr = { type = "float", low = 1e-3, high = 1.0, log = true }
optim.weight_decay = { type = "float", low = 1e-5, high = 1e-2, log = true }
optim.schedule = { values = ["one_cycle", "cosine", "constant"] }
"""
ENDED = 11

Scene = Callable[[Pilot[str], list[Path]], Awaitable[object]]


# --- runs -----------------------------------------------------------------------------------------


def make_runs(runs_dir: Path, cache_dir: Path) -> list[Path]:
    """Train the runs and return their folders; the last one is shown as it was at half time."""
    runs = []
    for number, (name, overrides, hours) in enumerate(TRAINED):
        made = _new(runs_dir, name, f"train.epochs={EPOCHS}", *overrides)
        for _ in train_run(made, Control(), data_dir=cache_dir, cache_dir=cache_dir, device="cpu"):
            pass
        runs.append(_settle(made, number, NOW - 3600 * hours, halfway=name == TRAINED[-1][0]))
    for number, (name, overrides) in enumerate(WAITING, len(TRAINED)):
        waiting = _settle(_new(runs_dir, name, *overrides), number, NOW - 60)
        Queue(runs_dir).add(waiting.name)
    return runs


def make_sweep(runs_dir: Path, cache_dir: Path) -> None:
    """Train most trials of a sweep."""
    Path("sweep.toml").write_text(SWEEP)
    folder = begin_sweep(runs_dir, "sweep.toml", launch={})
    study = Study(folder)
    for number in range(1, ENDED + 1):
        claim = study.claim()
        assert claim is not None
        name = f"{folder.sweep.name}-{number:03d}"
        experiment = experiment_of(folder.base, claim.settings, name=name, tags=[folder.sweep.name])
        made = create_run(runs_dir, name, to_toml(experiment), {"host": "laptop", "user": "you"})
        for _ in train_run(made, Control(), data_dir=cache_dir, cache_dir=cache_dir, device="cpu"):
            pass
        settled = _settle(made, number, NOW - 3600 + 60 * number)
        study.sign(claim, settled.name)
        study.settle(claim, "finished", fold_events(settled).document()["best"]["val_acc"])


def _new(runs_dir: Path, name: str, *overrides: str) -> Path:
    experiment = load_experiment("digits", overrides, name=name)
    return create_run(runs_dir, name, to_toml(experiment), {"host": "laptop", "user": "you"})


def _settle(run_dir: Path, number: int, created: float, *, halfway: bool = False) -> Path:
    """Give a run a fixed id and fixed times."""
    day = time.strftime("%Y%m%d-%H%M%S", time.gmtime(created))
    settled = run_dir.with_name(f"{day}-{run_dir.name[16:-5]}-{0xC0DE + number:04x}")
    shutil.move(run_dir, settled)
    environment = settled / "environment.json"
    known = json.loads(environment.read_bytes()) | {"created": created}
    environment.write_bytes(json_bytes(known))
    log = settled / "events.jsonl"
    if log.exists():
        events = [json.loads(line) for line in log.read_text().splitlines()]
        if halfway:
            ends = [i for i, one in enumerate(events) if one["event"] == "epoch_finished"]
            events = events[: ends[len(ends) // 2] + 2]
        timed = _timed([one for one in events if one["event"] != "steps_done"], created)
        log.write_text("".join(f"{json.dumps(event)}\n" for event in timed))
    (settled / "summary.json").write_bytes(json_bytes(fold_events(settled).document()))
    return settled


def _timed(events: list[dict[str, Any]], now: float) -> Iterator[dict[str, Any]]:
    """Yield the events at fixed times, and one of the steps at the end of each epoch.

    How many of those there were while it was trained depends on the machine.
    """
    per_epoch = images = 1
    for event in events:
        if event["event"] == "run_started":
            per_epoch, images = event["steps_per_epoch"], event["train"]
            event["threads"] = 2
        if "seconds" in event:
            event["seconds"] = EPOCH_S
        if event["event"] == "epoch_finished":
            now += EPOCH_S
            event["images_per_s"] = images / EPOCH_S
            number = event["epoch"]
            yield {
                "event": "steps_done",
                "time": now,
                "epoch": number,
                "step": per_epoch,
                "steps_per_epoch": per_epoch,
                "global_step": number * per_epoch,
                "loss": event["train_loss"],
                "lr": event["lr"],
                "images_per_s": event["images_per_s"],
            }
        yield event | {"time": now}


# --- pictures -------------------------------------------------------------------------------------


def _keys(*keys: str) -> Scene:
    async def scene(pilot: Pilot[str], _: list[Path]) -> None:
        await pilot.press(*keys)

    return scene


def _page(show: Callable[[CnnTuiApp, list[Path]], object], *keys: str) -> Scene:
    async def scene(pilot: Pilot[str], runs: list[Path]) -> None:
        assert isinstance(pilot.app, CnnTuiApp)
        show(pilot.app, runs)
        if keys:
            await _settled(pilot)
            await pilot.press(*keys)

    return scene


def _open_sweep(app: CnnTuiApp, _: list[Path]) -> None:
    app.open_sweep(sweep_names(app.workplace.runs_dir)[0])


SCENES: dict[str, Scene] = {
    "runs": _keys(*4 * ["down"]),
    "presets": _keys("n"),
    "new": _page(lambda app, runs: app.new_experiment(from_run=runs[0])),
    "live": _page(lambda app, runs: app.open_run(runs[-1])),
    "ended": _page(lambda app, runs: app.open_run(runs[0])),
    "compare": _page(lambda app, runs: app.compare([*runs[:4], runs[-1]])),
    "queue": _page(lambda app, _: app.open_page("queue")),
    "sweeps": _page(lambda app, _: app.open_page("sweeps")),
    "sweep": _page(_open_sweep),
    "sweep-parallel": _page(_open_sweep, "2"),
    "help": _keys("f1"),
    "palette": _keys("ctrl+p"),
    "dialog-delete": _keys(*4 * ["down"], "d"),
    "dialog-pick": _page(lambda app, runs: app.compare(runs[:2]), "a"),
    "dialog-write": _page(lambda app, runs: app.compare(runs[:2]), "w"),
}


async def draw(place: Workplace, runs: list[Path], out: Path) -> None:
    """Write a picture of every scene at every size."""
    for width, height in SIZES:
        for name, scene in SCENES.items():
            swept = dataclasses.replace(place, runs_dir=Path("swept"))
            app = CnnTuiApp(swept if name.startswith("sweep") else place)
            async with app.run_test(size=(width, height)) as pilot:
                await _settled(pilot)
                await scene(pilot, runs)
                svg = await _settled(pilot)
            (out / f"{name}-{width}x{height}.svg").write_text(slim(svg))


async def _settled(pilot: Pilot[str]) -> str:
    """Return the screen as soon as it has stayed the same for a while."""
    before, deadline = "", time.monotonic() + PATIENCE_S
    same = 0
    while same < 4 and time.monotonic() < deadline:
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await pilot.pause(0.3)
        svg = pilot.app.export_screenshot()
        same = same + 1 if svg == before else 0
        before = svg
    return before


def slim(svg: str) -> str:
    """Return a picture without web fonts and addresses, and without what only makes it larger."""
    svg = re.sub(r"@font-face\s*\{[^}]*\}", "", svg)
    svg = re.sub(r' clip-path="url\([^)]*\)"', "", svg)
    svg = re.sub(r"<clipPath[^>]*>.*?</clipPath>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+-", "", svg).replace("Fira Code", "monospace")
    svg = svg.replace("&#160;", "\N{NO-BREAK SPACE}").replace(' shape-rendering="crispEdges"', "")
    svg = re.sub(r'="(\d+\.\d)\d+"', r'="\1"', svg)
    svg = re.sub("<text[^>]*>\N{NO-BREAK SPACE}*\n?</text>", "", svg)
    svg = re.sub(r' textLength="12.2">([^&<])\n?</text>', r">\1</text>", svg)  # of one character
    return re.sub(r"\n\s*\n+", "\n", _backgrounds_by_colour(svg))


def _backgrounds_by_colour(svg: str) -> str:
    """Return a picture whose cells of one background are one shape: they don't overlap."""
    shapes: dict[str, list[str]] = {}

    def take(rect: re.Match[str]) -> str:
        fill, x, y, width, height = rect.groups()
        shapes.setdefault(fill, []).append(f"M{x} {y}h{width}v{height}h-{width}z")
        return "" if len(shapes) > 1 or len(shapes[fill]) > 1 else "<paths/>"

    number = r'"([\d.]+)"'
    rects = rf'<rect fill="([^"]+)" x={number} y={number} width={number} height={number}/>'
    svg = re.sub(rects, take, svg)
    paths = "\n".join(f'<path fill="{fill}" d="{"".join(d)}"/>' for fill, d in shapes.items())
    return svg.replace("<paths/>", paths)


@contextmanager
def fixed() -> Iterator[None]:
    """Stop the clock and the load of the device."""
    load = DeviceLoad("CPU, 2 threads", 0.93, 3 * 2**30, 8 * 2**30)
    with (
        mock.patch("time.time", return_value=NOW),
        mock.patch.object(DeviceStats, "sample", return_value=load),
    ):
        yield


def main() -> None:
    """Write the pictures to the folder given, or to docs/pictures."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures"
    out = out.absolute()
    out.mkdir(exist_ok=True)
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as name:
        # Paths that are shown look the same everywhere.
        os.chdir(name)
        os.environ["CNN_TUI_CONFIG"] = f"{name}/config"
        place = Workplace(Path("runs"), Path("data"), Path(name) / "cache", "cpu")
        place.data_dir.mkdir()
        runs = make_runs(Path("runs"), Path(name) / "cache")
        make_sweep(Path("swept"), Path(name) / "cache")
        with fixed(), RunWriter(runs[-1]):
            asyncio.run(draw(place, runs, out))


if __name__ == "__main__":
    main()
