"""Lines of the event log that are no events are ValueErrors, whatever is in them."""

import pytest

from cnn_core.training.events import ClassesValidated, LearningRateSet, decode, encode


@pytest.mark.parametrize(
    "line",
    [
        '{"event": [], "time": 1}',
        '{"event": "paused", "time": []}',
        '{"event": "paused", "time": 1' + "0" * 400 + "}",
        '{"event": "learning_rate_set", "time": 1, "lr": "fast"}',
        '{"event": "learning_rate_set", "time": 1, "lr": true}',
        '{"event": "notice", "time": 1, "level": "loud", "text": ""}',
        '{"event": "classes_validated", "time": 1, "epoch": 1, "images": 3, "correct": [1]}',
        '{"event": "classes_validated", "time": 1, "epoch": 1, "images": [1.0], "correct": [1]}',
        '{"event": "classes_validated", "time": 1, "epoch": 1, "images": ["1"], "correct": [1]}',
        '{"event": "classes_validated", "time": 1, "epoch": 1, "images": [true], "correct": [1]}',
        '{"event": "run_finished", "time": 1, "status": "finished", "epoch": 1.5}',
        '{"event": "run_finished", "time": 1, "status": "finished", "epoch": true}',
        '{"event": "run_finished", "time": 1, "status": "finished", "epoch": 1' + "0" * 400 + "}",
    ],
)
def test_wrong_types_are_no_event(line: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        decode(line)


def test_counts_of_classes_come_back() -> None:
    event = ClassesValidated(epoch=2, images=(4, 0, 3), correct=(1, 0, 3))
    assert decode(encode(event, 5)) == (5.0, event)


def test_a_whole_number_is_a_float_too() -> None:
    line = encode(LearningRateSet(lr=1), 5)
    assert decode(line) == (5.0, LearningRateSet(lr=1.0))
