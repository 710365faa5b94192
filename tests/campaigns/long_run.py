"""A training of ten thousand epochs, and the app that follows it for an hour.

Every ten seconds memory, open files and threads of both processes are noted, and how long the app
takes to show its help, which counts as a case where nothing else keeps the machine busy. Growth is
the slope, by least squares, from a tenth of the training to its end: the history, which
summary.json holds whole, is all that may grow. The help is opened many times before, so that what
is made once is there.
"""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from cli_support import PROGRAM, Cli, environment
from pseudo_terminal import PseudoTerminal
from tally import Campaign
from zygote import Zygote

from cnn_core.runs.reader import read_events, read_summary
from cnn_core.training.events import EpochFinished

COMMAND = [
    *("run", "digits", "--headless", "--name", "long"),
    *("--set", "model.options={widths = [16], batch_norm = true}"),
]
INTERVAL_S = 10.0
GROWTH_MB = 2.0  # in a thousand epochs
ANSWER_S = 0.1
WARMING = 60
F1, HELP = "\x1bOP", "│  Help  "


@dataclass
class Seen:
    """What was noted of a process: seconds since the start, MiB, open files, threads."""

    at_s: list[float]
    memory_mb: list[float]
    files: list[int]
    threads: list[int]

    def note(self, process: psutil.Process, at_s: float) -> None:
        """Look at the process now; only memory that it shares with no other counts."""
        self.at_s.append(at_s)
        self.memory_mb.append(process.memory_full_info().uss / 2**20)
        self.files.append(process.num_fds())
        self.threads.append(process.num_threads())

    def growth_mb(self, trained_s: float, epochs: int) -> float:
        """Return the growth in a thousand epochs, of those that took so many seconds in all."""
        at_s, memory_mb = np.array(self.at_s), np.array(self.memory_mb)
        counted = (at_s > trained_s / 10) & (at_s < trained_s)
        slope = np.polyfit(at_s[counted], memory_mb[counted], 1)[0]
        return float(slope * trained_s / epochs * 1000)

    def told(self, growth_mb: float) -> dict[str, str]:
        """Return the figures of a row."""
        half = len(self.at_s) // 2
        return {
            "memory after a tenth, half, all": " / ".join(
                f"{self.memory_mb[index]:.0f}" for index in (half // 5, half, -1)
            )
            + " MiB",
            "growth": f"{growth_mb:+.2f} MiB in 1,000 epochs",
            "open files": f"{min(self.files)} to {max(self.files)}",
            "threads": f"{min(self.threads)} to {max(self.threads)}",
        }


def answer_s(terminal: PseudoTerminal, keys: str, shown: str, *, there: bool) -> float:
    """Return the seconds from a key to what makes the text appear on the screen, or leave it.

    What our terminal takes to make a screen of that, in Python, is not the app's.
    """
    began = time.monotonic()
    terminal.type(keys)
    terminal.wait_for(lambda: (shown in terminal.text()) == there)
    return terminal.read_at - began


def pace(run_dir: Path) -> tuple[int, float, float]:
    """Return the number of epochs, and seconds an epoch over the first and the last tenth."""
    times = [at for at, event in read_events(run_dir) if isinstance(event, EpochFinished)]
    tenth = max(1, len(times) // 10)
    return len(times), (times[tenth] - times[0]) / tenth, (times[-1] - times[-1 - tenth]) / tenth


def main() -> None:
    """Train, follow, and tell."""
    with Campaign("long_run", __doc__, cases=1, epochs=10_000, minutes=60.0) as campaign:
        zygote = Zygote(environment(campaign.folder))
        cli = Cli(campaign.folder / "cli", zygote)
        epochs = campaign.options.epochs
        with (cli.folder / "out.txt").open("wb") as out:
            training = subprocess.Popen(
                [sys.executable, *PROGRAM, *COMMAND, "--set", f"train.epochs={epochs}"],
                cwd=cli.folder,
                env=cli.env,
                stdout=out,
                stderr=out,
                preexec_fn=lambda: os.nice(10),
            )
        run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
        began = time.monotonic()
        trainer, app = Seen([], [], [], []), Seen([], [], [], [])
        answers, loads = list[float](), list[float]()
        with PseudoTerminal(PROGRAM, folder=cli.folder, env=cli.env) as terminal:
            terminal.wait_for(lambda: "long" in terminal.text())
            terminal.type("\r")
            terminal.wait_for(lambda: "Progress" in terminal.text())
            for _ in range(WARMING):
                answer_s(terminal, F1, HELP, there=True)
                answer_s(terminal, "\x1b", HELP, there=False)
            followed = psutil.Process(terminal.process.pid)
            trained = psutil.Process(training.pid)
            while (
                training.poll() is None or time.monotonic() - began < campaign.options.minutes * 60
            ):
                due = time.monotonic() + INTERVAL_S
                terminal.wait_for(lambda due=due: time.monotonic() >= due)
                at_s = time.monotonic() - began
                app.note(followed, at_s)
                loads.append(os.getloadavg()[0])
                if training.poll() is None:
                    trainer.note(trained, at_s)
                answers.append(answer_s(terminal, F1, HELP, there=True))
                answer_s(terminal, "\x1b", HELP, there=False)  # which waits for what may follow
            terminal.wait_for(lambda: "finished" in terminal.text())
            with campaign.case("an app that follows it", "it leaves when asked to"):
                terminal.type("\x11")
                assert terminal.exit_code() == 0
        assert training.wait() == 0
        _judge(campaign, run_dir, trainer, app, answers, statistics.median(loads))
        zygote.end()


def _judge(
    campaign: Campaign,
    run_dir: Path,
    trainer: Seen,
    app: Seen,
    answers: list[float],
    load: float,
) -> None:
    epochs = campaign.options.epochs
    training, following = f"a training of {epochs:,} epochs", "an app that follows it"
    counted, first_s, last_s = pace(run_dir)
    trainers, apps = (seen.growth_mb(trainer.at_s[-1], epochs) for seen in (trainer, app))
    size_mb = {path.name: path.stat().st_size / 1e6 for path in run_dir.iterdir()}
    with campaign.case(training, "it ends well"):
        assert read_summary(run_dir)["status"] == "finished"
        assert counted == len(read_summary(run_dir)["history"]) == epochs
    with campaign.case(training, "its memory stays"):
        assert trainers < GROWTH_MB
    with campaign.case(following, "its memory stays"):
        assert apps < GROWTH_MB
    if load < (os.cpu_count() or 1):
        with campaign.case(following, "it answers"):
            assert statistics.median(answers) < ANSWER_S
    campaign.row(training).details = trainer.told(trainers) | {
        "an epoch in the first and last tenth": f"{1e3 * first_s:.0f} and {1e3 * last_s:.0f} ms",
        "events.jsonl": f"{size_mb['events.jsonl']:.1f} MB",
        "summary.json": f"{size_mb['summary.json']:.1f} MB",
    }
    answers_ms = 1e3 * np.percentile(answers, [50, 95, 100])
    campaign.row(following).details = app.told(apps) | {
        "time followed": f"{app.at_s[-1] / 60:.0f} minutes",
        "answer to a key, median / 95th percentile / longest": " / ".join(
            f"{value:.0f}" for value in answers_ms
        )
        + f" ms at a load of {load:.1f}",
    }


if __name__ == "__main__":
    main()
