"""What a run starts from: seeds, batch size, frozen layers, compilation, determinism."""

from types import SimpleNamespace

import pytest
import torch

from cnn_core.backbones.network import build_network
from cnn_core.datasets.prepare import prepare
from cnn_core.progress import Progress
from cnn_core.training import assembly, memory
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import EpochFinished, Notice, Preparing, RunStarted

RANDOM = {
    "data": {"image_size": 32},
    "model": {
        "backbone": "convnet",
        "options": {"widths": [4, 6], "batch_norm": True},
        "dropout": 0.4,
    },
    "augment": {"policy": "flip-crop"},
}
WITH_NORM = {"options": {"widths": [4, 6], "batch_norm": True}}


def started(events) -> RunStarted:
    return next(event for event in events if isinstance(event, RunStarted))


@pytest.mark.parametrize("sections", [{}, RANDOM], ids=["plain", "random"])
def test_a_seed_gives_the_same_run_whatever_ran_before(lab, sections):
    one = lab.train(lab.experiment(seed=7, **sections), "one")
    torch.manual_seed(99)
    torch.rand(5)
    two = lab.train(lab.experiment(seed=7, **sections), "two")
    other = lab.train(lab.experiment(seed=8, **sections), "other")
    assert not lab.differences(lab.state("one"), lab.state("two"))
    assert lab.history(one) == lab.history(two)
    assert lab.tests(one) == lab.tests(two)
    assert lab.differences(lab.state("one")["model"], lab.state("other")["model"])
    assert lab.history(one) != lab.history(other)


@pytest.mark.parametrize("part", ["augment", "model"])
def test_augmentation_and_dropout_take_part(lab, part):
    lab.train(lab.experiment(**RANDOM), "with")
    plain = {"augment": {"policy": "none"}, "model": RANDOM["model"] | {"dropout": 0.0}}
    lab.train(lab.experiment(**RANDOM | {part: plain[part]}), "without")
    assert lab.differences(lab.state("with")["model"]["fc.weight"],
                           lab.state("without")["model"]["fc.weight"])  # fmt: skip


def available(monkeypatch, size: float) -> None:
    monkeypatch.setattr(
        memory, "psutil", SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=size))
    )


def test_auto_takes_the_largest_power_of_two_in_the_training_set(lab):
    auto = lab.train(lab.experiment(**RANDOM, train={"batch_size": "auto"}), "auto")
    assert started(auto).batch_size == 16
    assert any("batch_size auto: 16" in e.text for e in auto if isinstance(e, Notice))
    # The probe leaves no trace in weights, statistics of batch norm or random numbers.
    lab.train(lab.experiment(**RANDOM, train={"batch_size": 16}), "given")
    auto_state, given_state = lab.state("auto"), lab.state("given")
    for key in ("model", "optimizer", "random", "progress"):
        assert not lab.differences(auto_state[key], given_state[key])


@pytest.mark.parametrize("policy", ["none", "backbone"])
def test_auto_takes_less_where_memory_is_short(lab, monkeypatch, policy):
    """Frozen layers too need memory for what they hand on, although nothing of it is kept."""
    sizes = []
    for free in (0, 3e5, 1e6, 1e12):
        available(monkeypatch, free)
        experiment = lab.experiment(
            train={"batch_size": "auto", "epochs": 1}, freeze={"policy": policy}
        )
        sizes.append(started(lab.train(experiment, f"{free:g}")).batch_size)
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert 1 < sizes[1] < sizes[-1] == 16
    assert all(size.bit_count() == 1 for size in sizes)


def test_a_resumed_run_keeps_its_batch_size(lab, monkeypatch):
    experiment = lab.experiment(**RANDOM, train={"batch_size": "auto"})
    lab.train(experiment, "alone")
    lab.train(experiment, "stopped", {1: [("stop", None)]})
    available(monkeypatch, 0)
    events = lab.train(experiment, "stopped")
    assert started(events).batch_size == 16
    assert not lab.differences(lab.state("alone"), lab.state("stopped"))


def initial_weights(experiment):
    network = build_network(
        experiment.model, classes=3, image_size=16, seed=experiment.seed
    )  # fmt: skip
    return network.module.state_dict()


def changed(start, weights) -> set[str]:
    """Return the first part of the names of all tensors that are not as they were."""
    return {key.partition(".")[0] for key in start if not torch.equal(start[key], weights[key])}


@pytest.mark.parametrize(
    ("policy", "trained"),
    [
        ("none", {"block1", "block2", "fc"}),
        ("first:1", {"block2", "fc"}),
        ("convolutional", {"fc"}),
        ("backbone", {"fc"}),
        ("classifier", {"block1", "block2"}),
    ],
)
def test_what_is_frozen_stays_to_the_bit(lab, policy, trained):
    """Statistics of batch norm and AdamW's decay, which needs no gradient, included."""
    experiment = lab.experiment(
        model=WITH_NORM,
        freeze={"policy": policy},
        optim={"name": "adamw", "lr": 0.01, "weight_decay": 0.5},
    )
    events = lab.train(experiment)
    state, start = lab.state("run"), initial_weights(experiment)
    assert changed(start, state["model"]) == trained
    parameters = [
        key
        for key in start
        if key.split(".")[0] in trained and "running" not in key and "num_batches" not in key
    ]
    assert [len(group["params"]) for group in state["optimizer"]["param_groups"]] == [
        len(parameters)
    ]
    assert len(state["optimizer"]["state"]) == len(parameters)
    assert started(events).params_trainable == sum(start[key].numel() for key in parameters)


