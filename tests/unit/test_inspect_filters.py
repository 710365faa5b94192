"""The filters of a run's convolutions, before and after it was trained."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from inspect_support import PRESET, make_images, trained_run

from cnn_core.backbones.network import build_network
from cnn_core.config import Experiment, Model
from cnn_core.errors import UserError
from cnn_core.inspect.filters import filter_limit, filter_pictures, filters_of
from cnn_core.runs.session import new_run, train_run
from cnn_core.training.control import Control
from cnn_core.training.events import EpochFinished

CLASSES = ("ant", "bee")
LAYERS = ("block1.0", "block2.0")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that has ended."""
    folder = tmp_path_factory.mktemp("filters")
    make_images(folder / "data" / "images", CLASSES)
    return trained_run(folder)


@pytest.fixture
def run_dir(stored: Path, tmp_path: Path) -> Path:
    """Return a copy of the run, to change."""
    return shutil.copytree(stored, tmp_path / stored.name)


@pytest.mark.parametrize("checkpoint", ["best", "last"])
@pytest.mark.parametrize("layer", [None, *LAYERS])
def test_filters_are_the_weights_of_the_checkpoint(stored, checkpoint, layer):
    found = filters_of(stored, checkpoint, layer)
    state = torch.load(stored / "checkpoints" / f"{checkpoint}.pt", weights_only=True)["model"]
    assert found.layers == LAYERS
    assert found.layer == (layer or LAYERS[0])
    assert found.weights_OIHW.dtype == np.float32
    assert np.array_equal(found.weights_OIHW, state[f"{found.layer}.weight"].numpy())


def test_initial_filters_are_those_the_seed_gives(stored):
    network = build_network(
        Model.model_validate(PRESET["model"]), classes=len(CLASSES), image_size=16, seed=0
    )
    for layer in LAYERS:
        expected = network.module.get_submodule(layer).weight.detach().numpy()
        assert np.array_equal(filters_of(stored, "initial", layer).weights_OIHW, expected)
        assert not np.array_equal(filters_of(stored, "last", layer).weights_OIHW, expected)
    kept = torch.load(stored / "checkpoints" / "initial.pt", weights_only=True)
    assert list(kept) == ["convolutions"]
    assert tuple(kept["convolutions"]) == LAYERS


def test_initial_filters_that_whiten_are_those_the_first_step_met(tmp_path):
    make_images(tmp_path / "data" / "images", CLASSES, each=4)
    model = {"backbone": "airbench", "options": {"widths": [4, 6, 6]}}
    data = {"image_size": 32, "resize": 32}
    run_dir = trained_run(tmp_path, model=model, data=data, train={"epochs": 1})
    first, last = (filters_of(run_dir, name) for name in ("initial", "last"))
    assert first.layer == "stem"
    assert np.array_equal(first.weights_OIHW, last.weights_OIHW)


def test_a_resumed_run_leaves_its_initial_filters_alone(tmp_path):
    make_images(tmp_path / "data" / "images", CLASSES, each=4)
    run_dir = new_run(tmp_path / "runs", Experiment.model_validate(PRESET))
    folders = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    control = Control()
    for event in train_run(run_dir, control, **folders, device="cpu"):
        if isinstance(event, EpochFinished):
            control.request("stop")
    path = run_dir / "checkpoints" / "initial.pt"
    before = path.stat()
    assert list(train_run(run_dir, Control(), **folders, device="cpu"))
    assert torch.load(run_dir / "checkpoints" / "last.pt", weights_only=True)["progress"]
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_run_without_initial_filters_says_so(run_dir):
    (run_dir / "checkpoints" / "initial.pt").unlink()
    with pytest.raises(UserError, match="has not kept its filters from before the training"):
        filters_of(run_dir, "initial")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 broken"])
def test_damaged_initial_filters_are_named(run_dir, content):
    (run_dir / "checkpoints" / "initial.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"initial\.pt: damaged"):
        filters_of(run_dir, "initial")


@pytest.mark.parametrize("checkpoint", ["initial", "best"])
def test_an_unknown_layer_is_told_with_the_nearest(stored, checkpoint):
    with pytest.raises(UserError, match=r"no convolution 'blok1\.0'; did you mean 'block1\.0'\?"):
        filters_of(stored, checkpoint, "blok1.0")


def test_a_network_without_convolutions_is_told(tmp_path):
    make_images(tmp_path / "data" / "images", CLASSES, each=4)
    model = {"backbone": "mlp", "options": {"widths": [4]}}
    run_dir = trained_run(tmp_path, model=model, train={"epochs": 1})
    for checkpoint in ("initial", "best"):
        with pytest.raises(UserError, match="its network has no convolution"):
            filters_of(run_dir, checkpoint)  # type: ignore[arg-type]


def weights(count: int, channels: int, side: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(0, 1, (count, channels, side, side)).astype(np.float32)


def test_three_channels_are_the_colours():
    weights_OIHW = weights(5, 3)
    pictures = filter_pictures(weights_OIHW)
    limit = np.abs(weights_OIHW).max()
    assert filter_limit(weights_OIHW) == limit
    for picture_HWC, filter_IHW in zip(pictures, weights_OIHW, strict=True):
        assert picture_HWC.dtype == np.uint8
        assert picture_HWC.shape == (3, 3, 3)
        expected = 127.5 + 127.5 * filter_IHW.transpose(1, 2, 0) / limit
        assert np.abs(picture_HWC - expected).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(("channels", "channel"), [(3, 1), (4, 3), (4, None), (1, None)])
def test_others_are_grey(channels, channel):
    weights_OIHW = weights(2, channels)
    shown = weights_OIHW.mean(1) if channel is None else weights_OIHW[:, channel]
    pictures = np.array(filter_pictures(weights_OIHW, channel))
    assert (pictures == pictures[..., :1]).all()
    expected = 127.5 + 127.5 * shown / np.abs(shown).max()
    assert np.abs(pictures[..., 0] - expected).max() <= 0.5 + 1e-4


def test_nothing_is_mid_grey():
    for value in (0, np.nan):
        weights_OIHW = np.full((1, 3, 2, 2), value, np.float32)
        assert (filter_pictures(weights_OIHW)[0] == 128).all()
