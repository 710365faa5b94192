"""Disks and clocks at fault while a run is trained: it waits or ends in words, and loses nothing.

Each case lets something go wrong at a random moment of a training, and mostly mends it a moment
later. The run must come to the same weights as one that nothing befell, by itself or resumed.
"""

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cli_support import Cli, environment
from faulty import (
    TRAINING,
    Faults,
    cli_in,
    faulty_zygote,
    fill,
    one_sentence,
    small_disk,
)
from tally import Campaign
from zygote import Forked, Zygote

CODES = ("EIO", "ESTALE", "EROFS", "EDQUOT", "ENOSPC", "EACCES")


class Training:
    """A training that something befalls, and the one that nothing befell."""

    def __init__(self, cli: Cli, undisturbed: Path, campaign: Campaign) -> None:
        self.cli, self.undisturbed, self.random = cli, undisturbed, campaign.random
        self.run_dir = Path()
        self.process: Forked | subprocess.Popen[str]

    def begin(self, *more: str) -> None:
        """Start it, and return at a random moment of it."""
        self.process = self.cli.start(*TRAINING, *more)
        self.cli.wait_for(lambda: self.cli.run_dirs() or self.process.poll() is not None)
        self.run_dir = self.cli.only_run()
        wanted, kinds = self.random.choice(
            [(1, "preparing"), (1, "run_started"), (2, "steps_done"), (1, "epoch_finished")]
            + [(epoch, "epoch_finished") for epoch in (2, 3, 4, 5)]
        )
        self.cli.wait_for(
            lambda: (
                len(self.cli.events(self.run_dir, kinds)) >= wanted
                or self.process.poll() is not None
            )
        )
        time.sleep(self.random.uniform(0, 0.2))

    def end(self, *codes: int) -> str:
        """Wait for its end with one of these codes, and return what it said on stderr."""
        output, errors = self.process.communicate()
        assert self.process.returncode in codes, (self.process.returncode, output + errors)
        assert "Traceback" not in output + errors, errors
        return errors

    def check(self) -> None:
        """Check that it came to what the undisturbed one came to."""
        for name in ("best", "last"):
            self.cli.assert_same_weights(self.run_dir, self.undisturbed, name)
        shown = self.cli.json("show", self.run_dir.name)
        assert shown["status"] == "finished"
        assert [epoch["epoch"] for epoch in shown["history"]] == [1, 2, 3, 4, 5, 6]
        assert all(value >= 0 for value in shown["timing"].values())
        left = sorted(path.name for path in (self.run_dir / "checkpoints").iterdir())
        assert left == ["best.pt", "initial.pt", "last.pt"], left
        assert not [p for p in self.run_dir.iterdir() if p.name.startswith(".")]

    def resume(self) -> None:
        """Go on to the end, if it has not finished."""
        if self.cli.json("show", self.run_dir.name)["status"] != "finished":
            self.cli("resume", self.run_dir.name, "--headless")


Case = Callable[[Training, Faults, Campaign], None]


def injected(code: str, part: str) -> Case:
    """Return a case in which files whose paths hold ``part`` can't be written for a while."""

    def case(training: Training, faults: Faults, campaign: Campaign) -> None:
        training.begin()
        faults.set(getattr(errno, code), training.run_dir.name + part)
        time.sleep(campaign.random.choice([0.05, 0.5, 2.0, 4.0]))
        faults.clear()
        training.end(0, 1)
        training.resume()
        training.check()

    return case


def full(training: Training, _faults: Faults, campaign: Campaign) -> None:
    """The disk fills up, and some of it is freed later."""
    training.begin()
    filler = fill(training.cli.runs)
    time.sleep(campaign.random.choice([0.2, 1.0, 4.0]))
    filler.unlink()
    training.end(0, 1)
    training.resume()
    training.check()


def full_and_stopped(training: Training, _faults: Faults, _campaign: Campaign) -> None:
    """The disk stays full, and the run is asked to stop: it waits a while, and ends in words."""
    training.begin()
    filler = fill(training.cli.runs)
    training.process.send_signal(signal.SIGTERM)
    errors = training.end(0, 1, 130)
    if training.process.returncode == 1:
        one_sentence(errors, "disk full: ", "free space there", "cnn-tui resume ")
    filler.unlink()
    training.resume()
    training.check()


def full_and_aborted(training: Training, _faults: Faults, campaign: Campaign) -> None:
    """The disk stays full, and the run is aborted or killed."""
    training.begin()
    filler = fill(training.cli.runs)
    time.sleep(campaign.random.uniform(0, 2))
    if campaign.random.random() < 0.5:
        training.process.kill()
        training.end(-signal.SIGKILL, 0)
    else:
        for _ in range(2):
            training.process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        training.end(130, 0, 1)
    filler.unlink()
    training.resume()
    training.check()


