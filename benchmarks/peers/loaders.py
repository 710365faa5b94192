"""torch's DataLoader over PIL images or uint8 tensors, with torchvision's transforms for each."""

from collections.abc import Callable, Iterator, Sized
from typing import Literal, Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import v2

from peers.task import Task

PADDING = 4

Kind = Literal["pil", "v2"]
Batch = tuple[Tensor, Tensor]


class Loader(Sized, Protocol):
    """Batches of normalised images with their labels."""

    def __iter__(self) -> Iterator[Batch]: ...


class PilImages(Dataset[tuple[object, int]]):
    """Images as PIL gives them: decoded from files where there are some, each time anew."""

    def __init__(self, task: Task, transform: Callable[[Image.Image], object]) -> None:
        self._files, self._labels, self.transform = task.files, task.labels.tolist(), transform
        self._images_NHWC = task.train_pixels() if task.files is None else None

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self._labels)

    def __getitem__(self, position: int) -> tuple[object, int]:
        """Return an image and its label."""
        if self._images_NHWC is not None:
            image = Image.fromarray(self._images_NHWC[position])
        else:
            image = Image.open(self._files[position]).convert("RGB")
        return self.transform(image), self._labels[position]


class TensorImages(Dataset[Batch]):
    """Decoded images as uint8 tensors, each transformed by itself."""

    def __init__(self, task: Task, transform: Callable[[Tensor], Tensor]) -> None:
        pixels_NCHW = torch.from_numpy(task.train_pixels()).permute(0, 3, 1, 2)
        self._images_NCHW, self._transform = pixels_NCHW.contiguous(), transform
        self._labels = task.labels

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self._labels)

    def __getitem__(self, position: int) -> Batch:
        """Return an image and its label."""
        return self._transform(self._images_NCHW[position]), self._labels[position]


def fitted(task: Task) -> list[Callable[[Image.Image], Image.Image]]:
    """Return what brings images from files to the network's size, as the engine does."""
    if task.files is None:
        return []
    size = task.image_size
    resize = task.experiment.data.resize or size
    return [transforms.Resize(resize), transforms.CenterCrop(size)]


def random_changes(task: Task) -> list[Callable[[Image.Image], Image.Image]]:
    """Return the augmentation of PIL images."""
    return [
        transforms.RandomCrop(task.image_size, padding=PADDING),
        transforms.RandomHorizontalFlip(),
    ]


def images(
    task: Task, kind: Kind, finish: Callable[[Tensor], Tensor] | None = None
) -> Dataset[tuple[object, int]] | Dataset[Batch]:
    """Return the training images, augmented and normalised; ``finish`` may change their layout."""
    mean, std = task.data.mean.tolist(), task.data.std.tolist()
    last = [] if finish is None else [finish]
    if kind == "pil":
        steps = [
            *fitted(task),
            *random_changes(task),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
        return PilImages(task, transforms.Compose([*steps, *last]))
    steps = [
        v2.RandomCrop(task.image_size, padding=PADDING),
        v2.RandomHorizontalFlip(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean, std),
    ]
    return TensorImages(task, v2.Compose([*steps, *last]))


def loader(
    task: Task,
    kind: Kind,
    *,
    workers: int = 0,
    persistent: bool = False,
    finish: Callable[[Tensor], Tensor] | None = None,
) -> Loader:
    """Return a DataLoader that shuffles, in whole batches."""
    return DataLoader(
        images(task, kind, finish),
        batch_size=task.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=persistent,
        pin_memory=task.device.type == "cuda",
    )


def quickest_loader(task: Task, finish: Callable[[Tensor], Tensor] | None = None) -> Loader:
    """Return what the frameworks are given, which bring no loader of their own.

    Tensors in this process where the network keeps every core busy, else in workers.
    """
    workers = 0 if task.device.type == "cpu" else 8
    kind: Kind = "v2" if task.files is None else "pil"
    return loader(task, kind, workers=workers, persistent=workers > 0, finish=finish)
