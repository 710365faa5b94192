"""What holds for all tests."""

import hypothesis

# A busy machine is no failure; the same examples everywhere make a failure repeatable.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")
