"""How quick the list is with many runs: ``python benchmarks/many_runs.py [--runs 1000]``.

Makes runs of 10,000 steps by hand in a temporary folder, then starts the app on a pseudo-terminal
of 120x40, as a user's shell would. Printed are the seconds until the first rows are on the screen
(without and with the index that an earlier listing leaves), and how long keys take until the screen
shows what they did: medians and the slowest.
"""

import argparse
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import psutil

from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.runs.directory import create_run
from cnn_core.runs.event_log import EVENTS
from cnn_core.runs.reader import SUMMARY
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import EpochFinished, RunFinished, RunStarted, StepsDone

_EPOCHS, _STEPS = 20, 500
_QUIET_S = 0.03  # without output for so long, an answer is complete


def main() -> None:
    """Make the runs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=20, help="presses of each key")
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs_dir = Path(folder, "runs")
        make_runs(runs_dir, options.runs)
        os.environ["CNN_TUI_CONFIG"] = str(Path(folder, "config"))
        print(f"{options.runs} runs of {_EPOCHS * _STEPS} steps")
        index = runs_dir / ".index.json"
        index.unlink(missing_ok=True)
        report_starts("first rows without an index", [start(runs_dir)])
        report_starts("first rows", [start(runs_dir) for _ in range(options.starts)])
        measure_keys(runs_dir, options.times)


def make_runs(runs_dir: Path, count: int) -> None:
    """Write one run by the program's own writer, and copies that differ in name and result."""
    model = create_run(runs_dir, "run 0000", to_toml(load_experiment("digits")), {})
    with RunWriter(model) as writer:
        writer.write(_started())
        for epoch in range(1, _EPOCHS + 1):
            for step in range(1, _STEPS + 1):
                writer.write(_steps(epoch, step))
            writer.write(_epoch(epoch))
        writer.write(RunFinished(status="finished", epoch=_EPOCHS))
    summary = json.loads((model / SUMMARY).read_bytes())
    for number in range(1, count):
        run_dir = runs_dir / f"20200101-000000-run-{number:04x}"
        run_dir.mkdir()
        accuracy = 0.5 + number / count / 2
        own = {"id": run_dir.name, "name": f"run {number:04}", "created": 1.6e9 + number}
        own["best"] = summary["best"] | {"val_acc": accuracy}
        (run_dir / SUMMARY).write_text(json.dumps(summary | own))
        shutil.copy(model / "config.toml", run_dir)
        shutil.copy(model / EVENTS, run_dir)


class Session:
    """The app in a process of its own, on a terminal that is read by us."""

    def __init__(self, runs_dir: Path, size: tuple[int, int] = (120, 40)) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        env = os.environ | {"CNN_TUI_RUNS": str(runs_dir), "TERM": "xterm-256color"}
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cnn_tui"],
            stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._terminal = ours
        self.first_rows_s = self.seen(r"run \d{4}", 60.0)
        self.first_rows_cpu_s = self.computed_s()

    def computed_s(self) -> float:
        """Return the seconds of a core that the app has used."""
        used = psutil.Process(self._process.pid).cpu_times()
        return used.user + used.system

    def press(self, keys: str, pattern: str = "") -> float:
        """Return the seconds from the keys until the answer was complete, or has the pattern."""
        self._began = time.perf_counter()
        os.write(self._terminal, keys.encode())
        return self.seen(pattern, 10.0, repr(keys))

    def seen(self, pattern: str, limit_s: float, after: str = "the start") -> float:
        """Return the seconds until the output has the pattern ("": until it pauses)."""
        text, latest = "", 0.0
        while time.perf_counter() - self._began < limit_s:
            pause = _QUIET_S if text and not pattern else 0.5
            if not select.select([self._terminal], [], [], pause)[0]:
                if text and not pattern:
                    return latest
                continue
            text += os.read(self._terminal, 1 << 16).decode(errors="replace")
            latest = time.perf_counter() - self._began
            if pattern and re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)):
                return latest
        raise SystemExit(f"after {after} the app never showed {pattern!r}")

    def rest(self, seconds: float) -> None:
        """Let the app work for itself."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self._terminal], [], [], 0.1)[0]:
                os.read(self._terminal, 1 << 16)

    def end(self) -> None:
        """Leave the app."""
        os.write(self._terminal, b"\x11")
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        os.close(self._terminal)


def start(runs_dir: Path) -> Session:
    """Start the app, and leave it once it shows runs."""
    session = Session(runs_dir)
    session.end()
    return session


def measure_keys(runs_dir: Path, times: int) -> None:
    """Print how long keys take."""
    session = Session(runs_dir)
    session.rest(8)  # torch is loaded in the background meanwhile
    for name, key in {"down": "\x1b[B", "page down": "\x1b[6~"}.items():
        report(session, name, [key] * times)
    report(session, "last and first run", ["G", "g"] * (times // 2))
    for text in ("run 01", "best.val_acc > 0.75"):
        report(session, f"a letter of: {text}", ["/", *text, "\x15", "\r"])
    report(session, "sort by a header", ["\x1b[<0;30;3M\x1b[<0;30;3m"] * times)
    session.end()


def report(session: Session, name: str, keys: list[str]) -> None:
    """Press keys one after another, and print a row of the table."""
    before = session.computed_s()
    seconds = [session.press(key) for key in keys]
    median, slowest = statistics.median(seconds) * 1000, max(seconds) * 1000
    computed = (session.computed_s() - before) / len(keys) * 1000
    print(f"{name:<36}{median:6.0f} ms, slowest {slowest:4.0f} ms ({computed:.0f} ms of a core)")


def report_starts(name: str, sessions: list[Session]) -> None:
    """Print the seconds until rows were seen, and those that the process computed until then."""
    seconds = statistics.median(session.first_rows_s for session in sessions)
    computed = statistics.median(session.first_rows_cpu_s for session in sessions)
    print(f"{name:<36}{seconds:6.2f} s ({computed:.2f} s of a core)")


def _started() -> RunStarted:
    return RunStarted(
        device="cpu", threads=2, precision="fp32", batch_size=64, epochs=_EPOCHS,
        steps_per_epoch=_STEPS, params_total=94762, params_trainable=94762, train=32000, val=100,
        test=100, classes=tuple("0123456789"), dataset_fingerprint="",
    )  # fmt: skip


def _steps(epoch: int, step: int) -> StepsDone:
    done = (epoch - 1) * _STEPS + step
    return StepsDone(
        epoch=epoch, step=step, steps_per_epoch=_STEPS, global_step=done, loss=100 / (100 + done),
        lr=0.1, images_per_s=1000.0,
    )  # fmt: skip


def _epoch(epoch: int) -> EpochFinished:
    return EpochFinished(
        epoch=epoch, train_loss=1 / epoch, train_acc=1 - 1 / epoch, val_loss=1 / epoch,
        val_acc=1 - 1 / epoch, lr=0.1, seconds=1.0, images_per_s=1000.0, best=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
