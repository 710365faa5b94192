"""Sizes that no machine holds, such as a slip of the keyboard: refused before they are made."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cnn_core.config import Experiment
from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment
from cnn_core.runs import session
from cnn_core.runs.session import check_startable

HUGE = 10**23


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("train.epochs", "should be less than 2147483648"),
        ("train.batch_size", "should be less than 2147483648"),
        ("data.limit", "should be less than 2147483648"),
        ("data.image_size", "should be less than or equal to 4096"),
        ("model.cut", "should be less than 2147483648"),
        ("model.options.widths", "should be less than or equal to 100000"),
    ],
)
def test_numbers_beyond_all_use_are_refused_with_their_key(key: str, told: str) -> None:
    value = f"[{HUGE}]" if key.endswith("widths") else HUGE
    with pytest.raises(UserError, match=key) as error:
        load_experiment("digits", overrides=[f"{key}={value}"])
    assert told in str(error.value)


@pytest.mark.parametrize(
    "transform", [{"name": "random_crop", "padding": 10**9}, {"name": "rand_augment", "ops": 10**9}]
)
def test_transforms_have_limits(transform: dict[str, Any]) -> None:
    table = ", ".join(f"{k} = {v!r}" for k, v in transform.items()).replace("'", '"')
    with pytest.raises(UserError, match="should be less than or equal to"):
        load_experiment("digits", overrides=[f"augment.transforms=[{{{table}}}]"])


@pytest.mark.parametrize(
    "model",
    [
        {"options": {"widths": [10**5] * 3}},
        {"head": "mlp", "head_hidden": 10**5, "options": {"widths": [10**4]}},
    ],
)
def test_a_network_larger_than_the_memory_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any
) -> None:
    experiment = Experiment.model_validate(
        {
            "data": {"dataset": "digits", "image_size": 8},
            "model": {"backbone": "cnn", **model},
        }
    )
    memory = SimpleNamespace(total=4 * 10**9)
    monkeypatch.setattr(session.psutil, "virtual_memory", lambda: memory)
    with pytest.raises(UserError, match=r"model: the weights of this network take .* has 4\.00 GB"):
        check_startable(experiment, tmp_path, None)
