"""Means of logits over views of an image, against numpy's own padding and flips."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cnn_core.training.views import averaged

SIDE, CLASSES = 5, 4
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 2, SIDE, SIDE)).astype(np.float32)
WEIGHTS = RNG.normal(size=(2 * SIDE * SIDE, CLASSES)).astype(np.float32)


def logits(images_NCHW: np.ndarray) -> np.ndarray:
    return np.tanh(images_NCHW.reshape(len(images_NCHW), -1) @ WEIGHTS)


def classifier(images_NCHW: Tensor) -> Tensor:
    return torch.tanh(images_NCHW.flatten(1) @ torch.from_numpy(WEIGHTS))


def pair(images_NCHW: np.ndarray) -> np.ndarray:
    return (logits(images_NCHW) + logits(images_NCHW[..., ::-1])) / 2


def test_none_is_the_classifier_itself():
    assert averaged(classifier, "none") is classifier


def test_mirrored_images():
    mean = averaged(classifier, "flip")(torch.from_numpy(IMAGES))
    np.testing.assert_allclose(mean, pair(IMAGES), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_mirrored_and_shifted_images(layout):
    wide = np.pad(IMAGES, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    up_left, down_right = wide[:, :, 2:, 2:], wide[:, :, :SIDE, :SIDE]
    expected = pair(IMAGES) / 2 + pair(up_left) / 4 + pair(down_right) / 4
    images_NCHW = torch.from_numpy(IMAGES).contiguous(memory_format=layout)
    before = images_NCHW.clone()
    mean = averaged(classifier, "flip-shift")(images_NCHW)
    np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(images_NCHW, before)


def test_every_view_has_the_layout_of_training():
    seen = []

    def watched(images_NCHW: Tensor) -> Tensor:
        seen.append(images_NCHW.is_contiguous(memory_format=torch.channels_last))
        return classifier(images_NCHW)

    images_NCHW = torch.from_numpy(IMAGES).contiguous(memory_format=torch.channels_last)
    averaged(watched, "flip-shift")(images_NCHW)
    assert seen == [True] * 6


@pytest.mark.parametrize("views", ["flip", "flip-shift"])
def test_means_are_taken_in_single_precision(views):
    def rounded(images_NCHW: Tensor) -> Tensor:
        return classifier(images_NCHW).bfloat16()

    mean = averaged(rounded, views)(torch.from_numpy(IMAGES))
    assert mean.dtype == torch.float32
    assert not torch.equal(mean, mean.bfloat16().float())
