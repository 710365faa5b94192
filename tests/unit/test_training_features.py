"""Layers that do not train run once; what comes of it is what came of running them always."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from cnn_core.datasets.cache import MEMORY_SHARE
from cnn_core.training import features
from cnn_core.training.events import Notice, Preparing, RunStarted

COMPUTING = "computing features"
CONVNET: dict[str, Any] = {
    "model": {
        "backbone": "convnet",
        "options": {"widths": [4, 6], "batch_norm": True},
        "dropout": 0.4,
    },
    "data": {"image_size": 32},
    "freeze": {"policy": "first:1"},
}
BACKBONE: dict[str, Any] = {"freeze": {"policy": "backbone"}}
CASES: dict[str, dict[str, Any]] = {
    "the head": BACKBONE,
    "dropout after frozen layers": CONVNET,
    "a head with batch norm": {
        **BACKBONE,
        "model": {"head": "mlp", "head_hidden": 8, "head_batch_norm": True},
    },
    "bf16": {**BACKBONE, "train": {"precision": "bf16"}},
    "unfreezing": {**CONVNET, "freeze": {"policy": "first:1", "unfreeze_at": 3}},
    "accumulate and drop last": {
        **BACKBONE,
        "train": {"batch_size": 4, "accumulate": 2, "drop_last": True},
    },
    "a change that is always the same": {
        "augment": {"transforms": [{"name": "horizontal_flip", "p": 1.0}]},
        "freeze": {"policy": "backbone", "views": 2},
    },
}


@pytest.fixture(autouse=True)
def _empty_cache(lab, tmp_path):
    lab.cache_dir = tmp_path / "cache"


def computed(events) -> bool:
    return any(isinstance(event, Preparing) and event.what == COMPUTING for event in events)


def always(lab, sections: dict[str, Any]):
    freeze = {key: value for key, value in sections["freeze"].items() if key != "views"}
    return lab.experiment(**{**sections, "freeze": {**freeze, "reuse": False}})


@contextmanager
def convolved_batches() -> Iterator[list[int]]:
    """Collect the sizes of the batches that convolutions get."""
    sizes: list[int] = []

    def note(module, args, _output):
        if isinstance(module, torch.nn.Conv2d):
            sizes.append(len(args[0]))

    handle = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        yield sizes
    finally:
        handle.remove()


@pytest.mark.parametrize("case", CASES)
def test_the_run_is_the_one_that_computes_always_bit_for_bit(lab, case):
    once = lab.train(lab.experiment(**CASES[case]), "once")
    anew = lab.train(always(lab, CASES[case]), "always")
    assert computed(once)
    assert not computed(anew)
    assert once[-1].status == anew[-1].status == "finished"
    assert lab.history(once) == lab.history(anew)
    assert lab.tests(once) == lab.tests(anew)
    for part in ("model", "optimizer", "progress", "random"):
        assert lab.differences(lab.state("once")[part], lab.state("always")[part]) == []


def test_products_of_matrices_differ_by_rounding_only(lab):
    # How a linear layer adds up depends on the number of images in the batch.
    sections = {
        "model": {"backbone": "mlp", "options": {"widths": [12, 8]}},
        "freeze": {"policy": "first:1"},
    }
    once = lab.history(lab.train(lab.experiment(**sections), "once"))
    anew = lab.history(lab.train(always(lab, sections), "always"))
    for one, two in zip(once, anew, strict=True):
        assert one == pytest.approx(two, rel=1e-5)


def test_the_second_run_computes_nothing_and_no_frozen_layer_runs(lab):
    lab.train(lab.experiment(**BACKBONE), "first")
    with convolved_batches() as sizes:
        events = lab.train(lab.experiment(**BACKBONE, optim={"lr": 0.01}), "second")
    assert not computed(events)
    assert max(sizes) == 2  # two images, to find the frozen part
    with convolved_batches() as sizes:
        lab.train(always(lab, BACKBONE), "always")
    assert max(sizes) > 2


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"data": {"normalize": "half"}},
        {"train": {"precision": "bf16"}},
        {"data": {"classes": ["class0", "class2"]}},
    ],
)
def test_other_weights_images_or_arithmetic_have_other_features(lab, change):
    lab.train(lab.experiment(**BACKBONE), "first")
    assert computed(lab.train(lab.experiment(**BACKBONE, **change), "second"))


@pytest.mark.parametrize("step", [2, 5, 10])
def test_a_stopped_run_goes_on_bit_for_bit(lab, step):
    experiment = lab.experiment(**CASES["unfreezing"])
    lab.train(experiment, "alone")
    first = lab.train(experiment, "stopped", {step: [("stop", None)]})
    assert first[-1].status == "stopped"
    lab.train(experiment, "stopped")
    assert lab.differences(lab.state("alone"), lab.state("stopped")) == []


def test_a_stop_is_heard_while_features_are_computed(lab, monkeypatch):
    monkeypatch.setattr(features, "_AT_ONCE", 1)
    experiment = lab.experiment(**BACKBONE)
    from cnn_core.training.control import Control
    from cnn_core.training.engine import stream

    control, seen = Control(), []
    for event in stream(experiment, control, lab.places("run"), device="cpu"):
        seen.append(event)
        if isinstance(event, Preparing) and event.what == COMPUTING:
            control.request("stop", None)
    assert seen[-1].status == "stopped"
    assert not any(isinstance(event, RunStarted) for event in seen)
    assert not list((lab.cache_dir / "features").glob("*.part"))


def test_random_changes_make_the_layers_run_and_the_user_is_told(lab):
    sections = {**BACKBONE, "augment": {"policy": "flip"}}
    events = lab.train(lab.experiment(**sections), "run")
    told = [event.text for event in events if isinstance(event, Notice)]
    assert any("freeze.views" in text for text in told)
    with convolved_batches() as sizes:
        lab.train(lab.experiment(**sections), "again")
    assert max(sizes) > 2


def test_views_are_drawn_once_each_and_taken_in_turn(lab):
    sections = {
        "augment": {"policy": "flip-crop"},
        "freeze": {"policy": "backbone", "views": 2},
        "train": {"epochs": 4},
        "optim": {"lr": 1e-30, "momentum": 0.0},  # the weights stay: only the images matter
    }
    losses = [row[1] for row in lab.history(lab.train(lab.experiment(**sections), "run"))]
    assert losses[0] == pytest.approx(losses[2], abs=1e-6)
    assert losses[1] == pytest.approx(losses[3], abs=1e-6)
    assert abs(losses[0] - losses[1]) > 1e-4


def test_mixed_images_have_no_features(lab):
    sections = {
        "augment": {"transforms": [{"name": "mixup"}]},
        "freeze": {"policy": "backbone", "views": 2},
    }
    end = lab.train(lab.experiment(**sections), "run")[-1]
    assert end.mistake
    assert "freeze.views" in end.error


def test_features_that_would_fill_the_memory_are_not_kept(lab, monkeypatch):
    class Little:
        available = 500

    monkeypatch.setattr("psutil.virtual_memory", Little)
    events = lab.train(lab.experiment(**BACKBONE), "run")
    told = [event.text for event in events if isinstance(event, Notice)]
    assert MEMORY_SHARE * Little.available < 12 * 6 * 4
    assert any("features would take" in text for text in told)
    assert events[-1].status == "finished"
    assert not computed(events)


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[:-10],
        lambda content: content.replace(b"'<f4'", b"'<i4'"),
        lambda content: content.replace(b"{'descr'", b"{('desc"),
    ],
    ids=["cut off", "another type", "no header"],
)
def test_damaged_features_are_computed_again(lab, harm):
    lab.train(lab.experiment(**BACKBONE), "first")
    for file in (lab.cache_dir / "features").glob("*/features-0.npy"):
        harmed = harm(file.read_bytes())
        assert harmed != file.read_bytes()
        file.write_bytes(harmed)
    events = lab.train(lab.experiment(**BACKBONE), "second")
    assert any(isinstance(e, Notice) and "damaged" in e.text for e in events)
    assert lab.differences(lab.state("first"), lab.state("second")) == []


def test_features_unused_for_longest_go_first(lab, monkeypatch):
    lab.train(lab.experiment(**BACKBONE), "first")
    kept = {meta.parent for meta in (lab.cache_dir / "features").glob("*/meta.json")}
    assert len(kept) == 3  # train, val, test
    monkeypatch.setattr(features, "DISK_SHARE", 0)
    lab.train(lab.experiment(**BACKBONE, seed=1), "second")
    left = {meta.parent for meta in (lab.cache_dir / "features").glob("*/meta.json")}
    assert len(left) == 1
    assert not left & kept


def test_stored_features_are_those_of_a_plain_forward_pass(lab):
    lab.train(lab.experiment(**BACKBONE), "run")
    sizes = sorted(
        len(np.load(file)) for file in (lab.cache_dir / "features").glob("*/features-0.npy")
    )
    assert sizes == [12, 15, 27]
