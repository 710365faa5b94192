"""Requests to a training in progress."""

import threading
import time

import pytest

from cnn_core.training.control import Control


def test_requests_are_seen_once():
    control = Control()
    control.request("checkpoint")
    control.request("set_lr", 0.5)
    assert control.take_checkpoint()
    assert not control.take_checkpoint()
    assert control.take_lr() == 0.5
    assert control.take_lr() is None


def test_a_pause_ends_with_unpause_stop_or_finish():
    for ending in ("unpause", "stop", "finish"):
        control = Control()
        control.request("pause")
        waiting = threading.Thread(target=control.wait_while_paused)
        waiting.start()
        time.sleep(0.05)
        assert waiting.is_alive()
        control.request(ending)
        waiting.join(timeout=5)
        assert not waiting.is_alive()


def test_a_paused_training_hears_its_source():
    control = Control()
    control.request("pause")
    asked = iter([[], [("unpause", None)]])
    control.listen(lambda: next(asked, []))
    control.wait_while_paused()
    assert not control.paused


def test_the_source_is_not_asked_at_every_step():
    calls = []
    control = Control()
    control.listen(lambda: calls.append(1) or [])
    for _ in range(1000):
        control.poll()
    assert len(calls) <= 2


@pytest.mark.parametrize("rate", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_is_none_is_refused(rate):
    control = Control()
    with pytest.raises(ValueError, match="above 0"):
        control.request("set_lr", rate)
    assert control.take_lr() is None
