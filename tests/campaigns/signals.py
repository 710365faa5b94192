"""Asked to stop in every phase: a checkpoint, exit code 130, and how long it takes."""

import os
import shutil
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from cli_support import Cli, environment
from PIL import Image
from tally import Campaign
from zygote import Forked, Zygote

from cnn_core.preset_files import load_experiment
from cnn_core.runs.queue import Queue
from cnn_core.runs.reader import read_summary
from cnn_core.runs.requests import send_request
from cnn_core.runs.session import new_run

COUNT, SIDE = 3000, 320
ASKED = {
    "SIGINT": (signal.SIGINT,),
    "SIGTERM": (signal.SIGTERM,),
    "SIGUSR1": (signal.SIGUSR1,),
    "SIGUSR2": (signal.SIGUSR2,),
    "SIGCONT and SIGTERM": (signal.SIGCONT, signal.SIGTERM),
    "cnn-tui stop": (),
}
DATA = """
name = "{name}"
[data]
dataset = "folder"
image_size = {size}
val_fraction = {val}
test_fraction = {test}
[model]
{model}
[train]
epochs = {epochs}
batch_size = {batch}
{more}
"""
CNN = 'backbone = "cnn"\noptions = {widths = [16, 32]}'
WIDE = 'backbone = "cnn"\noptions = {widths = [32, 64, 64]}'
FROZEN = '[freeze]\npolicy = "convolutional"'

Ready = Callable[[Cli, Path], object]


def told(kind: str, **fields: object) -> Ready:
    """Return a condition: a run's log has an event of this kind with these beginnings."""

    def ready(cli: Cli, run_dir: Path) -> bool:
        return any(
            all(str(event[key]).startswith(str(value)) for key, value in fields.items())
            for event in cli.events(run_dir, kind)
        )

    return ready


def building(_cli: Cli, run_dir: Path) -> bool:
    """Return whether the run has been held for a second: the images are in the cache by then."""
    heartbeat = run_dir / "heartbeat.json"
    return heartbeat.exists() and time.time() > heartbeat.stat().st_mtime + 1


def evaluating(cli: Cli, run_dir: Path) -> bool:
    """Return whether the first epoch, of one step, is over and its validation has begun."""
    return told("run_started")(cli, run_dir) and time.time() > (
        cli.events(run_dir, "run_started")[0]["time"] + 3
    )


def preset(name: str, **changed: object) -> str:
    """Return a preset on the images of this campaign."""
    plain = {"size": 64, "val": 0.1, "test": 0.1, "model": CNN, "epochs": 1000, "batch": 32}
    return DATA.format(name=name, **({"more": ""} | plain | changed))


# What trains, when to ask, and how it is started.
PHASES: dict[str, tuple[str, Ready, tuple[str, ...]]] = {
    "images are decoded": (
        preset("decoding", size=97),
        told("preparing", what="decoding"),
        (),
    ),
    "features are computed": (
        preset("features", size=96, model=WIDE, more=FROZEN),
        told("preparing", what="computing"),
        (),
    ),
    "the size of a batch is searched": (
        preset("auto", size=96, model='backbone = "resnet18"\nweights = "none"', batch='"auto"'),
        building,
        (),
    ),
    "steps are done": (preset("steps"), told("epoch_finished"), ()),
    "images are validated": (
        preset("validating", size=96, model=WIDE, val=0.85, batch=512),
        evaluating,
        (),
    ),
    "the test is done": (
        preset("testing", size=96, model=WIDE, val=0.0, test=0.85, epochs=1, batch=256),
        told("checkpoint_saved", name="last"),
        (),
    ),
    "it is paused": (preset("paused"), told("paused"), ("pause",)),
    "the queue is trained": (preset("queued"), told("epoch_finished"), ("queue", "--train")),
    "slots train the queue": (
        preset("slots"),
        told("epoch_finished"),
        ("queue", "--train", "--workers", "1"),
    ),
}


