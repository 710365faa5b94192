"""timm's loader, which collates uint8 and normalises whole batches, in a plain loop."""

import numpy as np
from timm.data import create_loader
from torchvision import transforms

from peers.loaders import PilImages, fitted, random_changes
from peers.plain_loop import loop_over
from peers.task import Task, TrainRound


def prepare(task: Task, *, workers: int) -> TrainRound:
    """Return a round over timm's batches; its workers persist."""
    dataset = PilImages(task, transforms.Compose([]))
    batches = create_loader(
        dataset,
        input_size=(3, task.image_size, task.image_size),
        batch_size=task.batch_size,
        is_training=True,
        mean=tuple(task.data.mean.tolist()),
        std=tuple(task.data.std.tolist()),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=task.device.type == "cuda",
        device=task.device,
    )
    # Its own transforms know no crop of a padded image.
    dataset.transform = transforms.Compose([*fitted(task), *random_changes(task), _channels_first])
    return loop_over(task, batches)


def _channels_first(image: object) -> np.ndarray:
    return np.array(image).transpose(2, 0, 1)  # a copy: torch wants to be able to write