def test_unfrozen_layers_train_from_their_epoch_at_their_scale(lab):
    def weights(scale, epochs, stop_after):
        freeze = {"policy": "backbone", "unfreeze_at": 3, "lr_scale": scale}
        experiment = lab.experiment(
            model=WITH_NORM,
            freeze=freeze,
            optim={"lr": 0.05, "momentum": 0.0},
            train={"epochs": epochs},
        )
        name = f"{scale}-{stop_after}"
        lab.train(experiment, name, {stop_after: [("stop", None)]})
        return initial_weights(experiment), lab.state(name)

    start, before = weights(0.5, 5, 8)  # the last step of the second epoch
    assert changed(start, before["model"]) == {"fc"}
    _, half = weights(0.5, 5, 9)
    _, full = weights(1.0, 5, 9)
    assert changed(start, half["model"]) == {"block1", "block2", "fc"}
    name = "block1.0.weight"
    step = {key: s["model"][name] - start[name] for key, s in (("half", half), ("full", full))}
    torch.testing.assert_close(step["half"], step["full"] / 2, rtol=1e-3, atol=1e-8)
    rates = [group["lr"] for group in half["optimizer"]["param_groups"]]
    assert rates == [0.05, 0.025]


def failing_compile(monkeypatch, good_calls: int) -> list[int]:
    """Make compiled networks fail after some calls; return the sizes of the batches they saw."""
    from torch._dynamo.exc import TorchDynamoException

    sizes = []

    def compile_(module, mode):
        def call(images):
            sizes.append(len(images))
            if len(sizes) > good_calls:
                raise TorchDynamoException("no compiler here\nand a long story")
            return module(images)

        return call

    monkeypatch.setattr(torch, "compile", compile_)
    return sizes


@pytest.mark.parametrize("good_calls", [0, 3, 100])
def test_a_network_that_does_not_compile_trains_without(lab, monkeypatch, good_calls):
    sizes = failing_compile(monkeypatch, good_calls)
    events = lab.train(lab.experiment(**RANDOM, train={"compile": True}), "compiled")
    lab.train(lab.experiment(**RANDOM), "plain")
    notices = [event for event in events if isinstance(event, Notice)]
    warned = [notice.text for notice in notices if notice.level == "warning"]
    expected = ["torch.compile failed, training goes on without: no compiler here"]
    assert warned == (expected if good_calls < 100 else [])
    assert events[-1].status == "finished"
    assert sizes == ([8, 8, 8, 3] * 3)[: good_calls + 1]  # never the batches of an evaluation
    assert not lab.differences(lab.state("compiled")["model"], lab.state("plain")["model"])


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("ending", ["finished", "closed", "failed"])
def test_determinism_ends_with_the_run(lab, monkeypatch, before, ending):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    during = []
    torch.use_deterministic_algorithms(before)
    try:
        experiment = lab.experiment(train={"deterministic": True})
        events = stream(experiment, Control(), lab.places("run"), device="cpu")
        for event in events:
            if isinstance(event, EpochFinished):
                during.append(torch.are_deterministic_algorithms_enabled())
                if ending == "closed":
                    events.close()
                if ending == "failed":
                    monkeypatch.setattr(torch, "save", None)
        assert torch.are_deterministic_algorithms_enabled() == before
    finally:
        torch.use_deterministic_algorithms(False)
    assert during == [True] * (3 if ending == "finished" else 1)


def test_weights_from_a_file_are_told_and_not_needed_again(lab, tmp_path):
    experiment = lab.experiment(train={"epochs": 1})
    lab.train(experiment, "source")
    weights = tmp_path / "weights.pt"
    torch.save(lab.state("source")["model"], weights)
    tuned = lab.experiment(
        data={"root": "seven", "test_fraction": 0.3}, model={"weights": str(weights)}
    )
    events = lab.train(tuned, "tuned", {1: [("stop", None)]})
    told = [event.text for event in events if isinstance(event, Notice)]
    assert any("the head starts fresh" in text for text in told)
    weights.unlink()
    assert lab.train(tuned, "tuned")[-1].status == "finished"


@pytest.mark.parametrize("normalize", ["dataset", "half"])
def test_weights_that_expect_another_normalisation_are_warned_of(lab, normalize):
    experiment = lab.experiment(
        data={"normalize": normalize, "image_size": 32},
        model={"backbone": "efficientnet_lite0", "weights": "imagenet", "options": {}},
        train={"epochs": 1},
    )
    events = lab.train(experiment)
    warned = [e.text for e in events if isinstance(e, Notice) and e.level == "warning"]
    expected = (
        'data.normalize = "dataset", but the imagenet weights of efficientnet_lite0 were trained '
        'with "half"'
    )
    assert warned == ([expected] if normalize == "dataset" else [])


def test_preparing_tells_of_itself_at_intervals_only(lab, monkeypatch):
    def busy(*arguments):
        for done in range(5001):
            yield Progress("counting", done, 5000)
        return (yield from prepare(*arguments))

    monkeypatch.setattr(assembly, "prepare", busy)
    events = lab.train(lab.experiment(train={"epochs": 1}))
    told = [e.done for e in events if isinstance(e, Preparing) and e.what == "counting"]
    assert told[0] == 0
    assert told[-1] == 5000
    assert len(told) < 100
