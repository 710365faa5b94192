"""The start of a network whose first convolution whitens the patches of its images."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_core.backbones.structure import Network
from cnn_core.training.batches import Batches
from cnn_core.training.plan import chunks

# Images that tell the covariance: 12 x 12 numbers from a million patches of 2x2 pixels.
_IMAGES = 5000
_CHUNK = 256


def whiten(network: Network, batches: Batches, positions: Tensor) -> None:
    """Set the filters of ``network.whitened`` from training images at positions (N,).

    Nothing is done where the network has no such convolution, or its filters came from weights.
    """
    name = network.whitened
    if name is None or f"{name}.weight" in network.loaded:
        return
    convolution = network.module.get_submodule(name)
    assert isinstance(convolution, nn.Conv2d)
    # From all over the data set, which may be in the order of its classes.
    some = positions[:: math.ceil(len(positions) / _IMAGES)]
    images = (batches.normalize(batches.pixels(part)) for part in chunks(some, _CHUNK))
    filters = whitening_filters(images, convolution.kernel_size[0])
    with torch.no_grad():
        convolution.weight.copy_(filters)


def whitening_filters(images: Iterable[Tensor], side: int, eps: float = 5e-4) -> Tensor:
    """Return filters (2 * C * side², C, side, side) whose responses to patches are white.

    ``images`` are batches (N, C, H, W), of which every patch counts. With the eigenvalues l and
    eigenvectors v of the patches' covariance, greatest first, the filters are v / sqrt(l + eps),
    then the same negated: of the first half, responses are uncorrelated and of variance
    l / (l + eps). Filters and eps as in airbench94 (Jordan 2024, arXiv 2404.00498); eps keeps the
    noise of directions that hardly vary from being blown up.
    """
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    for images_NCHW in images:
        channels = images_NCHW.shape[1]
        patches_PD = F.unfold(images_NCHW.double(), side).transpose(1, 2).flatten(0, 1)
        count += len(patches_PD)
        total = total.to(patches_PD) + patches_PD.sum(0)
        products = products.to(patches_PD) + patches_PD.T @ patches_PD
    mean = total / count
    values, vectors = torch.linalg.eigh((products / count - mean.outer(mean)).cpu())
    filters = (vectors / (values + eps).sqrt()).T.flip(0)
    return torch.cat([filters, -filters]).float().reshape(-1, channels, side, side)
