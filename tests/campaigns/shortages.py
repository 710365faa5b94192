"""Too little of what else a command needs: room for caches and results, data, memory, rights.

Each case lets a command meet it, mostly at a random moment. It must end in a sentence, leave what
was there before as it was and nothing half made, and come to the right result once all is well.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cli_support import PROGRAM, Cli
from faulty import (
    TRAINING,
    Faults,
    as_ordinary_user,
    cli_in,
    faulty_zygote,
    fill,
    one_sentence,
    small_disk,
)
from tally import Campaign

IMAGES, SIDE = 300, 48
SETTINGS = (
    "data.dataset=folder",
    f"data.image_size={SIDE}",
    "train.epochs=2",
    "train.batch_size=64",
)
DECODING = ("run", "digits", "--headless", *(part for item in SETTINGS for part in ("--set", item)))
SWEEP = """
name = "lr"
preset = "digits"
trials = 4
[set]
"train.epochs" = 1
"data.limit" = 200
[search]
sampler = "random"
[parameters]
"optim.lr" = {type = "float", low = 1e-3, high = 1e-1, log = true}
"""


class Bench:
    """Commands that meet faults, a run that is there already, and what a run shall come to."""

    def __init__(self, campaign: Campaign, stored: Cli, decoded: Path, faults: Faults) -> None:
        self.campaign, self.random, self.faults = campaign, campaign.random, faults
        self.stored, self.decoded = stored, decoded
        self.cli = stored
        self._made = 0

    def new(self) -> Cli:
        """Return the command below folders of its own, with images to decode."""
        self._made += 1
        self.cli = cli_in(self.campaign.folder / f"bench-{self._made}", self.stored.zygote)
        self.cli.env["FAULTY"] = self.stored.env["FAULTY"]
        self.cli.data.rmdir()
        shutil.copytree(self.stored.data, self.cli.data)
        return self.cli

    def ended(self, process: object, codes: Sequence[int], *parts: str) -> str:
        """Return what a process said, which ends with one of these codes and a sentence."""
        output, errors = process.communicate()  # type: ignore[attr-defined]
        code = process.returncode  # type: ignore[attr-defined]
        assert code in codes, (code, output[-2000:] + errors[-2000:])
        assert "Traceback" not in output
        one_sentence(errors or "nothing", *(parts if code else ()))
        return str(errors)

    def check_decoded(self) -> None:
        """Check that all is right once nothing is at fault: train, and compare."""
        self.cli(*DECODING)
        assert not list((self.cli.folder / "cache").glob("*.part")), "half a cache"
        self.cli.assert_same_weights(self.cli.run_dirs()[-1], self.decoded, "last")


def cache_refused(bench: Bench) -> None:
    """The disk of the cache takes no more."""
    cli, code = bench.new(), bench.random.choice(["ENOSPC", "EDQUOT", "EIO", "EROFS"])
    process = cli.start(*DECODING)
    time.sleep(bench.random.uniform(0, 1.5))
    bench.faults.set(getattr(errno, code), f"{cli.folder.name}/cache")
    bench.ended(process, (0, 2), f"{cli.folder}/cache", "CNN_TUI_CACHE")
    bench.faults.clear()
    bench.check_decoded()


def data_refused(bench: Bench) -> None:
    """The disk of the images can't be read for a while."""
    cli, code = bench.new(), bench.random.choice(["EIO", "ESTALE", "EMFILE", "ENOMEM"])
    on_corrupt = bench.random.choice(["error", "skip"])
    process = cli.start(*DECODING, "--set", f"data.on_corrupt={on_corrupt}")
    time.sleep(bench.random.uniform(0, 1.2))
    bench.faults.set(getattr(errno, code), f"{cli.folder.name}/data", kinds="r")
    time.sleep(bench.random.choice([0.05, 0.3, 3.0]))
    bench.faults.clear()
    bench.ended(process, (0, 1, 2))
    bench.check_decoded()


