"""Data sets as they come: broken, huge, odd and changing files, classes and lists of any kind.

Bytes of valid images are damaged at random, and a data set with each fault is trained on by the
real command: every image is decoded, or refused with its name and counted, and nothing hangs.
"""

import json
import os
import random
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cli_support import Cli, environment
from odd_images import FORMATS, bombs, damaged, samples
from odd_sets import Sets, archives, changing, classes, copies, files, lists, many, unreadable
from tally import Campaign
from zygote import Zygote

from cnn_core.datasets.decode import Corrupt, decode, decode_whole, set_up_pillow

BATCH, BATCH_S = 100, 120
BOMB_S, BOMB_MB = 20, 600
# What 89 million pixels with an alpha channel take, the most that is decoded.
FUZZ_MB = 2500


def apart(work: Callable[[], list[str]], seconds: float) -> tuple[list[str], float, float]:
    """Return what a process of its own says, its peak memory in MB above ours, and its seconds.

    Fails where it is killed, or takes longer.
    """
    read, write = os.pipe()
    began = time.monotonic()
    if not (pid := os.fork()):
        os.close(read)
        signal.alarm(int(seconds))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libjpeg and libtiff say
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        told = work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        with os.fdopen(write, "w") as answer:
            json.dump([told, peak / 1024], answer)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        content = answer.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, f"the process ended with {code}"
    told, peak = json.loads(content)
    return told, peak, time.monotonic() - began


def fuzz(campaign: Campaign) -> None:
    """Decode damaged files, a process for each hundred."""
    for form in FORMATS:
        fault = f"{form} with bytes changed, cut out, put in or repeated"
        whole = samples(form)
        for _ in range(max(1, campaign.cases // len(FORMATS) // BATCH)):
            seed, row = campaign.random.randrange(2**32), campaign.row(fault)
            row.tried += BATCH - 1
            with campaign.case(fault, f"{BATCH} files, seed {seed}"):
                told, peak, _ = apart(lambda: _decoded(whole, seed), BATCH_S)  # noqa: B023
                details = row.details
                for kind in ("pixels", "refused"):
                    details[kind] = details.get(kind, 0) + told.count(kind)
                details["peak MB"] = max(details.get("peak MB", 0), round(peak))
                assert set(told) <= {"pixels", "refused"}, set(told)
                assert len(told) == BATCH
                assert peak < FUZZ_MB, f"{peak:.0f} MB"
                row.survived += BATCH - 1


def _decoded(whole: list[bytes], seed: int) -> list[str]:
    drawn = random.Random(seed)
    told = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "x")
        for _ in range(BATCH):
            file.write_bytes(damaged(drawn.choice(whole), drawn))
            try:
                one = decode(file, "x", 8, 8)
                other = decode_whole(file, "x", 16)
            except BaseException as error:  # noqa: BLE001 - that is what is looked for
                told.append(repr(error))
                continue
            fits = isinstance(one, Corrupt) or one.shape == (8, 8, 3)
            assert isinstance(other, Corrupt) or other.ndim == 3
            told.append("refused" if isinstance(one, Corrupt) else "pixels" if fits else "shape")
    return told


def bombed(campaign: Campaign) -> None:
    """Decode files made to fill the memory."""
    fault = "decompression bombs"
    file = campaign.folder / "bomb"
    for name, content in bombs():
        file.write_bytes(content)
        with campaign.case(fault, name):
            _, peak, seconds = apart(lambda: [str(decode(file, "x", 32, 32))], BOMB_S)
            details = campaign.row(fault).details
            details["peak MB"] = max(details.get("peak MB", 0), round(peak))
            details["slowest s"] = max(details.get("slowest s", 0), round(seconds, 1))
            assert peak < BOMB_MB


def main() -> None:
    """Run all of it."""
    set_up_pillow()
    import cnn_core.datasets.tensors  # noqa: F401 - before any fork

    with Campaign("data", __doc__ or "", cases=6000, classes=10_000) as campaign:
        zygote = Zygote(environment(campaign.folder))
        cli = Cli(campaign.folder / "cli", zygote)
        sets = Sets(campaign, cli)
        try:
            fuzz(campaign)
            bombed(campaign)
            for part in (files, classes, lists, copies, archives, unreadable, changing, many):
                part(sets)
        finally:
            cli.end()
            zygote.end()


if __name__ == "__main__":
    main()
