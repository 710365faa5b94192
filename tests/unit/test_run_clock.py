"""The time a run has taken, told by clocks that are put ahead and back."""

import pytest

from cnn_core.runs.clock import RunClock
from cnn_core.training.events import Notice, Paused, Preparing, RunFinished, Unpaused

WORK = [Preparing(what="decoding"), Paused(), Unpaused(), RunFinished(status="stopped")]


@pytest.mark.parametrize("jump", [-7200.0, -1.0, 0.0])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_clock_that_is_put_back_takes_no_time_away(jump, at):
    clock = RunClock()
    for step, event in enumerate(WORK):
        before = clock.total_s()
        clock.fold(1e9 + 10 * step + (jump if step >= at else 0.0), event)
        assert clock.total_s() >= before
    assert clock.total_s() == pytest.approx(30 if jump == 0 else 29 if jump == -1 else 20)
    clock.fold(2e9, Preparing(what="decoding"))
    clock.fold(2e9 + 5, RunFinished(status="finished"))
    assert clock.total_s() == pytest.approx(35 if jump == 0 else 34 if jump == -1 else 25)


def test_the_time_after_a_kill_in_preparations_is_not_counted():
    clock = RunClock()
    loaded = Notice(level="info", text="294 tensors loaded")
    for time, event in (
        (1e9, loaded),
        (1e9 + 4, Preparing(what="computing features", done=64, total=200)),
        (1e9 + 8, Preparing(what="computing features", done=128, total=200)),
        (1e9 + 9999, loaded),
        (1e9 + 10003, Preparing(what="computing features", done=64, total=200)),
        (1e9 + 10012, Preparing(what="computing features", done=200, total=200)),
    ):
        clock.fold(time, event)
    assert clock.total_s() == pytest.approx(8 + 13)