def data_removed(bench: Bench) -> None:
    """The folder of the images is moved away while they are decoded."""
    cli = bench.new()
    on_corrupt = bench.random.choice(["error", "skip"])
    process = cli.start(*DECODING, "--set", f"data.on_corrupt={on_corrupt}")
    time.sleep(bench.random.uniform(0, 1.2))
    cli.data.rename(cli.folder / "away")
    bench.ended(process, (0, 2))
    (cli.folder / "away").rename(cli.data)
    bench.check_decoded()


def result_refused(bench: Bench) -> None:
    """What a command shall write finds no room; a file of that name is there already."""
    run, out = bench.stored.run_dirs()[0].name, bench.campaign.folder / "results"
    commands = {
        "filters.png": ("filters", run),
        "report.html": ("report", run),
        "report.md": ("report", run),
        "network.safetensors": ("export", run, "--format", "safetensors"),
        "preview.png": ("preview", "digits"),
    }
    with small_disk(out, 1) as mounted:
        assert mounted, "may not mount"
        for name, command in commands.items():
            (out / name).write_text("of before")
            filler = fill(out)
            process = bench.stored.start(*command, "--out", out / name)
            errors = bench.ended(process, (1, 2), name)
            assert len(errors.strip().splitlines()) <= 3, errors
            filler.unlink()
            assert (out / name).read_text() == "of before", name
            assert sorted(p.name for p in out.iterdir()) == [name], list(out.iterdir())
            (out / name).unlink()


def evaluation_refused(bench: Bench) -> None:
    """What a network says of the validation images can't be kept: it is shown all the same."""
    run = bench.stored.run_dirs()[0]
    bench.faults.set(errno.ENOSPC, "/predictions/")
    shown = bench.stored("evaluate", run.name, "--split", "val", "--json")
    assert "not kept" in shown.stderr
    assert "acc" in shown.stdout
    assert not list((run / "predictions").glob("*val*"))


def queue_refused(bench: Bench) -> None:
    """The list of the runs that wait can't be written."""
    cli = bench.new()
    cli("run", "digits", "--queue")
    before = (cli.runs / ".queue.json").read_bytes()
    bench.faults.set(errno.ENOSPC, f"{cli.folder.name}/runs/.queue")
    bench.ended(cli.start("run", "digits", "--queue"), (2,), str(cli.runs), "No space left")
    bench.faults.clear()
    assert (cli.runs / ".queue.json").read_bytes() == before
    assert len(json.loads(cli("queue", "--json").stdout)) == 1


def sweep_refused(bench: Bench) -> None:
    """The study of a sweep can't be written for a while."""
    cli = bench.new()
    (cli.folder / "lr.toml").write_text(SWEEP)
    process = cli.start("sweep", cli.folder / "lr.toml")
    bench.cli.wait_for(lambda: list(cli.runs.glob("sweeps/lr/*journal")) or process.poll())
    time.sleep(bench.random.uniform(0, 8))
    bench.faults.set(errno.ENOSPC, f"{cli.folder.name}/runs/sweeps")
    time.sleep(bench.random.uniform(0.1, 3))
    bench.faults.clear()
    bench.ended(process, (0, 1, 2))
    cli("sweep", cli.folder / "lr.toml")
    assert cli.json("trials", "lr")["counts"] == {"finished": 4}


def limited(resource: str, values: Sequence[int], lifted: str) -> Callable[[Bench], None]:
    """Return a case in which a training may for a while have no more of a resource than so much."""

    def case(bench: Bench) -> None:
        cli = bench.new()
        process = cli.start(*DECODING)
        cli.wait_for(lambda: cli.runs.exists() or process.poll() is not None)
        time.sleep(bench.random.uniform(0, 2))
        value = bench.random.choice(values)
        if resource == "as":
            status = Path(f"/proc/{process.pid}/statm")
            pages = int(status.read_text().split()[0]) if status.exists() else 1 << 20
            value += pages * os.sysconf("SC_PAGESIZE")
        command = ["prlimit", "--pid", str(process.pid)]
        subprocess.run([*command, f"--{resource}={value}:"], check=False)
        time.sleep(4)  # a run whose last checkpoint can't be opened waits until it can
        subprocess.run([*command, f"--{resource}={lifted}:"], check=False, capture_output=True)
        bench.ended(process, (0, 1, 2))
        bench.check_decoded()

    return case


