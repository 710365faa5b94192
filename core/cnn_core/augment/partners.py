"""Who is mixed with whom, how much of each stays, and what the labels become."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from cnn_core.augment.batch import on_device
from cnn_core.augment.draws import chosen, numpy_generator


def own_shares(count: int, alpha: float, p: float, generator: Generator) -> Tensor:
    """Return the share (N,) float64 that each image keeps: 1, or with probability ``p`` any.

    The latter are from Beta(alpha, alpha).
    """
    shares = torch.ones(count, dtype=torch.float64)
    mixed = chosen(count, p, generator)
    drawn = numpy_generator(generator).beta(alpha, alpha, len(mixed))
    shares[mixed] = torch.from_numpy(drawn)
    return shares


def partners(count: int, generator: Generator) -> Tensor:
    """Return another image of the batch for each, (N,) int64; with one only, itself."""
    order = torch.randperm(count, generator=generator)
    successors = torch.empty_like(order)
    successors[order] = order.roll(1)
    return successors


def class_shares(targets: Tensor, classes: int) -> Tensor:
    """Return shares (N, classes) float32 of labels (N,), or the shares that they already are."""
    return targets if targets.ndim == 2 else F.one_hot(targets, classes).float()


def mixed_shares(shares: Tensor, own: Tensor, others: Tensor) -> Tensor:
    """Return class shares of images that keep ``own`` (N,) and get the rest of ``others`` (N,)."""
    there = on_device(others, shares.device)
    return torch.lerp(shares[there], shares, on_device(own.float(), shares.device).view(-1, 1))
