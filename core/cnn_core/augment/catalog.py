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
Augmentation: TypeAlias = Callable[["Tensor", "Generator"], "Tensor"]


@dataclasses.dataclass(frozen=True, slots=True)
class Transform:
    """A random change of a whole batch; nothing of it needs torch before it is applied."""

    name: str
    help: str
    """One line for lists."""
    options: type[Section]
    build: Callable[[Any], Augmentation]
    """Make the function from the options."""


TRANSFORMS: Registry[Transform] = Registry("transform", ("cnn_core.augment.geometric",))

_FLIP = {"name": "horizontal_flip"}
_CROP = {"name": "random_crop"}
POLICIES: dict[str, tuple[dict[str, Any], ...]] = {
    "none": (),
    "flip": (_FLIP,),
    "crop": (_CROP,),
    "flip-crop": (_FLIP, _CROP),
}


def build_augmentation(augment: Augment) -> Augmentation:
    """Return the function that applies the section's transforms in their order.

    It takes a batch of uint8 ``images_NCHW`` on any device and a CPU generator, leaves the
    batch as it was and returns one of the same shape in the memory format channels_last.
    Raises UserError where a name or an option is wrong.
    """
    if mistakes := augment_mistakes(augment.model_dump()):
        raise UserError("; ".join(f"augment.{key}: {message}" for key, message in mistakes))
    tables: Sequence[dict[str, Any]] = (
        POLICIES[augment.policy] if augment.transforms is None else augment.transforms
    )
    steps = [_build(table) for table in tables]

    def apply(images_NCHW: Tensor, generator: Generator) -> Tensor:
        for step in steps:
            images_NCHW = step(images_NCHW, generator)
        return images_NCHW

    return apply


def _build(table: dict[str, Any]) -> Augmentation:
    transform = TRANSFORMS[table["name"]]
    return transform.build(transform.options.model_validate(_without_name(table)))


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
