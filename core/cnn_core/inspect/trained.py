"""The network of a run as one of its checkpoints left it, ready to be asked."""

import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnn_core.backbones.network import build_network
from cnn_core.backbones.structure import Network
from cnn_core.config import Experiment
from cnn_core.datasets.index import Images, Positions
from cnn_core.errors import UserError, first_line, printable
from cnn_core.preset_files import load_experiment
from cnn_core.progress import Progress
from cnn_core.training.batches import Batches
from cnn_core.training.checkpoint import checkpoint_path, load_checkpoint
from cnn_core.training.device import arithmetic, resolve_device, resolve_precision
from cnn_core.training.evaluation import compute_logits, evaluation_batch_size
from cnn_core.training.events import CheckpointName
from cnn_core.training.plan import chunks
from cnn_core.training.supply import ImageSupply
from cnn_core.training.views import averaged

# Images between two words about the progress, at which whoever asks may end it.
_PIECE = 256


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network in eval mode on its device, and what goes in and comes out.

    It takes square images of ``image_size`` pixels a side, cut from images whose shorter side was
    scaled to ``resize``; ``mean`` and ``std`` (3,) are of pixels scaled to 0..1. Its logits stand
    for ``classes``. ``epoch`` is how many epochs had been trained.
    """

    run_dir: Path
    config: Experiment
    checkpoint: CheckpointName
    epoch: int
    network: Network
    classes: tuple[str, ...]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    fingerprint: str
    device: torch.device

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        assert self.config.data.image_size is not None
        return self.config.data.image_size

    @property
    def resize(self) -> int:
        """Length in pixels that the shorter side has before the crop."""
        return self.config.data.resize or self.image_size

    def batches(self, images_NHWC: Images) -> Batches:
        """Return the way of uint8 images to the network, which normalises them."""
        return Batches(
            images_NHWC,
            np.zeros(len(images_NHWC), np.int64),
            mean=self.mean,
            std=self.std,
            device=self.device,
        )

    def inputs(self, images_NHWC: Images) -> Tensor:
        """Return what the first layer takes for uint8 images: float32 ``images_NCHW``."""
        batches = self.batches(images_NHWC)
        return batches.normalize(batches.pixels(torch.arange(len(images_NHWC))))

    def logits(
        self, images_NHWC: Images, positions: Positions, what: str
    ) -> Generator[Progress, None, NDArray[np.float32]]:
        """Return logits (N, classes) of the images at ``positions`` (N,), computed as in the run.

        ``what`` names the work in its progress.
        """
        module, train = self.network.module, self.config.train
        supply = ImageSupply(
            self.batches(images_NHWC), averaged(module, self.config.augment.test_views)
        )
        batch = 64 if train.batch_size == "auto" else train.batch_size
        size = evaluation_batch_size(batch, self.device)
        precision = resolve_precision(train.precision, self.device)
        piece = max(_PIECE // size, 1) * size
        logits: list[Tensor] = []
        yield Progress(what, 0, len(positions))
        for part in chunks(torch.from_numpy(positions), piece):
            with arithmetic(deterministic=train.deterministic, tf32=train.tf32):
                logits.append(
                    compute_logits(
                        module,
                        supply,
                        part,
                        batch_size=size,
                        device=self.device,
                        precision=precision,
                    )
                )
            yield Progress(what, sum(map(len, logits)), len(positions))
        if not logits:
            return np.zeros((0, len(self.classes)), np.float32)
        return torch.cat(logits).numpy()


def load_trained(
    run_dir: Path, checkpoint: CheckpointName = "best", *, device: str = "auto"
) -> Trained:
    """Return the network of a run's checkpoint; neither data set nor weights' files are needed.

    Raises UserError where the run has no such checkpoint, or it is not of this network.
    """
    experiment = load_experiment(run_dir / "config.toml")
    state = load_checkpoint(run_dir, checkpoint)
    network = network_of(experiment, state, checkpoint_path(run_dir, checkpoint))
    where = resolve_device(device)
    network.module.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(
        run_dir=run_dir,
        config=experiment,
        checkpoint=checkpoint,
        epoch=int(state["progress"]["epoch"]) - 1,
        network=network,
        classes=tuple(state["classes"]),
        mean=np.array(state["mean"], np.float32),
        std=np.array(state["std"], np.float32),
        fingerprint=state["dataset_fingerprint"],
        device=where,
    )


def network_of(experiment: Experiment, state: dict[str, Any], path: Path) -> Network:
    """Return the network that a checkpoint from ``path`` holds, frozen, in eval mode, on the CPU.

    Raises UserError where the checkpoint is of another network.
    """
    assert experiment.data.image_size is not None
    network = build_network(
        experiment.model.model_copy(update={"weights": "none"}),
        classes=len(state["classes"]),
        image_size=experiment.data.image_size,
        seed=experiment.seed,
    )
    try:
        network.module.load_state_dict(state["model"])
    except RuntimeError as error:
        raise UserError(
            f"{printable(path)}: not of the network of config.toml: {first_line(error)}"
        ) from error
    network.module.eval().requires_grad_(requires_grad=False)
    return network
