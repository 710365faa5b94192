"""A few training images: as they are stored, and as they may be trained on."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cnn_core.config import Augment, Data
from cnn_core.datasets.build import Squares
from cnn_core.datasets.catalog import resolved_image_size
from cnn_core.datasets.decode import Corrupt
from cnn_core.datasets.index import Images, Index, Positions
from cnn_core.datasets.whole import LARGEST_SHORT, gathered, whole_at
from cnn_core.errors import UserError, printable
from cnn_core.training.batches import Batches
from cnn_core.training.supply import training_supply

# So many times the images wanted are tried where some are corrupt.
_TRIES = 4
# Smaller shares of a class round to nothing.
_TOLD = 0.005


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A training image and its class: the square (S,S,3), and (H,W,3) all that crops draw from.

    ``whole_HWC`` is None where training knows the square only.
    """

    label: int
    square_HWC: Images
    whole_HWC: Images | None = None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A training image (H,W,3) before the random changes, and D times after them, (D,S,S,3).

    ``after_labels`` are what each of those is taken for: the class, or shares of several.
    """

    label: str
    before_HWC: Images
    after_NHWC: Images
    after_labels: tuple[str, ...]


def some_pictures(
    index: Index, train: Positions, data: Data, count: int, seed: int
) -> list[Picture]:
    """Return ``count`` of the training images at positions ``train``, those that can be decoded.

    Only these are decoded; each seed takes others. Raises UserError where none can be.
    """
    size = resolved_image_size(data)
    resize = data.resize or size
    squares = Squares(index, size, resize)
    order = np.random.default_rng((data.split_seed, seed)).permutation(train)
    pictures: list[Picture] = []
    corrupt: list[Corrupt] = []
    for position in map(int, order[: _TRIES * count]):
        square_HWC = squares.decode_at(position)
        whole_HWC = whole_at(index, position, LARGEST_SHORT * resize) if data.whole else None
        if isinstance(square_HWC, Corrupt):
            corrupt.append(square_HWC)
        elif isinstance(whole_HWC, Corrupt):
            corrupt.append(whole_HWC)
        else:
            pictures.append(Picture(int(index.labels[position]), square_HWC, whole_HWC))
        if len(pictures) == count:
            break
    if not pictures:
        raise UserError(
            f"none of {len(corrupt)} training images can be decoded; the first is "
            f"{printable(corrupt[0].name)}: {printable(corrupt[0].why)}"
        )
    return pictures


def samples(
    pictures: Sequence[Picture], augment: Augment, classes: Sequence[str], draws: int, seed: int
) -> list[Sample]:
    """Return the pictures with ``draws`` forms of each, made as in training, in one batch.

    Raises UserError where the section has mistakes, or does not go with whole images.
    """
    squares_NHWC = np.stack([picture.square_HWC for picture in pictures])
    labels_N = np.array([picture.label for picture in pictures], np.int64)
    whole = [picture.whole_HWC for picture in pictures if picture.whole_HWC is not None]
    device = torch.device("cpu")
    neutral = np.zeros(3, np.float32), np.ones(3, np.float32)
    supply = training_supply(
        Batches(squares_NHWC, labels_N, mean=neutral[0], std=neutral[1], device=device),
        lambda images_NCHW: images_NCHW,
        augment,
        len(classes),
        whole=gathered(whole) if whole else None,
        image_size=squares_NHWC.shape[1],
        device=device,
    )
    positions = torch.arange(len(pictures)).repeat_interleave(draws)
    (inputs,) = supply.load([positions], 1)
    (after_NCHW,), targets = supply.changed(
        inputs, torch.from_numpy(labels_N)[positions], torch.Generator().manual_seed(seed)
    )
    after_NHWC: Images = after_NCHW.permute(0, 2, 3, 1).contiguous().numpy()
    words = [_words(target, classes) for target in targets]
    return [
        Sample(
            label=classes[picture.label],
            before_HWC=picture.square_HWC if picture.whole_HWC is None else picture.whole_HWC,
            after_NHWC=after_NHWC[draws * i : draws * (i + 1)],
            after_labels=tuple(words[draws * i : draws * (i + 1)]),
        )
        for i, picture in enumerate(pictures)
    ]


def _words(target: Tensor, classes: Sequence[str]) -> str:
    """Return what an image is taken for: a label (), or shares (classes,) of several."""
    if target.ndim == 0:
        return classes[int(target)]
    ranked = sorted(enumerate(target.tolist()), key=lambda pair: -pair[1])
    there = [(classes[label], share) for label, share in ranked if share >= _TOLD]
    if len(there) == 1:
        return there[0][0]
    return ", ".join(f"{share:.0%} {name}" for name, share in there)
