"""The fourteen operations of RandAugment and TrivialAugment, with a magnitude for each image."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torchvision.transforms.v2.functional import autocontrast, equalize

from cnn_core.augment import levels
from cnn_core.augment.batch import change_some
from cnn_core.augment.warp import inverse_maps, warp

BINS = 31
"""Steps from the smallest magnitude of an operation to its largest."""
OPERATIONS = (
    "Identity",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Color",
    "Contrast",
    "Sharpness",
    "Posterize",
    "Solarize",
    "AutoContrast",
    "Equalize",
)
"""Names as torchvision's; operations are told by their place here."""
_MOVES = OPERATIONS[1:6]
_SIGNED = OPERATIONS[1:10]


@dataclasses.dataclass(frozen=True, slots=True)
class Strength:
    """The largest magnitudes: tangents, shares of the side or pixels, degrees, factors, bits."""

    shear: float
    translate_share: float
    translate_pixels: float
    degrees: float
    factor: float
    bits_lost: int


RAND = Strength(0.3, 150 / 331, 0, 30, 0.9, 4)
TRIVIAL = Strength(0.99, 0, 32, 135, 0.99, 6)


def draw_operations(count: int, generator: Generator) -> Tensor:
    """Return an operation for each of ``count`` images, all equally likely: (N,) int64."""
    return torch.randint(len(OPERATIONS), (count,), generator=generator)


def signed_magnitudes(
    operations: Tensor,
    bins: Tensor,
    strength: Strength,
    image: tuple[int, int],
    generator: Generator,
) -> Tensor:
    """Return the magnitudes (N,) float64 of these bins; half of the signed ones are negative.

    ``image`` is (height, width) in pixels.
    """
    magnitudes = _magnitudes(strength, *image)[operations, bins]
    signed = torch.tensor([name in _SIGNED for name in OPERATIONS])[operations]
    negative = torch.rand(len(operations), generator=generator) < 0.5
    return torch.where(signed & negative, -magnitudes, magnitudes)


def apply_operations(images_NCHW: Tensor, operations: Tensor, magnitudes: Tensor) -> Tensor:
    """Return the uint8 images, each changed by its operation with its magnitude."""
    result_NCHW = images_NCHW.clone()
    moves = torch.tensor([OPERATIONS.index(name) for name in _MOVES])
    moved = torch.isin(operations, moves).nonzero().flatten()
    change_some(result_NCHW, moved, _move, operations, magnitudes)
    for name, change in _CHANGES.items():
        indices = (operations == OPERATIONS.index(name)).nonzero().flatten()
        change_some(result_NCHW, indices, change, magnitudes)
    return result_NCHW


def _magnitudes(strength: Strength, height: int, width: int) -> Tensor:
    """Return the magnitude (14, 31) float64 of each operation in each bin."""
    shear = torch.linspace(0, strength.shear, BINS)
    shifts = [
        torch.linspace(0, strength.translate_share * side + strength.translate_pixels, BINS)
        for side in (width, height)
    ]
    factor = torch.linspace(0, strength.factor, BINS)
    bits = (8 - torch.arange(BINS) / ((BINS - 1) / strength.bits_lost)).round()
    none = torch.zeros(BINS)
    degrees, solarize = torch.linspace(0, strength.degrees, BINS), torch.linspace(1, 0, BINS)
    rows = [none, shear, shear, *shifts, degrees, *(factor,) * 4, bits, solarize, none, none]
    return torch.stack(rows).double()


def _move(images_NCHW: Tensor, operations: Tensor, magnitudes: Tensor) -> Tensor:
    height, width = images_NCHW.shape[2:]

    def of(name: str, values: Tensor) -> Tensor:
        return torch.where(operations == OPERATIONS.index(name), values, 0.0)

    leans = torch.rad2deg(torch.atan(magnitudes))
    shear_x, shear_y = of("ShearX", leans), of("ShearY", leans)
    # Shears leave the upper left corner where it is, turns the middle.
    sheared = (shear_x != 0) | (shear_y != 0)
    maps_N23 = inverse_maps(
        degrees=-of("Rotate", magnitudes),
        shift_x=of("TranslateX", magnitudes.trunc()),
        shift_y=of("TranslateY", magnitudes.trunc()),
        shear_x=shear_x,
        shear_y=shear_y,
        centre_x=torch.where(sheared, -width / 2, 0.0),
        centre_y=torch.where(sheared, -height / 2, 0.0),
    )
    return warp(images_NCHW, maps_N23, "nearest")


def _of_levels(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def apply(images_NCHW: Tensor, amounts: Tensor) -> Tensor:
        levels_NCHW = images_NCHW.to(torch.float32, memory_format=torch.contiguous_format)
        return change(levels_NCHW, amounts).to(torch.uint8)

    return apply


_CHANGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Brightness": _of_levels(lambda some, by: levels.brightness(some, 1 + by)),
    "Color": _of_levels(lambda some, by: levels.saturation(some, 1 + by)),
    "Contrast": _of_levels(lambda some, by: levels.contrast(some, 1 + by)),
    "Sharpness": _of_levels(lambda some, by: levels.sharpness(some, 1 + by)),
    "Posterize": _of_levels(levels.posterize),
    "Solarize": _of_levels(lambda some, by: levels.solarize(some, 255 * by)),
    "AutoContrast": lambda images_NCHW, _: autocontrast(images_NCHW),
    "Equalize": lambda images_NCHW, _: equalize(images_NCHW),
}
