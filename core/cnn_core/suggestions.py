"""A first preset for some data: what suits it where nothing is said.

What is said, on the command line or in answers, are values by dotted key: ``told``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from cnn_core.backbones.catalog import BACKBONES, Backbone
from cnn_core.datasets.catalog import DATASETS, Dataset
from cnn_core.errors import UserError
from cnn_core.preset_files import overrides_of

Told: TypeAlias = Mapping[str, Any]
Training: TypeAlias = Literal["all", "head", "scratch"]

TRAININGS: dict[Training, str] = {
    "all": "ImageNet weights, everything trains",
    "head": "ImageNet weights, only the head trains: quick, and enough for few images",
    "scratch": "no weights",
}

# Images of this side and above are photographs, as ImageNet's networks take them.
_LARGE = 64
# Below, shifts and mirror images are other characters as often as the same.
_TINY = 16

# As in the presets digits and caltech101-efficientnet_lite0-frozen; where everything trains, a rate
# between those that folder-resnet18 has for its head (0.02) and for all else (0.002).
_OPTIM: dict[Training, dict[str, Any]] = {
    "scratch": {
        "name": "sgd",
        "lr": 0.03,
        "nesterov": True,
        "weight_decay": 5e-4,
        "schedule": "one_cycle",
    },
    "all": {
        "name": "sgd",
        "lr": 0.005,
        "nesterov": True,
        "weight_decay": 1e-4,
        "schedule": "cosine",
    },
    "head": {"name": "adam", "lr": 0.003, "schedule": "cosine"},
}
_TRAIN: dict[Training, dict[str, Any]] = {
    "scratch": {"epochs": 30, "batch_size": 64},
    "all": {"epochs": 15, "batch_size": 32, "label_smoothing": 0.1},
    "head": {"epochs": 10, "batch_size": 32},
}


def told_by(settings: Sequence[str]) -> dict[str, Any]:
    """Return ``section.key=value`` texts by dotted key, sections given whole too; UserError."""
    found: dict[str, Any] = {}
    for key, value in overrides_of(settings).items():
        whole = isinstance(value, dict) and "." not in key
        found |= {f"{key}.{name}": item for name, item in value.items()} if whole else {key: value}
    return found


def suggested_backbone(told: Told) -> str:
    """Return a small network for small images, else one whose ImageNet weights are at hand."""
    if _is_small(told):
        return "cnn"
    at_hand = [
        name
        for name in ("resnet18", "efficientnet_lite0")
        if BACKBONES[name].weights["imagenet"].place() in ("cached", "offline")
    ]
    return (at_hand or ["resnet18"])[0]


def suggested_training(told: Told) -> Training:
    """Return what the keys of weights and freezing come to; what suits where they are not told."""
    weights, policy = told.get("model.weights"), told.get("freeze.policy", "none")
    if policy == "backbone":
        return "head"
    if weights is not None or policy != "none":
        return "scratch" if weights == "none" else "all"
    return "scratch" if _is_small(told) or not has_weights(told) else "all"


def suggested_policy(told: Told) -> str:
    """Return an augmentation: none where frozen layers can then run once for each image."""
    native = _native_size(told)
    if suggested_training(told) == "head" or (native is not None and native < _TINY):
        return "none"
    return "flip-crop" if _is_small(told) else "resized-crop"


def suggested_epochs(told: Told) -> int:
    """Return how many epochs such a training takes."""
    return int(_TRAIN[suggested_training(told)]["epochs"])


def has_weights(told: Told) -> bool:
    """Return whether the backbone has ImageNet weights by name."""
    return "imagenet" in _backbone(told).weights


def keys_of(training: Training) -> dict[str, Any]:
    """Return the keys that make a training what it is."""
    if training == "scratch":
        return {"model.weights": "none"}
    frozen = {"freeze.policy": "backbone"} if training == "head" else {}
    return {"model.weights": "imagenet"} | frozen


def completed(told: Told) -> dict[str, Any]:
    """Return what is told and what suits it, by dotted key, for a preset that can be run.

    Raises UserError for an unknown data set or backbone. Asking a model of timm imports it.
    """
    told = {"model.backbone": suggested_backbone(told)} | dict(told)
    training = suggested_training(told)
    told = keys_of(training) | told
    made = _sizes(told) | _options(told, training)
    if told["model.weights"] == "imagenet" and has_weights(told):
        normalize = _backbone(told).weights["imagenet"].normalize()
        made |= {"data.normalize": normalize} if normalize else {}
    if "augment.transforms" not in told:
        made["augment.policy"] = suggested_policy(told)
    optim = _OPTIM[training]
    if told.get("optim.name", optim["name"]) == optim["name"]:  # another's rate is another one
        made |= {f"optim.{key}": value for key, value in optim.items()}
    made |= {f"train.{key}": value for key, value in _TRAIN[training].items()}
    return made | told


def _sizes(told: Told) -> dict[str, Any]:
    """Return the size that the network takes, where the images' own is none or too small."""
    if "data.image_size" in told:
        return {}
    native, facts = _dataset(told).native_size, _backbone(told).facts()
    if native is None:
        # The usual border around the centre crop: 256 for 224.
        return {"data.image_size": facts.image_size, "data.resize": facts.image_size * 8 // 7}
    if native >= (facts.min_size or 1) or told["model.backbone"] == "cnn":
        return {}
    return {"data.image_size": facts.image_size}


def _options(told: Told, training: Training) -> dict[str, Any]:
    """Return options with which a network from scratch learns small images better, or at all."""
    if training != "scratch" or any(key.startswith("model.options") for key in told):
        return {}
    backbone, native = _backbone(told), _native_size(told)
    known = backbone.options.model_fields
    if backbone.name in ("cnn", "convnet"):
        options: dict[str, Any] = {"batch_norm": True}
        if backbone.name == "cnn" and native and native < (backbone.facts().min_size or 1):
            # Each block but the last halves the image.
            widths = known["widths"].get_default()
            options = {"widths": widths[: max(1, native.bit_length() - 1)]} | options
        return {"model.options": options}
    if "stem" in known and _is_small(told):
        return {"model.options": {"stem": "small"}}
    return {}


def _is_small(told: Told) -> bool:
    native = _native_size(told)
    return native is not None and native < _LARGE


def _native_size(told: Told) -> int | None:
    """Return the side of the images as they are to be seen, None where they have no common one."""
    size = told.get("data.image_size")
    return size if isinstance(size, int) else _dataset(told).native_size


def _dataset(told: Told) -> Dataset:
    return DATASETS[_text(told, "data.dataset")]


def _backbone(told: Told) -> Backbone:
    return BACKBONES[_text(told, "model.backbone")]


def _text(told: Told, key: str) -> str:
    value = told[key]
    if not isinstance(value, str):
        raise UserError(f"{key}: expected a name, got {value!r}")
    return value