def killed(bench: Bench) -> None:
    """The system kills the process, as it does where memory is short."""
    cli = bench.new()
    process = cli.start(*DECODING)
    time.sleep(bench.random.uniform(0, 2.5))
    process.kill()
    bench.ended(process, (-signal.SIGKILL, 0))
    for run_dir in cli.run_dirs():
        assert cli.json("show", run_dir.name)["status"] in ("queued", "interrupted", "finished")
    cli(*DECODING)
    cli.assert_same_weights(cli.run_dirs()[-1], bench.decoded, "last")


def cache_cut_short(bench: Bench) -> None:
    """A file of the cache that is in use is cut short: the system ends the process (SIGBUS)."""
    cli = bench.new()
    process = cli.start(*DECODING)
    cli.wait_for(lambda: list(cli.folder.glob("cache/*/pixels.npy")) or process.poll())
    for pixels in cli.folder.glob("cache/*/pixels.npy"):
        os.truncate(pixels, 4096)
    bench.ended(process, (-signal.SIGBUS, 0, 1, 2))
    assert cli.json("show", "last")["status"] in ("interrupted", "failed", "finished")
    bench.check_decoded()


def without_rights(bench: Bench) -> None:
    """An ordinary user has no right to a folder."""
    cli = bench.new()
    folder = bench.random.choice(["runs", "cache", "config", "data"])
    for name in ("runs", "cache", "config", "data"):
        (cli.folder / name).mkdir(exist_ok=True)
        (cli.folder / name).chmod(0o777)
    for above in (cli.folder, *cli.folder.parents[:1]):
        above.chmod(0o755)
    (cli.folder / folder).chmod(0o000)
    process = subprocess.Popen(
        as_ordinary_user([sys.executable, *PROGRAM, *DECODING]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd="/",
        env=cli.env | {"HOME": str(cli.folder)},
    )
    errors = bench.ended(process, (0,) if folder == "config" else (1, 2))
    assert folder == "config" or "ermission" in errors or "readable" in errors, errors
    (cli.folder / folder).chmod(0o777)
    bench.check_decoded()


CASES: dict[str, Callable[[Bench], None]] = {
    "cache can't be written": cache_refused,
    "images can't be read for a while": data_refused,
    "images moved away": data_removed,
    "no room for pictures, reports, exports": result_refused,
    "no room for predictions of evaluate": evaluation_refused,
    "no room for the queue": queue_refused,
    "no room for a sweep's study, for a while": sweep_refused,
    "few open files (RLIMIT_NOFILE)": limited("nofile", [4, 8, 12, 16, 24], "1024"),
    "little memory (RLIMIT_AS)": limited(
        "as", [0, 1 << 20, 1 << 22, 1 << 24, 1 << 26], "unlimited"
    ),
    "killed, as for want of memory": killed,
    "cache cut short while in use": cache_cut_short,
    "no rights to a folder": without_rights,
}


def main() -> None:
    """Try every case some times."""
    with (
        Campaign("shortages", __doc__, cases=4, only="") as campaign,
        faulty_zygote(campaign.folder) as made,
    ):
        if made is None:
            sys.exit("this needs a compiler (cc)")
        zygote, faults = made
        stored = cli_in(campaign.folder / "stored", zygote, faults)
        Cli.make_images(stored.data / "folder", ["a", "b", "c"], IMAGES // 3)
        stored(*TRAINING)
        stored(*DECODING)
        bench = Bench(campaign, stored, stored.run_dirs()[-1], faults)
        for name, case in CASES.items():
            if campaign.options.only not in name:
                continue
            for number in range(campaign.cases):
                with campaign.case(name, f"case {number}"):
                    try:
                        case(bench)
                    finally:
                        faults.clear()
                        if bench.cli is not stored:
                            bench.cli.end()
                            shutil.rmtree(bench.cli.folder, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o022)
    main()
