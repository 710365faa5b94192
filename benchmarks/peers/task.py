"""What all contestants train: a network, images, batches, arithmetic."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnn_core.backbones.network import build_network
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import DATASETS, open_index
from cnn_core.datasets.index import Images
from cnn_core.datasets.prepare import Prepared, prepare

TrainRound = Callable[[], int]
"""Train one epoch; return how many images it took."""


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A training that anybody can repeat: random crop of padding 4 and flip, SGD with momentum."""

    experiment: Experiment
    data: Prepared
    data_dir: Path
    cache_dir: Path
    runs_dir: Path
    """A folder for whatever a contestant writes."""
    device: torch.device
    files: tuple[Path, ...] | None
    """Files of all training images, for contestants that decode; None: arrays are the source."""
    _network: nn.Module

    @property
    def image_size(self) -> int:
        """Side of an image in pixels."""
        return self.data.images_NHWC.shape[1]

    @property
    def batch_size(self) -> int:
        """Images in a step; each of an epoch's steps is full."""
        assert isinstance(self.experiment.train.batch_size, int)
        return self.experiment.train.batch_size

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.data.train) // self.batch_size

    @property
    def images(self) -> int:
        """Images of an epoch."""
        return self.steps * self.batch_size

    @property
    def labels(self) -> torch.Tensor:
        """Classes of the training images, (N,) int64."""
        return torch.from_numpy(self.data.labels[self.data.train])

    def train_pixels(self) -> Images:
        """Return a copy of all training images, uint8 NHWC."""
        return self.data.images_NHWC[self.data.train]

    def network(self) -> nn.Module:
        """Return a copy of the network on the device, in training mode."""
        return copy.deepcopy(self._network).to(self.device).train()

    def sgd(self, network: nn.Module, *, fused: bool = False) -> torch.optim.SGD:
        """Return the optimizer; ``fused`` where a contestant asks torch for its quickest steps."""
        optim = self.experiment.optim
        return torch.optim.SGD(
            network.parameters(), lr=optim.lr, momentum=optim.momentum, fused=fused or None
        )


def experiment_of(
    dataset: str,
    backbone: str,
    *,
    image_size: int,
    images: int,
    batch_size: int,
    options: dict[str, Any] | None = None,
) -> Experiment:
    """Return the training; ``images`` are rounded down to whole batches.

    ``options`` are those of the backbone.
    """
    if images < batch_size:
        raise SystemExit(f"--images {images} is less than one batch of {batch_size}")
    data: dict[str, Any] = {"dataset": dataset, "image_size": image_size, "val_fraction": 0.0}
    data["limit"] = images // batch_size * batch_size
    if dataset == "caltech101":
        data["resize"] = image_size * 8 // 7
    return Experiment.model_validate(
        {
            "data": data,
            "model": {"backbone": backbone, "options": options or {}},
            "augment": {"policy": "flip-crop"},
            "optim": {"lr": 0.01, "momentum": 0.9},
            "train": {"batch_size": batch_size, "drop_last": True},
        }
    )


def task_of(
    experiment: Experiment, data_dir: Path, folder: Path, cache_dir: Path, device: torch.device
) -> Task:
    """Read the data as the engine does, and build the network; what is written goes to folders."""
    work = prepare(experiment.data, data_dir, cache_dir)
    while True:
        try:
            next(work)
        except StopIteration as end:
            data: Prepared = end.value
            break
    files = None
    # CIFAR is published as arrays: nobody need decode it, even where it lies here as image files.
    if DATASETS[experiment.data.dataset].native_size is None:
        root = open_index(experiment.data, data_dir).root
        files = tuple(root / data.names[position] for position in data.train)
    network = build_network(
        experiment.model,
        classes=len(data.classes),
        image_size=data.images_NHWC.shape[1],
        seed=experiment.seed,
    )
    return Task(
        experiment=experiment,
        data=data,
        data_dir=data_dir,
        cache_dir=cache_dir,
        runs_dir=folder,
        device=device,
        files=files,
        _network=network.module,
    )
