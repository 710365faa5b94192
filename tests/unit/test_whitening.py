"""Filters that whiten the patches of training images, and a run that starts with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnn_core.backbones.network import build_network
from cnn_core.config import Model
from cnn_core.freezing import apply_freezing, unfreeze
from cnn_core.training.batches import Batches
from cnn_core.training.whitening import whiten, whitening_filters

EPS = 5e-4
AIRBENCH: dict[str, Any] = {
    "data": {"image_size": 32},
    "model": {"backbone": "airbench", "options": {"widths": [4, 6, 6]}},
}


def patches_of(images_NCHW: np.ndarray, side: int) -> np.ndarray:
    """Return every patch (P, C * side * side), one after another."""
    _, _, height, width = images_NCHW.shape
    found = [
        image_CHW[:, top : top + side, left : left + side].ravel()
        for image_CHW in images_NCHW
        for top in range(height - side + 1)
        for left in range(width - side + 1)
    ]
    return np.array(found, dtype=np.float64)


def smooth_images(count: int) -> np.ndarray:
    """Return images (N, 3, 9, 8) whose neighbouring pixels and channels are alike, not around 0."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0.5, 1, (count, 3, 10, 9)).astype(np.float32)
    noise = noise + noise.mean(1, keepdims=True)
    return noise[:, :, 1:, 1:] + noise[:, :, :-1, 1:] + noise[:, :, 1:, :-1]


@pytest.mark.parametrize("side", [1, 2, 3])
def test_whitened_patches_are_uncorrelated_and_of_one_variance(side):
    images_NCHW = smooth_images(40)
    patches = patches_of(images_NCHW, side)
    size = 3 * side**2
    filters = whitening_filters([torch.from_numpy(images_NCHW)], side).numpy()
    assert filters.shape == (2 * size, 3, side, side)
    assert (filters[size:] == -filters[:size]).all()
    white = patches @ filters[:size].reshape(size, size).T.astype(np.float64)
    spread = np.linalg.eigvalsh(np.cov(patches, rowvar=False, bias=True))[::-1]
    expected = np.diag(spread / (spread + EPS))
    np.testing.assert_allclose(np.cov(white, rowvar=False, bias=True), expected, atol=1e-5)
    np.testing.assert_allclose(expected, np.eye(size), atol=2 * EPS / spread[-1])


def test_a_direction_that_does_not_vary_is_not_blown_up():
    images_NCHW = smooth_images(20)
    images_NCHW[:, 2] = 0.25
    filters = whitening_filters([torch.from_numpy(images_NCHW)], 1)
    assert filters.abs().max().item() == pytest.approx(EPS**-0.5, rel=1e-3)


def test_how_the_images_come_does_not_matter():
    images_NCHW = torch.from_numpy(smooth_images(20))
    whole, parts = (whitening_filters(images_NCHW.split(size), 2) for size in (20, 7))
    torch.testing.assert_close(whole, parts)


class Watched(Batches):
    """Notes which images are asked for."""

    def __init__(self, count: int) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 3)).astype(np.uint8)
        one = np.ones(3, np.float32)
        labels = np.zeros(count, np.int64)
        super().__init__(pixels, labels, mean=0 * one, std=one, device=torch.device("cpu"))
        self.asked: list[int] = []

    def pixels(self, positions: torch.Tensor) -> torch.Tensor:
        self.asked += positions.tolist()
        return super().pixels(positions)


@pytest.mark.parametrize(("count", "step"), [(4_999, 1), (12_001, 3)])
def test_the_images_are_a_few_thousand_from_all_over_the_data_set(count, step):
    network = build_network(Model(backbone="airbench"), classes=3, image_size=32, seed=0)
    batches = Watched(count)
    whiten(network, batches, torch.arange(count))
    assert batches.asked == list(range(0, count, step))


def test_a_network_without_such_a_convolution_stays_as_it_is():
    for model in (Model(backbone="cnn"), Model(backbone="airbench", options={"whiten": False})):
        network = build_network(model, classes=3, image_size=32, seed=0)
        before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
        batches = Watched(30)
        whiten(network, batches, torch.arange(30))
        assert not batches.asked
        after = network.module.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_filters_are_nothing_that_trains_or_is_unfrozen():
    network = build_network(Model(backbone="airbench"), classes=3, image_size=32, seed=0)
    apply_freezing(network, "first:1")
    thawed = unfreeze(network)
    assert [parameter.shape for parameter in thawed] == [(24,)]  # the biases of the stem
    assert "stem.weight" in network.module.state_dict()
    assert "stem.weight" not in dict(network.module.named_parameters())


def training_images(folder: Path, state: dict[str, Any]) -> np.ndarray:
    files = sorted((folder / "train").rglob("*.png"))
    pixels = [Image.open(file).resize((32, 32), Image.Resampling.BILINEAR) for file in files]
    images_NHWC = np.array([np.asarray(picture) for picture in pixels], np.float64) / 255
    return ((images_NHWC - state["mean"]) / state["std"]).transpose(0, 3, 1, 2)


def test_a_run_whitens_its_training_images_and_keeps_the_filters(lab):
    experiment = lab.experiment(**AIRBENCH)
    assert lab.train(experiment, "run")[-1].status == "finished"
    state = lab.state("run")
    filters = state["model"]["stem.weight"].double().numpy()[:12].reshape(12, 12)
    white = patches_of(training_images(lab.data_dir / "folder", state), 2) @ filters.T
    covariance = np.cov(white, rowvar=False, bias=True)
    spread = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(spread), atol=1e-3)
    assert (spread > 0.5).all()
    assert (spread <= 1.001).all()
    assert state["model"]["stem.bias"].any()


def test_filters_that_came_with_weights_stay(lab):
    lab.train(lab.experiment(**AIRBENCH), "first")
    saved = lab.folder / "first" / "checkpoints" / "last.pt"
    model = AIRBENCH["model"] | {"weights": str(saved)}
    other = lab.experiment(
        model=model, data=AIRBENCH["data"] | {"root": "seven"}, train={"epochs": 1}
    )
    assert lab.train(other, "second")[-1].status == "finished"
    first, second = (lab.state(name)["model"] for name in ("first", "second"))
    assert torch.equal(first["stem.weight"], second["stem.weight"])
    assert not torch.equal(first["stem.bias"], second["stem.bias"])
