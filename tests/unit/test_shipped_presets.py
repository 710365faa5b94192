"""Every shipped preset: what it says of itself, its network, and two steps of its training."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_core.backbones.network import build_network
from cnn_core.backbones.shapes import forward_shapes
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import DATASETS
from cnn_core.freezing import apply_freezing, count_parameters
from cnn_core.preset_files import load_experiment
from cnn_core.shipped import shipped_presets
from cnn_core.training.control import Control
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import RunFinished, RunStarted, StepsDone

NAMES = sorted(shipped_presets())
# Of the others each is much like one of these.
SAMPLE = (
    "digits",
    "cifar10-fast",
    "cifar10-convnet-geometric-colour",
    "caltech101-alexnet-scratch",
)
SHORT_NAMES = {"cifar10-fast", "digits", "vgg16"}
SINGLE_RUNS = {
    *("S1.1", "S1.3", "S1.4", "S1.5", "S1.6", "S1.7"),
    *("S2.1", "S2.2", "S2.3", "S2.4", "S2.5", "S2.6"),
    *("S3.2", "S3.3", "S3.4"),
    *("S4.1", "S4.4", "S4.5", "S4.6", "S4.8", "S4.9"),
    *("S5.1", "S5.2", "S5.3", "S5.4", "S5.5"),
}
OWN_CLASSES = 7


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_named_after_its_data_set_and_its_backbone(name: str):
    experiment = load_experiment(name)
    if name in SHORT_NAMES:
        return
    assert experiment.name == name
    assert f"{name}-".startswith(f"{experiment.data.dataset}-{experiment.model.backbone}-")


@pytest.mark.parametrize("name", sorted({*NAMES} - {"digits"}))
def test_the_notes_are_one_line_that_tells_the_row_or_that_one_may_start_here(name: str):
    notes = load_experiment(name).notes
    assert re.match(r"(S[1-5]\.\d|Start here): \S", notes)
    assert notes.endswith(".")
    assert "\n" not in notes


def test_every_experiment_of_the_reports_that_is_a_single_run_has_a_preset():
    found = re.compile(r"S\d\.\d(?=:)")
    rows = {row for name in NAMES for row in found.findall(load_experiment(name).notes)}
    assert rows == SINGLE_RUNS


def classes_of(experiment: Experiment) -> int:
    data = experiment.data
    return len(data.classes or ()) or DATASETS[data.dataset].classes or OWN_CLASSES


@pytest.mark.parametrize("name", NAMES)
def test_the_network_has_an_output_for_each_class_and_something_to_train(name: str):
    experiment, classes = load_experiment(name), classes_of(load_experiment(name))
    side = experiment.data.image_size
    assert side is not None
    network = build_network(experiment.model, classes=classes, image_size=side, device="meta")
    assert forward_shapes(network.module, side).shape == (1, classes)
    apply_freezing(network, experiment.freeze.policy)
    total, trainable = count_parameters(network)
    assert (trainable < total) == (experiment.freeze.policy != "none")


@pytest.mark.parametrize(("cut", "features"), [(3, 200_704), (4, 100_352)])
def test_the_cut_networks_have_as_many_features_as_reported(cut: int, features: int):
    model = load_experiment(f"caltech256-vgg16-cut{cut}").model
    network = build_network(model, classes=256, image_size=224, device="meta")
    (head,) = network.head
    widths = [p.shape for p in network.module.get_submodule(head).parameters() if p.dim() == 2]
    assert widths == [(1024, features), (256, 1024)]


class StopAfterTwoSteps(Control):
    """The engine polls once after each step."""

    polls = 0

    def poll(self) -> None:
        self.polls += 1
        if self.polls == 2:
            self.request("stop")


@pytest.fixture(scope="session")
def cats_and_dogs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a data folder with an image for each class and part, and a folder for the cache."""
    data_dir = tmp_path_factory.mktemp("shipped")
    random = np.random.default_rng(0)
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            folder = data_dir / "folder" / part / name
            folder.mkdir(parents=True)
            pixels = random.integers(0, 256, (40, 48, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "one.png")
    return data_dir, tmp_path_factory.mktemp("pixels")


@pytest.mark.parametrize(
    "name",
    [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.long) for name in NAMES],
)
def test_a_preset_trains_an_epoch_and_a_step_more(
    name: str,
    cats_and_dogs: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Two steps of two images, an epoch each: so whatever is to be unfrozen has been."""
    states: list[dict[str, Any]] = []
    # VGG16's checkpoints have a gigabyte.
    monkeypatch.setattr(
        "cnn_core.training.saver.save_checkpoint",
        lambda run_dir, state, *names: states.append(state["progress"]),
    )
    overrides = ["data.dataset=folder", "model.weights=none", "train.batch_size=2"]
    shipped = load_experiment(name)
    if shipped.freeze.keep_statistics:  # of weights, which are not at hand
        overrides.append("freeze.keep_statistics=false")
    if shipped.freeze.unfreeze_at is not None:
        overrides.append("freeze.unfreeze_at=2")
    if shipped.model.head_hidden is not None:  # cut VGG16: 200 million weights
        overrides.append("model.head_hidden=8")
    if name.startswith("caltech256-vgg16"):  # as slow as vgg16 itself, which stays at full size
        overrides.append("data.image_size=64")
    experiment = load_experiment(name, overrides)
    data_dir, cache_dir = cats_and_dogs
    places = Places(run_dir=tmp_path, data_dir=data_dir, cache_dir=cache_dir)
    (tmp_path / "checkpoints").mkdir()
    events = list(stream(experiment, StopAfterTwoSteps(), places, device="cpu"))
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert (end.status, end.error) == ("stopped", None)
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert (started.params_trainable < started.params_total) == (experiment.freeze.policy != "none")
    steps = [event for event in events if isinstance(event, StepsDone)]
    assert (steps[-1].epoch, steps[-1].global_step) == (2, 2)
    assert np.isfinite([step.loss for step in steps]).all()
    assert states[-1]["global_step"] == 2
