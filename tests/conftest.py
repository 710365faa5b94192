"""What holds for all tests."""

import gc
import math
import os

import hypothesis
import pytest

# One thread for each of xdist's processes, before torch is imported: together they fill the cores,
# and more would spin while they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no failure; the same examples everywhere make a failure repeatable.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Look for cycles in what tests make, not in all that was imported: a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture
def each_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have summaries written after each epoch, however soon it follows on the last."""
    monkeypatch.setattr("cnn_core.runs.writer.TIME_SHARE", math.inf)
