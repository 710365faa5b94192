"""What the layers that run are fed with: images, or features of the layers before them."""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from torch import Generator as RandomGenerator
from torch import Tensor

from cnn_core.augment.catalog import Augmentation
from cnn_core.training.batches import Batches

# Of a batch, first dimension N: images_NCHW, or the features of each.
Inputs = tuple[Tensor, ...]
# Logits (N, classes), and in training those of auxiliary classifiers too.
Output = Tensor | tuple[Tensor, ...]


class Supply(Protocol):
    """Batches of one part of the data set, and the layers that take them."""

    def load(self, parts: Sequence[Tensor], epoch: int) -> Generator[Inputs, None, None]:
        """Yield the inputs, on the device, of each part of the positions in this epoch."""

    def changed(
        self, inputs: Inputs, labels: Tensor, generator: RandomGenerator
    ) -> tuple[Inputs, Tensor]:
        """Return a training batch and its targets after the random changes meant for it."""

    def output(self, inputs: Inputs) -> Output:
        """Run the layers."""


class ImageSupply:
    """Images through the whole network."""

    def __init__(
        self,
        batches: Batches,
        forward: Callable[[Tensor], Output],
        augmentation: Augmentation | None,
    ) -> None:
        self._batches, self._forward, self._augmentation = batches, forward, augmentation

    def load(
        self,
        parts: Sequence[Tensor],
        epoch: int,  # noqa: ARG002 - augmentation draws anew in each
    ) -> Generator[Inputs, None, None]:
        """Yield uint8 ``images_NCHW`` of each part."""
        for images_NCHW in self._batches.stream(parts):
            yield (images_NCHW,)

    def changed(
        self, inputs: Inputs, labels: Tensor, generator: RandomGenerator
    ) -> tuple[Inputs, Tensor]:
        """Return augmented images and their targets."""
        if self._augmentation is None:
            return inputs, labels
        (images_NCHW,) = inputs
        images_NCHW, targets = self._augmentation(images_NCHW, labels, generator)
        return (images_NCHW,), targets

    def output(self, inputs: Inputs) -> Output:
        """Return the network's output for uint8 images."""
        (images_NCHW,) = inputs
        return self._forward(self._batches.normalize(images_NCHW))
