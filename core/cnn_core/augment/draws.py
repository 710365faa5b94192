"""Random draws for the images of a batch, on the CPU whatever device the images are on."""

import numpy as np
import torch
from torch import Generator, Tensor


def uniform(low: float, high: float, shape: int | tuple[int, ...], generator: Generator) -> Tensor:
    """Return float64 numbers, uniform between the two."""
    shape = (shape,) if isinstance(shape, int) else shape
    draws = torch.rand(shape, generator=generator, dtype=torch.float64)
    return draws * (high - low) + low


def below(limits: Tensor, generator: Generator) -> Tensor:
    """Return int64 numbers, each uniform among those from 0 to below its limit (N,)."""
    draws = torch.rand(limits.shape, generator=generator, dtype=torch.float64)
    return (draws * limits).long()


def chosen(count: int, p: float, generator: Generator) -> Tensor:
    """Return the indices (M,) of those of ``count`` images that a chance of ``p`` picks."""
    return (torch.rand(count, generator=generator) < p).nonzero().flatten()


def numpy_generator(generator: Generator) -> np.random.Generator:
    """Return a generator of numpy's that the next draw of torch's seeds."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
