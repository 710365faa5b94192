"""SIGKILL at every moment: nothing is lost, nothing is left behind, and nothing changes.

Aimed kills come just before each change of the disk that a command makes, in turn (doomed.py);
the others come at random times, several to a run. After each the run is read, gone on with, and
compared with one that was left alone.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from cli_support import PROGRAM, Cli, environment
from kept import (
    check_commands,
    check_nothing_left,
    check_readable,
    check_same_cache,
    check_same_run,
)
from sweep_kills import kill_sweeps
from tally import Campaign
from zygote import Zygote

from cnn_core.preset_files import load_experiment
from cnn_core.runs.queue import Queue
from cnn_core.runs.session import new_run

PRESET = """
name = "tiny"
[data]
dataset = "folder"
image_size = 32
val_fraction = 0.2
test_fraction = 0.2
{data}
[model]
backbone = "convnet"
options = {{widths = [4, 6], batch_norm = true}}
dropout = 0.4
[optim]
lr = 0.05
[train]
epochs = 3
batch_size = 8
{more}
"""
KINDS = {
    "decoded pixels": ("", '[augment]\npolicy = "flip-crop"'),
    "whole images": ("whole = true", '[augment]\npolicy = "resized-crop"'),
    "frozen features": ("", '[freeze]\npolicy = "convolutional"'),
}
# What a change of the disk belongs to, by its path; the first that fits.
PHASES = (
    (r"/cache/features/", "computing frozen features"),
    (r"/cache", "decoding, measuring and fingerprinting images"),
    (r"/runs/\.queue", "the queue's bookkeeping"),
    (r"/runs/sweeps/", "a sweep's bookkeeping"),
    (r"/checkpoints/", "writing checkpoints"),
    (r"/predictions/", "keeping the test's predictions"),
    (r"/runs/\.\d", "making a run's folder"),
    (r"/runs/", "writing a run's log, summary, lock and environment"),
)
ALSO = ("cnn_core.runs.session", "cnn_tui.cli", "cnn_tui.headless")


def phase_of(told: str) -> str:
    """Return the row of a kill, by the change of the disk that it came before."""
    return next((name for pattern, name in PHASES if re.search(pattern, told)), "elsewhere")


class Ground:
    """Folders to kill commands in, forked from one process."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign, self._count = campaign, 0
        env = environment(campaign.folder)
        env["PYTHONPATH"] += f"{os.pathsep}{Path(__file__).parent}"
        self._zygote = Zygote(env, ALSO)
        self._path, self._report = env["PYTHONPATH"], campaign.folder / "report"

    def cli(self) -> Cli:
        """Return the command over a fresh folder with a few images in it."""
        self._count += 1
        made = Cli(self.campaign.folder / f"ground-{self._count}", self._zygote)
        made.env["PYTHONPATH"] = self._path
        made.make_images(made.data / "folder", ["a", "b", "c"], 14)
        for path in (made.data / "folder").rglob("*.png"):
            os.utime(path, (1, 1))  # settled: their fingerprint is kept
        return made

    def doomed(self, cli: Cli, number: int, *arguments: str | Path) -> tuple[int, str]:
        """Run a command until its change of this number; return its exit code and the report."""
        head = ["-m", "doomed", str(number), str(cli.folder), str(self._report), PROGRAM[1]]
        process = self._zygote.start([*head, *arguments], folder=cli.folder, env=cli.env)
        output, errors = process.communicate()
        assert "Traceback" not in output + errors, errors
        return process.wait(), self._report.read_text()

    def changes(self, cli: Cli, *arguments: str | Path) -> list[str]:
        """Run a command to its end and return the changes of the disk that it made."""
        code, told = self.doomed(cli, 0, *arguments)
        assert code == 0, code
        return told.splitlines()

    def aimed(self, numbers: Sequence[int], most: int) -> list[int]:
        """Return up to ``most`` of the numbers, evenly spread."""
        step = max(1.0, len(numbers) / most)
        offset = self.campaign.random.random() * (step - 1)
        return [numbers[int(offset + i * step)] for i in range(int(len(numbers) / step))]

    def each_doomed(
        self, numbers: Iterable[int], begun: Callable[[], Cli], *arguments: str | Path
    ) -> Iterator[tuple[Cli, int, int, str]]:
        """Yield a fresh ground after a command was killed there before its change of each number.

        With it come the number, the exit code and what the change was. A command that needed
        fewer changes this time is passed over; grounds are dropped afterwards.
        """
        for number in numbers:
            cli = begun()
            code, told = self.doomed(cli, number, *arguments)
            if code:
                yield cli, number, code, told
            cli.end()
            shutil.rmtree(cli.folder)


def preset_of(ground: Ground, kind: str) -> Path:
    """Return the preset of a kind."""
    data, more = KINDS[kind]
    preset = ground.campaign.folder / f"{kind.replace(' ', '-')}.toml"
    preset.write_text(PRESET.format(data=data, more=more))
    return preset


