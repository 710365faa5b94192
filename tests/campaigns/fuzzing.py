"""Fuzzing: whatever is read, by thousands of odd and damaged inputs: a result, or an error told.

Each surface of tests/fuzz_texts.py and fuzz_runs.py is tried ``--cases`` times, those that start
commands a tenth as often and the app a hundredth. A case that takes too long, or too much memory,
is lost.
"""

import resource
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
from fuzz_runs import run_surfaces, trained_surfaces
from fuzz_support import Surface
from fuzz_texts import text_surfaces
from tally import Campaign

_LONGEST_S = 30
_MEMORY_BYTES = 24 << 30  # of addresses: libraries reserve more than they use


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {_LONGEST_S} s")


def try_surface(campaign: Campaign, name: str, surface: Surface) -> None:
    """Try one surface; after a case that is lost, hypothesis looks for a smaller one."""
    row = campaign.row(name)

    @hypothesis.seed(campaign.options.seed)
    @hypothesis.settings(
        max_examples=max(1, campaign.cases // surface.costs),
        deadline=None,
        derandomize=False,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(surface.cases)
    def cases(case: Any) -> None:
        row.tried += 1
        signal.alarm(_LONGEST_S)
        try:
            surface.check(case)
        finally:
            signal.alarm(0)
        row.survived += 1

    try:
        cases()
    except Exception as error:  # noqa: BLE001 (any is a finding)
        hypothesis_note = "\n".join(getattr(error, "__notes__", []))
        campaign.lost.append(f"{name}: {type(error).__name__}: {error}\n{hypothesis_note}")
        sys.excepthook(type(error), error, error.__traceback__)


def main() -> None:
    """Try all surfaces, or the one that is named."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGALRM, _too_long)
    with (
        Campaign("fuzzing", __doc__ or "", cases=5000, only="") as campaign,
        tempfile.TemporaryDirectory() as folder,
    ):
        for made in (text_surfaces, run_surfaces, trained_surfaces):
            for name, surface in made(Path(folder)).items():
                if campaign.options.only in name:
                    try_surface(campaign, name, surface)


if __name__ == "__main__":
    main()
