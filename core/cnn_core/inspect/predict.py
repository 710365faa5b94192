"""What networks say of image files that belong to no data set."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_core.datasets.decode import Corrupt, decode, set_up_pillow
from cnn_core.datasets.index import Images
from cnn_core.datasets.parallel import map_in_order
from cnn_core.errors import UserError, printable
from cnn_core.inspect.scores import probabilities
from cnn_core.inspect.trained import Trained

# Files that are decoded before a network is asked: as many as it takes at once on a CPU.
_BATCH = 64

# Of a network: the side of its images, and what their shorter side is scaled to before.
_Shape = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A file, and the probability (classes,) of each class of the first network."""

    file: Path
    probabilities: NDArray[np.float64]

    def best(self, count: int) -> list[tuple[int, float]]:
        """Return the ``count`` most probable classes, or all, as (label, probability)."""
        labels = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(int(label), float(self.probabilities[label])) for label in labels]


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that can't be used, and why."""

    file: Path
    why: str


def predict(networks: Sequence[Trained], files: Iterable[Path]) -> Iterator[Answer | Unreadable]:
    """Yield the answer for each file, in order: the mean of the networks' probabilities.

    Each network gets the images as it was trained on them. Files are decoded by threads, at most
    a batch and some before they are asked for. Raises UserError where the classes of the networks
    differ (their order may), or a network's answer is no number.
    """
    set_up_pillow()
    orders = [_order(networks[0], network) for network in networks]
    shapes = sorted({_shape(network) for network in networks})
    decoded = map_in_order(lambda file: (file, _decoded(file, shapes)), files)
    while batch := list(islice(decoded, _BATCH)):
        whole = [images for _, images in batch if not isinstance(images, Corrupt)]
        answers: Iterator[NDArray[np.float64]] = iter(())
        if whole:
            answers = iter(
                np.mean(
                    [
                        ask(network, [images[_shape(network)] for images in whole])[:, order]
                        for network, order in zip(networks, orders, strict=True)
                    ],
                    axis=0,
                )
            )
        for file, images in batch:
            if isinstance(images, Corrupt):
                yield Unreadable(file, images.why)
            else:
                yield Answer(file, next(answers))


def _order(first: Trained, other: Trained) -> list[int]:
    """Return where the first network's classes are among the other's."""
    if missing := set(first.classes) ^ set(other.classes):
        name = min(missing)
        has, lacks = (first, other) if name in first.classes else (other, first)
        raise UserError(
            f"runs {printable(first.run_dir.name)} and {printable(other.run_dir.name)} have other "
            f"classes: '{printable(name)}' is one of {len(has.classes)} of "
            f"{printable(has.run_dir.name)}, and none of the {len(lacks.classes)} of "
            f"{printable(lacks.run_dir.name)}"
        )
    place = {name: label for label, name in enumerate(other.classes)}
    return [place[name] for name in first.classes]


def _shape(network: Trained) -> _Shape:
    return network.image_size, network.resize


def _decoded(file: Path, shapes: Sequence[_Shape]) -> dict[_Shape, Images] | Corrupt:
    images: dict[_Shape, Images] = {}
    for shape in shapes:
        pixels_HWC = decode(file, file.name, *shape)
        if isinstance(pixels_HWC, Corrupt):
            return pixels_HWC
        images[shape] = pixels_HWC
    return images


def ask(network: Trained, images: Sequence[Images]) -> NDArray[np.float64]:
    """Return the probabilities (N, classes) of N uint8 images (S,S,3).

    Raises UserError where the network's answer is no number.
    """
    work = network.logits(np.stack(images), np.arange(len(images)), "predicting")
    try:
        while True:
            next(work)
    except StopIteration as end:
        logits_NC: NDArray[np.float32] = end.value
    if not np.isfinite(logits_NC).all():
        raise UserError(
            f"run {printable(network.run_dir.name)}: what its network says is no number: the "
            "weights have diverged; another checkpoint may be whole"
        )
    return probabilities(logits_NC)
