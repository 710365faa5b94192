"""Write docs/reliability.md from what the campaigns recorded.

``make pages``
"""

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "tests" / "campaigns" / "results"

HEAD = """\
# Reliability

<!-- Made by docs/reliability_reference.py from what `tests/campaigns/*.py --record` found. -->

What was broken on purpose, how often, and what became of it. A campaign does harm many times, at
random but repeatably (`--seed`), with the real command, and checks after each time that all is as
promised. `tried` counts the cases, `survived` those that were; `lost` is the rest. Smaller versions
of the same checks are in the test suite.

A campaign needs the environment that `make test` makes:
`PYTHONPATH=core:tui:tests OMP_NUM_THREADS=1 .venv/bin/python tests/campaigns/kills.py --record`.
`faults.py` and `shortages.py` also need a C compiler, and the right to mount a small disk.

## What is promised

- **Killed at any moment,** a run goes on to the same weights bit for bit (on a CPU with one
  thread), the same epochs and the same caches. Of its events at most the line that was being
  written is gone; epochs after the last checkpoint are trained again. Nothing is left behind, and
  no half-written file is read.
- **Asked to stop** by Ctrl-C, SIGTERM, a scheduler's SIGUSR1 or SIGUSR2 or `cnn-tui stop`, in any
  phase, a training leaves a checkpoint after the step or the batch at hand and ends with 130.
  Ctrl-C once more aborts it. A step is never cut short, so a stop waits for it.
- **A disk that takes nothing** ends no training by itself: a refused checkpoint is told and tried
  again while training goes on; only what would be lost is waited for. The last good checkpoint
  stays whole. [runs.md](runs.md) tells the rest.
- **Out of memory,** a step of a batch that `"auto"` found, an evaluation and the computing of
  features go on in halves; a batch size that was asked for fails with settings likely to fit.
- **One writer** for a run, one builder for a cache, one trainer for a queue, each trial of a
  sweep once, however many commands are started at once.
- **Every image** is decoded, or named and counted; no file makes a command hang or fill the
  memory.
- **Whatever is read** is used, or told of in one clear error: presets, overrides, filters,
  events, requests, splits, the files of runs. [security.md](security.md) is about hostile ones.

What is not promised: a flipped byte inside stored pixels or features is not noticed, as they have
no checksums; a mapped cache file that another program cuts short ends the process without a
sentence (the run can be resumed). Nothing of this ran on a GPU, on a real network disk or under a
real SLURM.

## What was tried
"""


def main() -> None:
    """Write the page to stdout."""
    found = [json.loads(path.read_bytes()) for path in sorted(RESULTS.glob("*.json"))]
    lines = [line for one in found for line in _section(one)]
    sys.stdout.write("\n".join([HEAD, *lines]))


def _section(found: dict[str, Any]) -> list[str]:
    lines = [
        f"`{found['command']}`: {found['minutes']} minutes, {found['date']}, {found['machine']}.",
        "",
        "| fault | tried | survived | lost | besides |",
        "|---|---:|---:|---:|---|",
    ]
    for row in found["rows"]:
        details = ", ".join(f"{key}: {value}" for key, value in row["details"].items())
        lost = row["tried"] - row["survived"]
        lines.append(
            f"| {row['fault']} | {row['tried']} | {row['survived']} | {lost} | {details} |"
        )
    return [*lines, ""]


if __name__ == "__main__":
    main()
