"""The fields of the form of a preset, made from the models that define presets."""

import functools
import re
import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cnn_core.augment.catalog import POLICIES
from cnn_core.backbones.catalog import BACKBONES
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import DATASETS

Kind = Literal["choice", "switch", "number", "text", "lines", "words", "table", "tables"]

# What few presets set; folded away until it is asked for.
_RARE: dict[str, tuple[str, ...]] = {
    "data": ("classes", "resize", "whole", "split_seed", "limit", "on_corrupt"),
    "model": ("head_batch_norm", "init", "cut"),
    "freeze": ("lr_scale", "keep_statistics", "reuse", "views"),
    "augment": ("transforms", "test_views"),
    "optim": ("nesterov", "warmup_epochs", "clip_norm"),
    "train": (
        "drop_last",
        "label_smoothing",
        "precision",
        "compile",
        "cuda_graphs",
        "tf32",
        "accumulate",
        "checkpoint_every",
        "deterministic",
    ),
    "tracking": ("tensorboard", "mlflow"),
}
_FREEZING = {
    "none": "everything trains",
    "convolutional": "the convolutions stay as they are",
    "classifier": "the fully connected layers stay as they are",
    "backbone": "all but the head stays as it is",
    **{f"first:{n}": f"the first {n} stages stay as they are" for n in range(1, 8)},
}


@dataclass(frozen=True, slots=True)
class FormField:
    """A key of a preset, ``section.name``; those above the first section have section ""."""

    key: str
    kind: Kind
    help: str
    default: Any
    """None too where the field is required: then the models tell that it is missing."""
    values: tuple[str, ...] = ()
    """What a choice offers."""

    @property
    def section(self) -> str:
        """The section it lies in."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The key inside its section."""
        return self.key.rpartition(".")[2]

    @property
    def rare(self) -> bool:
        """Whether it is shown on request only."""
        return self.name in _RARE.get(self.section, ())

    @property
    def placeholder(self) -> str:
        """What holds while nothing is entered."""
        if self.default not in (None, "", [], {}):
            text = str(self.default)
            return text.lower() if isinstance(self.default, bool) else text
        told = re.search(r"default: ([^.;]+)", self.help)
        return told[1] if told else ""


@functools.cache
def form_fields() -> dict[str, FormField]:
    """Return every field by its key, in the order of the models."""
    found = {}
    for name, info in Experiment.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            for inner, inner_info in info.annotation.model_fields.items():
                found[f"{name}.{inner}"] = _field(f"{name}.{inner}", inner_info)
        else:
            found[name] = _field(name, info)
    return found


def sections() -> dict[str, str]:
    """Return the sections with their help; the first one, "", has the keys above all others."""
    named = {
        name: info.annotation.__doc__ or ""
        for name, info in Experiment.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    }
    return {"": "Name, seed, and what to find the run by.", **named}


def choices(field: FormField) -> list[tuple[str, str]]:
    """Return the values of a choice, each with a line about it (or none)."""
    return [(value, _about(field.key, value)) for value in field.values]


def _about(key: str, value: str) -> str:
    match key:
        case "data.dataset":
            return DATASETS[value].help
        case "model.backbone":
            return BACKBONES[value].help
        case "augment.policy":
            return ", then ".join(str(table["name"]) for table in POLICIES[value])
        case "freeze.policy":
            return _FREEZING[value]
    return ""


def _field(key: str, info: FieldInfo) -> FormField:
    kind, values = _kind_of(key, info.annotation)
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    return FormField(key, kind, info.description or "", default, values)


def _kind_of(key: str, annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    if registered := _registered(key):
        return "choice", registered
    if key == "notes":
        return "lines", ()
    members = _members(annotation)
    if all(get_origin(member) is Literal for member in members):
        return "choice", tuple(value for member in members for value in get_args(member))
    if members == [bool]:
        return "switch", ()
    if members in ([str], [bool, str]):
        return "text", ()
    if members == [list[str]]:
        return "words", ()
    if any(get_origin(member) is list for member in members):
        return "tables", ()
    if any(get_origin(member) is dict for member in members):
        return "table", ()
    return "number", ()


def _registered(key: str) -> tuple[str, ...]:
    match key:
        case "data.dataset":
            return tuple(DATASETS.names())
        case "model.backbone":
            return tuple(BACKBONES.names())
        case "augment.policy":
            return tuple(POLICIES)
        case "freeze.policy":
            return tuple(_FREEZING)
    return ()


def _members(annotation: Any) -> list[Any]:
    """Return the types of a union, None left out, without what annotates them."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [] if annotation is type(None) else [annotation]
