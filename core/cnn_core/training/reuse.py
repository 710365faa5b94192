"""Whether the frozen layers of a run need to be computed only once, and then doing so."""

import json
from collections.abc import Callable, Generator
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from cnn_core.backbones.structure import Network
from cnn_core.config import Experiment
from cnn_core.datasets.cache import MEMORY_SHARE
from cnn_core.freezing import train_mode
from cnn_core.made_once import size_text
from cnn_core.progress import Progress, Remark
from cnn_core.training.device import Precision, autocast
from cnn_core.training.features import FeatureSupply, Views, stored_features
from cnn_core.training.fixed import Division, divide_network
from cnn_core.training.supply import ImageSupply, Output

# Rest of a network in, what runs it out: compiled, where that is wanted.
Wrap = Callable[[nn.Module], Callable[..., Output]]


class Reuse:
    """Stored features in place of images, while some layers are frozen.

    In training nothing random may come before the features: without augmentation, or with
    ``freeze.views`` fixed draws of it. Validation and test images never change.
    """

    def __init__(
        self,
        config: Experiment,
        network: Network,
        *,
        train: ImageSupply,
        evaluation: ImageSupply,
        images: str,
        cache_dir: Path,
        device: torch.device,
        precision: Precision,
    ) -> None:
        """``images`` names the pixels and their normalisation in the keys of the cache."""
        self._config, self._network, self._images = config, network, images
        self._train, self._evaluation = train, evaluation
        self._cache_dir, self._device, self._precision = cache_dir, device, precision
        self._divisions: dict[bool, Division | None] = {}

    def training(
        self, positions: Tensor, wrap: Wrap
    ) -> Generator[Progress | Remark, None, FeatureSupply | None]:
        """Return the supply of the training images (N,), None where the layers must run."""
        freeze, augment = self._config.freeze, self._config.augment
        random = augment.policy != "none" or bool(augment.transforms)
        if random and freeze.views is None:
            yield Remark(
                "the frozen layers run in every epoch, as augmentation changes the images; "
                "freeze.views = N computes N fixed views of each image once"
            )
            return None
        views = None
        if random and freeze.views is not None:
            what = {"augment": augment.model_dump(), "whole": self._config.data.whole}
            name = json.dumps(what, sort_keys=True)
            views = Views(freeze.views, self._config.seed, name)
        train_mode(self._network, keep_statistics=freeze.keep_statistics)
        supply = yield from self._supply(self._train, positions, views, wrap)
        if supply is not None:
            yield Remark(
                "the frozen layers run once for each image, and their features are kept; "
                "freeze.reuse = false runs them in every epoch"
            )
        return supply

    def evaluation(
        self, positions: Tensor
    ) -> Generator[Progress | Remark, None, FeatureSupply | None]:
        """Return the supply of validation or test images, None where the layers must run."""
        if self._config.augment.test_views != "none":
            return None
        self._network.module.eval()
        return (yield from self._supply(self._evaluation, positions, None, lambda module: module))

    def _supply(
        self, source: ImageSupply, positions: Tensor, views: Views | None, wrap: Wrap
    ) -> Generator[Progress | Remark, None, FeatureSupply | None]:
        division = self._divided(positions)
        if division is None:
            return None
        needed = division.bytes_per_image * len(positions) * (views.count if views else 1)
        available = psutil.virtual_memory().available
        if needed > MEMORY_SHARE * available:
            yield Remark(
                f"the frozen layers run in every epoch: their features would take "
                f"{size_text(needed)}, and {size_text(available)} of memory are available"
            )
            return None
        arrays = yield from stored_features(
            division,
            source,
            positions,
            views=views,
            images=self._images,
            cache_dir=self._cache_dir,
            device=self._device,
            precision=self._precision,
        )
        return FeatureSupply(arrays, division, positions, self._device, wrap(division.rest))

    def _divided(self, positions: Tensor) -> Division | None:
        """Return the network divided in its present mode, once for training and evaluation each."""
        training = self._network.module.training
        if training not in self._divisions:
            self._divisions[training] = self._divide(positions)
        return self._divisions[training]

    def _divide(self, positions: Tensor) -> Division | None:
        # Two images: what is found for them must not be mistaken for a dimension of one.
        two = positions[torch.arange(2) % len(positions)]
        with torch.no_grad(), autocast(self._device, self._precision):
            (inputs,) = self._evaluation.load([two], 1)
            return divide_network(self._network, self._evaluation.normalized(inputs))
