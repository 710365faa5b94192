"""What holds for all tests."""

import os

import hypothesis

# One thread for each of xdist's processes, before torch is imported: together they fill the cores,
# and more would spin while they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no failure; the same examples everywhere make a failure repeatable.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")
