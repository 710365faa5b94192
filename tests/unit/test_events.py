"""Events and their lines."""

import json
import math
from dataclasses import replace
from typing import get_args

import pytest

from cnn_core.training.events import EpochFinished, Event, RunStarted, decode, encode

EPOCH = EpochFinished(
    epoch=3,
    train_loss=1.5,
    train_acc=0.5,
    val_loss=None,
    val_acc=None,
    lr=0.1,
    seconds=2.0,
    images_per_s=100.0,
    best=False,
)


@pytest.mark.parametrize("loss", [1.5, math.inf, -math.inf])
def test_a_line_gives_the_event_back(loss):
    event = replace(EPOCH, train_loss=loss)
    assert decode(encode(event, 12.5)) == (12.5, event)


def test_nan_is_valid_json_and_comes_back():
    line = encode(replace(EPOCH, train_loss=math.nan), 1.0)
    assert json.loads(line, parse_constant=pytest.fail)["train_loss"] == "NaN"
    assert math.isnan(decode(line)[1].train_loss)


def test_text_that_looks_like_nan_stays_text():
    classes = ("NaN", "cat")
    event = RunStarted(
        device="cpu",
        threads=1,
        precision="fp32",
        batch_size=2,
        epochs=1,
        steps_per_epoch=1,
        params_total=1,
        params_trainable=1,
        train=1,
        val=1,
        test=1,
        classes=classes,
        dataset_fingerprint="NaN",
    )
    assert decode(encode(event, 0.0))[1] == event


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "3", '{"event": "nonsense", "time": 1}', '{"event": "paused"}']
)
def test_what_is_no_event_is_a_value_error(line):
    with pytest.raises(ValueError):  # noqa: PT011  (json's own and ours alike)
        decode(line)


def test_every_event_of_the_union_is_frozen_and_slotted():
    for cls in get_args(Event):
        assert cls.__dataclass_params__.frozen
        assert "__slots__" in vars(cls)