def limited_file(training: Training, _faults: Faults, campaign: Campaign) -> None:
    """No file may become larger than some kilobytes (``ulimit -f``)."""
    training.begin()
    limit = str(campaign.random.choice([0, 1000, 50_000]))
    pid = str(training.process.pid)
    if subprocess.run(["prlimit", f"--fsize={limit}:", "--pid", pid], check=False).returncode == 0:
        time.sleep(campaign.random.choice([0.2, 1.0, 4.0]))
        subprocess.run(["prlimit", "--fsize=unlimited:", "--pid", pid], check=False)
    training.end(0, 1)
    training.resume()
    training.check()


def run_removed(training: Training, _faults: Faults, _campaign: Campaign) -> None:
    """Somebody removes the folder of the run."""
    training.begin()
    aside = training.cli.folder / "aside"
    training.run_dir.rename(aside)
    errors = training.end(0, 1)
    if training.process.returncode:
        one_sentence(errors, "gone", str(training.run_dir))
    assert training.cli.run_dirs() == [], "the run came back"
    shutil.move(aside, training.run_dir)
    training.resume()
    training.check()


def unmounted(training: Training, _faults: Faults, _campaign: Campaign) -> None:
    """The disk of the runs is taken away (lazily: what is open stays)."""
    training.begin()
    shown = str(training.run_dir)
    subprocess.run(["umount", "-l", str(training.cli.runs)], check=True)
    errors = training.end(0, 1)
    if training.process.returncode:
        one_sentence(errors, shown)


def cache_removed(training: Training, _faults: Faults, _campaign: Campaign) -> None:
    """Somebody empties the cache while it is in use."""
    training.begin()
    shutil.rmtree(training.cli.folder / "cache", ignore_errors=True)
    training.end(0, 1, 2)
    training.resume()
    training.check()


def clock_jumps(training: Training, faults: Faults, campaign: Campaign) -> None:
    """The clock is put hours ahead and back, several times."""
    training.begin()
    while training.process.poll() is None:
        faults.jump(campaign.random.choice([-86_400, -7200, -60, 60, 7200, 86_400]))
        time.sleep(campaign.random.uniform(0.1, 0.5))
    training.end(0)
    training.check()


CASES: dict[str, tuple[float, Case]] = {  # megabytes of the disk of the runs; 0: none of its own
    "disk full, freed later": (8, full),
    "disk full, run asked to stop": (8, full_and_stopped),
    "disk full, run aborted or killed": (8, full_and_aborted),
    "largest file limited (RLIMIT_FSIZE), lifted later": (0, limited_file),
    **{f"{code} from the whole run folder": (0, injected(code, "")) for code in CODES},
    **{f"{code} from checkpoints": (0, injected(code, "/checkpoints")) for code in CODES[:3]},
    "ENOSPC from the log alone": (0, injected("ENOSPC", "/events.jsonl")),
    "ENOSPC from the summary alone": (0, injected("ENOSPC", "/.summary")),
    "ENOSPC from predictions alone": (0, injected("ENOSPC", "/predictions")),
    "run folder removed": (0, run_removed),
    "disk of the runs unmounted": (8, unmounted),
    "cache removed while in use": (0, cache_removed),
    "clock put ahead and back by hours": (0, clock_jumps),
}


def main() -> None:
    """Try every case some times."""
    with Campaign("faults", __doc__, cases=4, only="") as campaign:
        plain = Zygote(environment(campaign.folder))
        with faulty_zygote(campaign.folder) as made:
            zygote, faults = made or (plain, Faults(campaign.folder / "fault"))
            alone = cli_in(campaign.folder / "alone", zygote)
            alone(*TRAINING)
            for name, (megabytes, case) in CASES.items():
                if campaign.options.only not in name or (made is None and megabytes == 0):
                    continue
                for number in range(campaign.cases):
                    folder = campaign.folder / f"{len(campaign.rows)}-{number}"
                    cli = cli_in(folder, zygote, faults)
                    with small_disk(cli.runs, megabytes or 64) as mounted:
                        if megabytes and not mounted:
                            print(f"skipped: {name}: this user may not mount disks")
                            break
                        if not megabytes:
                            subprocess.run(["umount", "-l", str(cli.runs)], check=False)
                        with campaign.case(name, f"case {number}"):
                            try:
                                case(Training(cli, alone.only_run(), campaign), faults, campaign)
                            finally:
                                faults.clear()
                                cli.end()
                    shutil.rmtree(folder, ignore_errors=True)
        plain.end()


if __name__ == "__main__":
    os.umask(0o022)
    main()