def make_images(root: Path) -> None:
    """Make many files of a few images: what counts is that each is decoded."""
    random = np.random.default_rng(0)
    for label in "abc":
        (root / label).mkdir(parents=True)
        first = root / label / "0.png"
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(first)
        for number in range(1, COUNT // 3):
            os.link(first, root / label / f"{number}.png")


def ask(process: Forked, run_dir: Path, numbers: tuple[signal.Signals, ...]) -> None:
    """Send the signals, or none: the request of another process."""
    for number in numbers:
        process.send_signal(number)
    if not numbers:
        send_request(run_dir, "stop")


@contextmanager
def ended(cli: Cli) -> Iterator[None]:
    """Leave nothing running of a case that failed."""
    try:
        yield
    except BaseException:
        cli.end()
        raise


def stop_in_phase(campaign: Campaign, cli: Cli, phase: str, how: str) -> None:
    """Ask for a stop in a phase, and check what it comes to."""
    text, ready, command = PHASES[phase]
    file = campaign.folder / "asked.toml"
    file.write_text(text)
    shutil.rmtree(cli.runs, ignore_errors=True)
    if "decoded" in phase:
        shutil.rmtree(cli.folder / "cache", ignore_errors=True)
    shutil.rmtree(cli.folder / "cache/features", ignore_errors=True)
    fault = f"asked to stop while {phase}"
    with campaign.case(fault, how), ended(cli):
        if command[:1] == ("queue",):
            Queue(cli.runs).add(new_run(cli.runs, load_experiment(str(file), [])).name)
            process = cli.start(*command)
        else:
            process = cli.start("run", file)
        assert isinstance(process, Forked)
        run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
        if command == ("pause",):
            cli.wait_for(lambda: cli.events(run_dir, "epoch_finished"))
            send_request(run_dir, "pause")
        cli.wait_for(lambda: ready(cli, run_dir))
        began = time.monotonic()
        ask(process, run_dir, ASKED[how])
        output, errors = process.communicate()
        took = time.monotonic() - began
        by_itself = command[:1] == ("queue",) and how == "cnn-tui stop"  # then none waits any more
        assert process.returncode == (0 if by_itself else 130), (process.returncode, errors)
        assert "Traceback" not in output + errors, errors
        assert "aborted" not in errors
        assert read_summary(run_dir)["status"] == "stopped"
        if any(event["global_step"] for event in cli.events(run_dir, "steps_done")):
            assert (run_dir / "checkpoints/last.pt").is_file()
        seconds = campaign.row(fault).details.setdefault("seconds", [])
        seconds.append(round(took, 2))


def other_signals(campaign: Campaign, cli: Cli) -> None:
    """Stop and continue it as Ctrl-Z and fg do, and end it by Ctrl-backslash."""
    command = ("run", "digits", "--set", "data.limit=400", "--set", "train.epochs=20")
    shutil.rmtree(cli.runs, ignore_errors=True)
    cli(*command)
    alone = cli.only_run().rename(cli.folder / "alone")
    process = cli.start(*command)
    run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
    with campaign.case("SIGTSTP and SIGCONT (Ctrl-Z, fg)", "while steps are done"):
        for count in (1, 3):
            cli.wait_for(lambda n=count: len(cli.events(run_dir, "epoch_finished")) >= n)
            process.send_signal(signal.SIGTSTP)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGCONT)
        assert process.communicate()
        assert process.wait() == 0
        Cli.assert_same_weights(run_dir, alone, "last")
    shutil.rmtree(run_dir)
    process = cli.start(*command)
    run_dir = cli.wait_for(lambda: cli.run_dirs() or None)[0]
    with campaign.case("SIGQUIT (Ctrl-\\): it ends at once, and goes on", "while steps are done"):
        cli.wait_for(lambda: len(cli.events(run_dir, "epoch_finished")) >= 3)
        process.send_signal(signal.SIGQUIT)
        process.communicate()
        assert read_summary(run_dir)["status"] == "interrupted"
        cli("resume", "last")
        Cli.assert_same_weights(run_dir, alone, "last")


def main() -> None:
    """Ask in all phases, in all ways."""
    with Campaign("signals", __doc__ or "", cases=1) as campaign:
        cli = Cli(campaign.folder / "cli", Zygote(environment(campaign.folder)))
        make_images(cli.data / "folder")
        for phase in PHASES:
            for how in ASKED:
                for _ in range(campaign.cases):
                    stop_in_phase(campaign, cli, phase, how)
            details = campaign.row(f"asked to stop while {phase}").details
            if seconds := details.pop("seconds", []):
                details["median seconds to the exit"] = round(statistics.median(seconds), 2)
                details["longest"] = max(seconds)
        other_signals(campaign, cli)


if __name__ == "__main__":
    main()
