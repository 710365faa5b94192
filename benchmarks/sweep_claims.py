"""What a study costs its workers: ``python benchmarks/sweep_claims.py [--workers 1 8 32]``.

Processes take trials of a random sweep and end them at once, in a folder of their own on this
machine's disk (TMPDIR says where). Nothing is trained: the figures are the book-keeping alone, at
its worst, as real workers are away training nearly all of the time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cnn_core.search.folder import begin_sweep, open_sweep
from cnn_core.search.study import Study
from measuring import machine

SWEEP = """
name = "claims"
preset = "digits"
trials = {trials}
[search]
sampler = "{sampler}"
[parameters]
"optim.lr" = {{type = "float", low = 1e-3, high = 1.0, log = true}}
"optim.momentum" = {{type = "float", low = 0.1, high = 0.9}}
"""


def main() -> None:
    """Print trials a second, the longest wait for one, and what reading the study takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--sampler", choices=("random", "tpe"), default="random")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return
    print(machine())
    print(
        "workers  trials  trials/s  median ms  longest ms  journal KiB  opening s  reading again ms"
    )
    for workers in arguments.workers:
        measure(workers, arguments.trials, arguments.sampler)


def measure(workers: int, trials: int, sampler: str) -> None:
    """Let workers take all trials of a new sweep, and print a line."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder, "runs")
        file = Path(folder, "claims.toml")
        file.write_text(SWEEP.format(trials=trials, sampler=sampler))
        begin_sweep(runs, str(file), launch={})
        command = [sys.executable, __file__, "--work", str(runs)]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(workers)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()  # it has loaded all it needs
        began = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        waits = sorted(
            float(line)
            for process in processes
            if process.stdout is not None
            for line in process.stdout.read().split()
        )
        seconds = time.perf_counter() - began
        assert len(waits) == trials
        opened = time.perf_counter()
        study = Study(open_sweep(runs, "claims"))
        study.trials()
        opening, opened = time.perf_counter() - opened, time.perf_counter()
        study.trials()
        again = time.perf_counter() - opened
        size = (runs / "sweeps" / "claims" / "study.journal").stat().st_size / 1024
    print(
        f"{workers:7}  {trials:6}  {trials / seconds:8.1f}  {1e3 * waits[trials // 2]:9.1f}"
        f"  {1e3 * waits[-1]:10.0f}  {size:11.0f}  {opening:9.2f}  {1e3 * again:16.1f}"
    )


def work(runs: Path) -> None:
    """Take trials and end them; print the seconds that each took."""
    import cnn_core.training.plan  # noqa: F401  (what drawing values loads)

    study = Study(open_sweep(runs, "claims"))
    print(flush=True)
    sys.stdin.read()
    while True:
        began = time.perf_counter()
        claim = study.claim()
        if claim is None:
            return
        study.settle(claim, "finished", claim.settings["optim.lr"])
        print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
