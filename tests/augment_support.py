"""Batches to augment, and transforms by the tables of a preset."""

from collections.abc import Sequence

import torch
from scipy import stats
from torch import Generator, Tensor

from cnn_core.augment.catalog import build_augmentation
from cnn_core.config import Augment


def batch(count: int = 24, height: int = 12, width: int = 12, seed: int = 7) -> Tensor:
    """Return noise as channels_last uint8; every third image is grey, every fifth of few levels."""
    draws = Generator().manual_seed(seed)
    images_NCHW = torch.randint(0, 256, (count, 3, height, width), generator=draws)
    images_NCHW[::3] = images_NCHW[::3, :1]
    images_NCHW[::5] = 100 + images_NCHW[::5] // 8
    return images_NCHW.to(torch.uint8).contiguous(memory_format=torch.channels_last)


def apply(images_NCHW: Tensor, *tables: dict, seed: int = 0) -> Tensor:
    """Return the images augmented by these transforms, whose draws the seed decides."""
    labels = torch.zeros(len(images_NCHW), dtype=torch.int64)
    return mixed(images_NCHW, labels, 1, *tables, seed=seed)[0]


def mixed(
    images_NCHW: Tensor, labels: Tensor, classes: int, *tables: dict, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Return images and targets after these transforms."""
    augmentation = build_augmentation(Augment(transforms=list(tables)), classes)
    return augmentation(images_NCHW, labels, Generator().manual_seed(seed))


def largest_difference(one: Sequence[Tensor] | Tensor, two: Sequence[Tensor] | Tensor) -> int:
    """Return by how many grey levels images differ at most."""
    one, two = torch.stack(list(one)), torch.stack(list(two))
    assert one.dtype == two.dtype == torch.uint8
    return int((one.int() - two.int()).abs().max())


def assert_equally_likely(counts: Tensor) -> None:
    """Check counts of outcomes by chi-square."""
    assert stats.chisquare(counts.numpy()).pvalue > 0.001


def assert_same_distribution(one: Tensor, two: Tensor) -> None:
    """Check two samples by Kolmogorov and Smirnov's test."""
    assert stats.ks_2samp(one.double().numpy(), two.double().numpy()).pvalue > 0.001
