"""The transforms and policies a preset can name, and the function they add up to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from cnn_core.config import Augment, Section
from cnn_core.errors import UserError, did_you_mean
from cnn_core.options import option_mistakes
from cnn_core.registry import Registry

if TYPE_CHECKING:
    from torch import Generator, Tensor

# From a batch of uint8 images_NCHW to another, each image with draws of its own from the
# generator, which is the CPU's whatever device the images are on.
ImageTransform: TypeAlias = Callable[["Tensor", "Generator"], "Tensor"]
# The same with what the images are to be taken for: labels (N,) int64 or, once images were mixed,
# shares of the classes (N, classes) float32.
Augmentation: TypeAlias = Callable[["Tensor", "Tensor", "Generator"], tuple["Tensor", "Tensor"]]


@dataclasses.dataclass(frozen=True, slots=True)
class Transform:
    """A random change of a whole batch; nothing of it needs torch before it is applied."""

    name: str
    help: str
    """One line for lists."""
    options: type[Section]
    build: Callable[[Any, int], Augmentation]
    """Make the function from the options and the number of classes."""


TRANSFORMS: Registry[Transform] = Registry(
    "transform",
    (
        "cnn_core.augment.geometric",
        "cnn_core.augment.resampling",
        "cnn_core.augment.colour",
        "cnn_core.augment.erasing",
        "cnn_core.augment.automatic",
        "cnn_core.augment.mixing",
    ),
)

WHOLE_CROP = "random_resized_crop"
"""The transform that takes its part of a whole image where ``data.whole`` keeps those."""

_FLIP = {"name": "horizontal_flip"}
_CROP = {"name": "random_crop"}
_RESIZED_CROP = {"name": WHOLE_CROP}
# One resampling for shift, turn and zoom: three of them would blur thrice.
_MOVE = {"name": "affine", "degrees": 15, "translate": 0.1, "scale": [0.9, 1.1], "shear": 0}
_COLOUR = ({"name": "grayscale"}, {"name": "color_jitter"})
POLICIES: dict[str, tuple[dict[str, Any], ...]] = {
    "none": (),
    "flip": (_FLIP,),
    "crop": (_CROP,),
    "flip-crop": (_FLIP, _CROP),
    "resized-crop": (_RESIZED_CROP, _FLIP),
    "resized-crop-turn": (_RESIZED_CROP, _FLIP, {"name": "rotate_90"}),
    "geometric": (_MOVE, _CROP, _FLIP),
    "colour": _COLOUR,
    "geometric-colour": (_MOVE, _CROP, _FLIP, *_COLOUR),
    "trivial": (_FLIP, _CROP, {"name": "trivial_augment"}),
    "rand": (_FLIP, _CROP, {"name": "rand_augment"}),
    "flip-crop-mixup": (_FLIP, _CROP, {"name": "mixup"}),
    "flip-crop-cutmix": (_FLIP, _CROP, {"name": "cutmix"}),
}


def add_image_transform(
    name: str, help_line: str, options: type[Section], build: Callable[[Any], ImageTransform]
) -> None:
    """Register a transform that has no effect on what the images are to be taken for."""

    def build_augmentation(options: Section, _classes: int) -> Augmentation:
        transform = build(options)

        def apply(
            images_NCHW: Tensor, targets: Tensor, generator: Generator
        ) -> tuple[Tensor, Tensor]:
            return transform(images_NCHW, generator), targets

        return apply

    TRANSFORMS.add(name, Transform(name, help_line, options, build_augmentation))


def build_augmentation(augment: Augment, classes: int) -> Augmentation:
    """Return the function that applies the section's transforms in their order.

    It takes a batch of uint8 ``images_NCHW`` on any device, their labels (N,) int64 in
    ``range(classes)`` there, and a CPU generator. It leaves them as they were and returns images
    of the same shape in the memory format channels_last and, where images were mixed, the shares
    (N, classes) float32 of the classes in each instead of the labels.
    Raises UserError where a name or an option is wrong.
    """
    import torch

    if mistakes := augment_mistakes(augment.model_dump()):
        raise UserError("; ".join(f"augment.{key}: {message}" for key, message in mistakes))
    steps = [_build(table, classes) for table in tables_of(augment)]

    def apply(images_NCHW: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        for step in steps:
            images_NCHW, targets = step(images_NCHW, targets, generator)
        return images_NCHW.contiguous(memory_format=torch.channels_last), targets

    return apply


def tables_of(augment: Augment) -> Sequence[dict[str, Any]]:
    """Return the tables of the section's transforms, in their order."""
    return POLICIES[augment.policy] if augment.transforms is None else augment.transforms


def _build(table: dict[str, Any], classes: int) -> Augmentation:
    transform = TRANSFORMS[table["name"]]
    return transform.build(transform.options.model_validate(_without_name(table)), classes)


def augment_mistakes(augment_table: dict[str, Any]) -> list[tuple[str, str]]:
    """Return ``(key path, message)`` for mistakes of a preset's raw ``[augment]`` section.

    Checks names and options. Wrong types of the section's own keys are left to
    ``config.Augment``.
    """
    wrong = []
    policy, transforms = augment_table.get("policy"), augment_table.get("transforms")
    if isinstance(policy, str) and policy not in POLICIES:
        wrong.append(("policy", f"unknown policy {policy!r}{did_you_mean(policy, POLICIES)}"))
    for index, table in enumerate(transforms if isinstance(transforms, list) else ()):
        if isinstance(table, dict):
            wrong += [
                (f"transforms[{index}].{key}", message)
                for key, message in _transform_mistakes(table)
            ]
    return wrong


def whole_mistake(augment_table: dict[str, Any]) -> str | None:
    """Return why a preset's raw ``[augment]`` section doesn't go with whole images, if so.

    What is no list of transforms, or no policy, is left to others.
    """
    policy, tables = augment_table.get("policy", "none"), augment_table.get("transforms")
    if tables is None and isinstance(policy, str):
        tables = POLICIES.get(policy)
    if not isinstance(tables, list | tuple) or not all(isinstance(t, dict) for t in tables):
        return None
    names = [table.get("name") for table in tables]
    if names[:1] == [WHOLE_CROP]:
        return None
    fitting = ", ".join(name for name, steps in POLICIES.items() if _RESIZED_CROP in steps[:1])
    found = f"here {names[0]!r} is" if names else "here there is none"
    return f"needs {WHOLE_CROP} as the first transform, as in policy {fitting}; {found}"


def _transform_mistakes(table: dict[str, Any]) -> list[tuple[str, str]]:
    name = table.get("name")
    if not isinstance(name, str):
        return [
            ("name", f"the name of a transform is needed{did_you_mean('', TRANSFORMS.names())}")
        ]
    if why := TRANSFORMS.miss(name):
        return [("name", why)]
    return option_mistakes(TRANSFORMS[name].options, _without_name(table))


def _without_name(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "name"}
