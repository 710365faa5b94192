"""The real command in a process of its own, with its folders in a temporary one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from zygote import Forked, Zygote

ROOT = Path(__file__).parents[1]
PROGRAM = ["-m", "cnn_tui"]
PATIENCE_S = 120
# Without anything slow to import, a fresh process is the sooner and the nearer to the truth.
QUICK = {
    *("--help", "--version", "backbones", "compare", "finish", "pause", "presets", "queue"),
    *("runs", "show", "stop", "unpause"),
}


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of commands whose folders lie in this one."""
    return {
        # Unbuffered output would hide what goes wrong when the rest of it is written.
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith("CNN_TUI_") and key != "PYTHONUNBUFFERED"
        },
        "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "tui")]),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "80",
        "CNN_TUI_RUNS": str(folder / "runs"),
        "CNN_TUI_DATA": str(folder / "data"),
        "CNN_TUI_CACHE": str(folder / "cache"),
        "CNN_TUI_CONFIG": str(folder / "config"),
    }


class Cli:
    """``cnn-tui`` below one folder: its runs, data and cache."""

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        self.folder, self.zygote = folder, zygote
        self.runs, self.data = folder / "runs", folder / "data"
        self.data.mkdir(parents=True)
        self.env = environment(folder)
        self.first: subprocess.CompletedProcess[str] | None = None
        """What the first of the stored runs printed."""
        self._started: list[Forked | subprocess.Popen[str]] = []

    def __call__(
        self, *arguments: str | Path, rc: int = 0, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whose exit code must be ``rc``; no traceback, ever."""
        process = self.start(*arguments, fresh=fresh)
        output, errors = process.communicate()
        assert process.returncode == rc, output + errors
        assert "Traceback" not in errors + output
        return subprocess.CompletedProcess(PROGRAM, rc, output, errors)

    def json(self, *arguments: str | Path) -> Any:
        """Return the one JSON document that a command writes."""
        return json.loads(self(*arguments, "--json").stdout)

    def start(self, *arguments: str | Path, fresh: bool = False) -> Forked | subprocess.Popen[str]:
        """Start a command and return its process, fresh if it is quick or that is asked for."""
        if fresh or (QUICK & set(arguments[:1]) and "--train" not in arguments):
            process: Forked | subprocess.Popen[str] = subprocess.Popen(
                [sys.executable, *PROGRAM, *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                cwd=self.folder,
                env=self.env,
            )
        else:
            process = self.zygote.start([*PROGRAM, *arguments], folder=self.folder, env=self.env)
        self._started.append(process)
        return process

    def end(self) -> None:
        """Kill what a failed test left running."""
        for process in self._started:
            process.kill()
            process.communicate()

    def notify(self, **table: object) -> None:
        """Write the table ``[notify]`` into the user's settings."""
        settings = Path(self.env["CNN_TUI_CONFIG"])
        settings.mkdir(exist_ok=True)
        lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        (settings / "config.toml").write_text("\n".join(["[notify]", *lines]))

    def run_dirs(self) -> list[Path]:
        """Return the folders of all runs, the oldest first."""
        return sorted(self.runs.glob("2*"))

    def only_run(self) -> Path:
        """Return the folder of the only run."""
        (run_dir,) = self.run_dirs()
        return run_dir

    @staticmethod
    def wait_for(condition: Callable[[], Any]) -> Any:
        """Return the condition's value once it is true."""
        until = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.02)
        return value

    @staticmethod
    def events(run_dir: Path, kind: str) -> list[dict[str, Any]]:
        """Return the events of one kind in a run's log, none if there is no log yet."""
        try:
            log = (run_dir / "events.jsonl").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        lines = log[: log.rfind("\n") + 1].splitlines()  # the last one may be half written
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    @staticmethod
    def make_images(root: Path, classes: list[str], count: int) -> None:
        """Write ``count`` random 8x8 images for each class below ``root``."""
        random = np.random.default_rng(0)
        for name in classes:
            folder = root / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels_HWC = random.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels_HWC).save(folder / f"{number}.png")

    @staticmethod
    def assert_same_weights(one: Path, other: Path, name: str) -> None:
        """Fail unless the checkpoints of two runs hold the same network, bit for bit."""
        left, right = (
            torch.load(run_dir / "checkpoints" / f"{name}.pt", weights_only=True)["model"]
            for run_dir in (one, other)
        )
        assert left.keys() == right.keys()
        for key, value in left.items():
            assert torch.equal(value, right[key]), key
