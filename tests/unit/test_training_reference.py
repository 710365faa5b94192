"""The core against a plain loop of torchvision and torch that shares only the network with it."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from prepare_support import finish
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from cnn_core.backbones.network import build_network
from cnn_core.datasets.prepare import prepare
from cnn_core.training.control import Control
from cnn_core.training.engine import stream
from cnn_core.training.events import (
    CheckpointSaved,
    ClassesValidated,
    EpochFinished,
    StepsDone,
)
from cnn_core.training.plan import epoch_order

OPTIMIZERS = {
    "sgd": (
        {"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3},
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3),
    ),
    "plain sgd": (
        {"name": "sgd", "lr": 0.05, "momentum": 0.0},
        lambda p: torch.optim.SGD(p, lr=0.05),
    ),
    "nesterov": (
        {"name": "sgd", "lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 1e-2},
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=1e-2),
    ),
    "adam": (
        {"name": "adam", "lr": 0.01, "weight_decay": 1e-2},
        lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-2),
    ),
    "adamw": (
        {"name": "adamw", "lr": 0.01, "weight_decay": 0.1},
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    ),
}
WITH_NORM = {"model": {"options": {"widths": [4, 6], "batch_norm": True}}}


class Plain:
    """The same experiment in the usual way, one image at a time through PIL."""

    def __init__(self, lab, experiment) -> None:
        state = lab.state("core")
        side = experiment.data.image_size
        transform = transforms.Compose(
            [
                transforms.Resize(experiment.data.resize or side),
                transforms.CenterCrop(side),
                transforms.ToTensor(),
                transforms.Normalize(state["mean"], state["std"]),
            ]
        )
        root = lab.data_dir / "folder"
        self.parts = {
            part: datasets.ImageFolder(root / part, transform) for part in ("train", "val", "test")
        }
        self.seed, self.batch_size = experiment.seed, experiment.train.batch_size
        self.module = copy.deepcopy(initial(experiment).module)

    def train(self, make: Any, epochs: int) -> list[tuple[float, float]]:
        optimizer, train = make(self.module.parameters()), self.parts["train"]
        figures = []
        for epoch in range(1, epochs + 1):
            self.module.train()
            order = epoch_order(np.arange(len(train)), seed=self.seed, epoch=epoch)
            losses, hits = 0.0, 0
            for images, labels in DataLoader(Subset(train, order.tolist()), self.batch_size):
                optimizer.zero_grad()
                logits = self.module(images)
                loss = F.cross_entropy(logits, labels)
                loss.backward()
                optimizer.step()
                losses += loss.item() * len(labels)
                hits += int((logits.argmax(1) == labels).sum())
            figures.append((losses / len(train), hits / len(train)))
        return figures

    @torch.no_grad()
    def evaluate(self, part: str, weights: dict[str, torch.Tensor]) -> tuple[float, float]:
        module = copy.deepcopy(self.module)
        module.load_state_dict(weights)
        module.eval()
        batches = list(DataLoader(self.parts[part], 5))
        logits = torch.cat([module(images) for images, _ in batches])
        labels = torch.cat([labels for _, labels in batches])
        return F.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).sum() / len(
            labels
        )

    @torch.no_grad()
    def hits_by_class(self, part: str, weights: dict[str, torch.Tensor]) -> list[list[int]]:
        """Return images and hits of each class, counted one image at a time."""
        self.module.load_state_dict(weights)
        self.module.eval()
        counts = [[0] * 3, [0] * 3]
        for image, label in self.parts[part]:
            counts[0][label] += 1
            counts[1][label] += int(self.module(image[None]).argmax()) == label
        return counts


def initial(experiment):
    return build_network(
        experiment.model, classes=3, image_size=experiment.data.image_size, seed=experiment.seed
    )


def epochs_of(events):
    return [event for event in events if isinstance(event, EpochFinished)]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("model", [{}, WITH_NORM], ids=["plain", "batch norm"])
def test_two_epochs_give_the_same_weights_and_figures(lab, name, model):
    keys, make = OPTIMIZERS[name]
    experiment = lab.experiment(optim=keys, train={"epochs": 2}, seed=5, **model)
    events = lab.train(experiment, "core")
    plain = Plain(lab, experiment)
    figures = plain.train(make, epochs=2)

    start, weights = initial(experiment).module.state_dict(), lab.state("core")["model"]
    for key, value in plain.module.state_dict().items():
        torch.testing.assert_close(weights[key], value, rtol=1e-4, atol=1e-5)
        assert not torch.equal(weights[key], start[key])
    for event, (loss, acc) in zip(epochs_of(events), figures, strict=True):
        assert event.train_loss == pytest.approx(loss, abs=1e-5)
        assert event.train_acc == acc


def test_evaluation_agrees_with_the_plain_one(lab):
    experiment = lab.experiment(**WITH_NORM)
    events = lab.train(experiment, "core")
    plain, weights = Plain(lab, experiment), lab.state("core")["model"]
    last = epochs_of(events)[-1]
    loss, acc = plain.evaluate("val", weights)
    assert last.val_loss == pytest.approx(loss, abs=1e-5)
    assert last.val_acc == pytest.approx(float(acc), abs=1e-7)
    for test in lab.tests(events):
        which = lab.state("core", test.checkpoint)["model"]
        loss, acc = plain.evaluate("test", which)
        assert test.loss == pytest.approx(loss, abs=1e-5)
        assert test.acc == pytest.approx(float(acc), abs=1e-7)


EVERYTHING = {"name": "random_resized_crop", "scale": [1.0, 1.0], "ratio": [1.0, 1.0]}


@pytest.mark.parametrize("freeze", [{}, {"policy": "backbone", "views": 2}])
def test_the_part_that_is_all_of_an_image_is_the_image(lab, freeze):
    whole = lab.experiment(
        data={"whole": True}, augment={"transforms": [EVERYTHING]}, freeze=freeze
    )
    plain = lab.experiment(freeze={key: freeze[key] for key in freeze if key != "views"})
    assert lab.history(lab.train(whole, "whole")) == lab.history(lab.train(plain, "plain"))


def test_parts_are_drawn_from_pixels_that_the_centre_crop_leaves_out(lab):
    # The images of 16 pixels are scaled to 8 and cropped to 4, or kept as they are.
    data = {"image_size": 4, "resize": 8}
    augment = {"transforms": [EVERYTHING]}
    model = {"options": {"widths": [4]}}
    kept = lab.train(lab.experiment(data=data, model=model, augment=augment), "cropped")
    whole = lab.experiment(data={**data, "whole": True}, model=model, augment=augment)
    assert lab.history(lab.train(whole, "whole")) != lab.history(kept)
    prepared, _ = finish(prepare(whole.data, lab.data_dir, lab.cache_dir))
    assert prepared.whole.sizes[prepared.train].tolist() == [[16, 16]] * 27


def test_logits_are_means_over_the_views_that_a_preset_asks_for(lab):
    plain = lab.experiment(train={"epochs": 1})
    lab.train(plain, "core")
    viewed = lab.experiment(train={"epochs": 1}, augment={"test_views": "flip"})
    test = lab.tests(lab.train(viewed, "viewed"))[-1]
    reference = Plain(lab, plain)
    reference.module.load_state_dict(lab.state("core")["model"])
    module = reference.module.eval()
    images_NCHW, labels = next(iter(DataLoader(reference.parts["test"], 15)))
    with torch.no_grad():
        logits = (module(images_NCHW) + module(images_NCHW.flip(3))) / 2
    assert test.loss == pytest.approx(F.cross_entropy(logits, labels).item(), abs=1e-5)
    assert abs(test.loss - lab.tests(lab.train(plain, "again"))[-1].loss) > 1e-6


def test_hits_of_each_class_are_counted_right_after_the_epoch(lab):
    experiment = lab.experiment(**WITH_NORM)
    events = lab.train(experiment, "core")
    counts = Plain(lab, experiment).hits_by_class("val", lab.state("core")["model"])
    places = [i for i, event in enumerate(events) if isinstance(event, EpochFinished)]
    assert len(places) == 3
    for place in places:
        epoch, classes, saved = events[place : place + 3]
        assert isinstance(classes, ClassesValidated)
        assert isinstance(saved, CheckpointSaved)
        assert classes.epoch == epoch.epoch
        assert sum(classes.correct) / sum(classes.images) == epoch.val_acc
    assert [list(classes.images), list(classes.correct)] == counts
    assert 0 < sum(counts[1]) < sum(counts[0])


def test_without_validation_images_no_classes_are_told(lab):
    events = lab.train(lab.experiment(data={"root": "no-val", "val_fraction": 0.0}))
    assert len(epochs_of(events)) == 3
    assert not [event for event in events if isinstance(event, ClassesValidated)]


@pytest.mark.parametrize("resize", [16, 20])
def test_the_loss_of_the_first_batch(lab, resize):
    side = 16 if resize == 20 else 12  # a crop of enlarged images, a crop of them as they are
    experiment = lab.experiment(
        data={"image_size": side, "resize": resize, "normalize": "imagenet"},
        model={"options": {"widths": [4]}},
        train={"epochs": 1, "batch_size": 27},
    )
    events = lab.train(experiment, "core")
    plain = Plain(lab, experiment)
    images, labels = next(iter(DataLoader(plain.parts["train"], 27)))
    loss = F.cross_entropy(plain.module(images), labels).item()
    assert epochs_of(events)[0].train_loss == pytest.approx(loss, abs=1e-5)


def test_every_image_is_seen_once_an_epoch_in_another_order_each():
    orders = [epoch_order(np.arange(50), seed=1, epoch=epoch) for epoch in (1, 2)]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert orders[0].tolist() != orders[1].tolist()
    again = epoch_order(np.arange(50), seed=1, epoch=1)
    assert torch.equal(again, orders[0])
    assert not torch.equal(epoch_order(np.arange(50), seed=2, epoch=1), orders[0])


def test_progress_inside_an_epoch_adds_up_to_the_epoch(lab, monkeypatch):
    monkeypatch.setattr("cnn_core.training.control.PROGRESS_INTERVAL_S", 0)
    events = list(
        stream(lab.experiment(train={"epochs": 1}), Control(), lab.places("run"), device="cpu")
    )
    steps = [event for event in events if isinstance(event, StepsDone)]
    assert [event.step for event in steps] == [1, 2, 3, 4]
    total = sum(event.loss * count for event, count in zip(steps, (8, 8, 8, 3), strict=True))
    assert total / 27 == pytest.approx(epochs_of(events)[0].train_loss, rel=1e-12)
