"""What the layers that run are fed with: images, or features of the layers before them."""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

import torch
from torch import Generator as RandomGenerator
from torch import Tensor

from cnn_core.augment.catalog import Augmentation, build_augmentation
from cnn_core.augment.parts import WholeTensors, random_parts, without_crop
from cnn_core.config import Augment
from cnn_core.datasets.whole import WholeImages
from cnn_core.training.batches import Batches
from cnn_core.training.rows import fits_on

# Of a batch, first dimension N: images_NCHW, positions of images, or the features of each.
Inputs = tuple[Tensor, ...]
# Logits (N, classes), and in training those of auxiliary classifiers too.
Output = Tensor | tuple[Tensor, ...]


class Supply(Protocol):
    """Batches of one part of the data set, and the layers that take them."""

    drawn_together: bool = False
    """Whether each of several processes makes the random changes of a whole batch, and takes its
    rows of it: so the run is that of one process. Where that would cost too much, as where
    nothing is drawn, it makes its rows alone."""

    def load(self, parts: Sequence[Tensor], epoch: int) -> Generator[Inputs, None, None]:
        """Yield the inputs of each part of the positions in this epoch."""

    def changed(
        self,
        inputs: Inputs,
        labels: Tensor,
        generator: RandomGenerator,  # noqa: ARG002 - of those that change something
    ) -> tuple[Inputs, Tensor]:
        """Return a training batch and its targets after the random changes meant for it: none."""
        return inputs, labels

    def output(self, inputs: Inputs) -> Output:
        """Run the layers."""


class ImageSupply(Supply):
    """Images through the whole network, as they are."""

    def __init__(self, batches: Batches, forward: Callable[[Tensor], Output]) -> None:
        self.batches, self._forward = batches, forward

    def load(
        self,
        parts: Sequence[Tensor],
        epoch: int,  # noqa: ARG002 - the images are the same in each
    ) -> Generator[Inputs, None, None]:
        """Yield uint8 ``images_NCHW`` of each part."""
        for images_NCHW in self.batches.stream(parts):
            yield (images_NCHW,)

    def output(self, inputs: Inputs) -> Output:
        """Return the network's output for uint8 images."""
        return self._forward(self.normalized(inputs))

    def normalized(self, inputs: Inputs) -> Tensor:
        """Return what the first layer takes."""
        (images_NCHW,) = inputs
        return self.batches.normalize(images_NCHW)


class AugmentedSupply(ImageSupply):
    """Images with random changes."""

    def __init__(
        self, batches: Batches, forward: Callable[[Tensor], Output], augmentation: Augmentation
    ) -> None:
        super().__init__(batches, forward)
        self._augmentation = augmentation
        self.drawn_together = batches.at_hand

    def changed(
        self, inputs: Inputs, labels: Tensor, generator: RandomGenerator
    ) -> tuple[Inputs, Tensor]:
        """Return augmented images and their targets."""
        (images_NCHW,) = inputs
        images_NCHW, targets = self._augmentation(images_NCHW, labels, generator)
        return (images_NCHW,), targets


class WholeSupply(AugmentedSupply):
    """Random parts of whole images, with random changes."""

    def __init__(
        self,
        batches: Batches,
        forward: Callable[[Tensor], Output],
        augment: Augment,
        classes: int,
        *,
        whole: WholeImages,
        image_size: int,
        device: torch.device,
    ) -> None:
        """``image_size`` is the side in pixels that the parts are resized to.

        On a GPU the whole images are resident where they fit; if not, parts are made on the CPU.
        """
        self._crop, rest = without_crop(augment)
        super().__init__(batches, forward, build_augmentation(rest, classes))
        resident = fits_on(device, whole.pixels.nbytes)
        self._whole = WholeTensors.on(whole, device if resident else torch.device("cpu"))
        self._image_size, self._device = image_size, device
        self.drawn_together = resident

    def load(
        self,
        parts: Sequence[Tensor],
        epoch: int,  # noqa: ARG002
    ) -> Generator[Inputs, None, None]:
        """Yield the positions themselves: which pixels are read is drawn in ``changed``."""
        for positions in parts:
            yield (positions,)

    def changed(
        self, inputs: Inputs, labels: Tensor, generator: RandomGenerator
    ) -> tuple[Inputs, Tensor]:
        """Return augmented parts of the images, uint8 ``images_NCHW``, and their targets."""
        (positions,) = inputs
        parts_NCHW = random_parts(
            self._whole, positions, self._image_size, self._crop, generator
        ).to(self._device)
        return super().changed((parts_NCHW,), labels, generator)


def training_supply(
    batches: Batches,
    forward: Callable[[Tensor], Output],
    augment: Augment,
    classes: int,
    *,
    whole: WholeImages | None,
    image_size: int,
    device: torch.device,
) -> AugmentedSupply:
    """Return the supply of training images that the preset asks for."""
    if whole is None:
        return AugmentedSupply(batches, forward, build_augmentation(augment, classes))
    return WholeSupply(
        batches, forward, augment, classes, whole=whole, image_size=image_size, device=device
    )
