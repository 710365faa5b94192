"""Augmentation without settings to search for: operations drawn for each image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from cnn_core.augment.catalog import ImageTransform, add_image_transform
from cnn_core.config import Section

if TYPE_CHECKING:
    from torch import Generator, Tensor


class RandAugmentOptions(Section):
    """Options of ``rand_augment``."""

    ops: Annotated[int, Field(ge=1, le=100)] = 2
    """Operations that each image goes through."""
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    """Strength of all operations, 0 to 30."""


class TrivialAugmentOptions(Section):
    """Options of ``trivial_augment``: none."""


def build_rand_augment(options: RandAugmentOptions) -> ImageTransform:
    """Return a function that applies operations drawn for each image, all of one strength.

    Draws and operations are those of ``torchvision.transforms.v2.RandAugment``.
    """
    import torch

    from cnn_core.augment.operations import (
        RAND,
        apply_operations,
        draw_operations,
        signed_magnitudes,
    )

    def augment(images_NCHW: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images_NCHW.shape
        bins = torch.full((count,), options.magnitude)
        for _ in range(options.ops):
            operations = draw_operations(count, generator)
            by = signed_magnitudes(operations, bins, RAND, (height, width), generator)
            images_NCHW = apply_operations(images_NCHW, operations, by)
        return images_NCHW

    return augment


def build_trivial_augment(_options: TrivialAugmentOptions) -> ImageTransform:
    """Return a function that applies one operation of any strength, both drawn for each image.

    Draws and operations are those of ``torchvision.transforms.v2.TrivialAugmentWide``.
    """
    import torch

    from cnn_core.augment.operations import (
        BINS,
        TRIVIAL,
        apply_operations,
        draw_operations,
        signed_magnitudes,
    )

    def augment(images_NCHW: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images_NCHW.shape
        operations = draw_operations(count, generator)
        bins = torch.randint(BINS, (count,), generator=generator)
        by = signed_magnitudes(operations, bins, TRIVIAL, (height, width), generator)
        return apply_operations(images_NCHW, operations, by)

    return augment


add_image_transform(
    "rand_augment",
    "RandAugment: some of 14 operations, all of one strength",
    RandAugmentOptions,
    build_rand_augment,
)
add_image_transform(
    "trivial_augment",
    "TrivialAugment: one of 14 operations, of any strength",
    TrivialAugmentOptions,
    build_trivial_augment,
)