def run_kills(ground: Ground, kind: str, most: int) -> None:
    """Kill a training, from its first folder to its last summary, at changes of the disk."""
    preset = preset_of(ground, kind)
    alone = ground.cli()
    changes = ground.changes(alone, "run", preset)
    numbers = ground.aimed(range(1, len(changes) + 1), most)
    for cli, number, code, told in ground.each_doomed(numbers, ground.cli, "run", preset):
        with ground.campaign.case(f"SIGKILL while {phase_of(told)}", f"{kind}: {number}, {told}"):
            assert code == -9, code
            check_readable(cli)
            if number % 8 == 0:
                check_commands(cli)
            if not cli.run_dirs():
                cli("run", preset)
            elif cli.json("show", "last")["status"] == "finished":
                assert "nothing to resume" in cli("resume", "last", rc=2).stderr
            else:
                cli("resume", "last")
            check_same_run(cli.only_run(), alone.only_run())
            check_same_cache(cli.folder / "cache", alone.folder / "cache")
            check_nothing_left(cli)
    evaluate_kills(ground, alone)


def evaluate_kills(ground: Ground, cli: Cli) -> None:
    """Kill an evaluation of a finished run at its changes of the disk."""
    command = ("evaluate", "last", "--split", "val")
    expected = cli.json(*command)
    kept = cli.only_run() / "predictions/val-best.npz"
    number, code = 0, -9
    while code == -9:
        number += 1
        kept.unlink(missing_ok=True)
        code, told = ground.doomed(cli, number, *command)
        if code == -9:
            with ground.campaign.case("SIGKILL while evaluating (the command)", told):
                check_readable(cli)
                assert cli.json(*command) == expected
                check_nothing_left(cli)


def chain_kills(ground: Ground, kills: int) -> None:
    """Kill trainings at random times, go on, kill them again, and so on to their ends."""
    random = ground.campaign.random
    command = ("run", "digits", "--set", "data.limit=400", "--set", "train.epochs=30")
    alone = ground.cli()
    began = time.monotonic()
    alone(*command)
    took = time.monotonic() - began
    while kills > 0:
        cli = ground.cli()
        link, process = 0, cli.start(*command)
        with ground.campaign.case("SIGKILL at random times, again and again", f"{kills} to come"):
            while True:
                time.sleep(random.uniform(0.1, 1.0) * took)
                over = process.poll() is not None
                process.kill()
                _, errors = process.communicate()
                check_readable(cli)
                if over or not cli.run_dirs():
                    assert not over or process.returncode == 0, errors
                    if over:
                        break
                    process = cli.start(*command)
                    continue
                link, kills = link + 1, kills - 1
                status = cli.json("show", "last")["status"]
                assert status in ("queued", "interrupted", "finished"), status
                if status == "finished":  # killed on its way out, which going on tidies up
                    assert "nothing to resume" in cli("resume", "last", rc=2).stderr
                    break
                process = cli.start("resume", "last") if link < 5 else None
                if process is None:
                    cli("resume", "last")
                    break
            check_same_run(cli.only_run(), alone.only_run())
            details = ground.campaign.row("SIGKILL at random times, again and again").details
            details["kills"] = details.get("kills", 0) + link
        cli.end()


def queue_kills(ground: Ground, preset: Path, most: int) -> None:
    """Kill the command that trains the queue at its changes of the disk, mostly the queue's."""
    short = ["train.epochs=1"]

    def queued() -> Cli:
        cli = ground.cli()
        for _ in range(2):
            Queue(cli.runs).add(new_run(cli.runs, load_experiment(str(preset), short)).name)
        return cli

    alone = queued()
    command = ("queue", "--train")
    changes = ground.changes(alone, *command)
    undisturbed = alone.run_dirs()[0]
    own = [n for n, told in enumerate(changes, 1) if "/runs/.queue" in told]
    others = [n for n in range(1, len(changes) + 1) if n not in own]
    numbers = ground.aimed(own, most) + ground.aimed(others, max(1, most // 2))
    for cli, number, code, told in ground.each_doomed(numbers, queued, *command):
        with ground.campaign.case("SIGKILL while the queue is trained", f"{number}, {told}"):
            assert code == -9, code
            check_readable(cli)
            cli(*command)
            for run_dir in cli.run_dirs():
                # One killed on its way out is finished, which going on refuses, and tidies up.
                ended = cli.json("show", run_dir.name)["status"] == "finished"
                cli("resume", run_dir.name, rc=2 if ended else 0)
                check_same_run(run_dir, undisturbed)
            assert Queue(cli.runs).ids() == []
            check_nothing_left(cli)


def main() -> None:
    """Kill."""
    with Campaign("kills", __doc__ or "", cases=32, chains=45, queue=16, sweep=28) as campaign:
        ground = Ground(campaign)
        for kind in KINDS:
            run_kills(ground, kind, campaign.cases)
        chain_kills(ground, campaign.options.chains)
        preset = preset_of(ground, "decoded pixels")
        queue_kills(ground, preset, campaign.options.queue)
        kill_sweeps(ground, preset, campaign.options.sweep)


if __name__ == "__main__":
    main()
