"""What is wrong with a preset: everything at once, each with its key and what was meant."""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cnn_core.augment.catalog import augment_mistakes, whole_mistake
from cnn_core.backbones.catalog import backbone_mistakes
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import DATASETS
from cnn_core.errors import did_you_mean, printable

_FEW = 100
"""Where more keys are wrong, it is no preset: no second look for what their mistakes may hide."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a preset: ``key`` is dotted, ``message`` a sentence part."""

    key: str
    message: str
    value: str = ""
    """The value that is wrong, shortened, where it tells something."""


def mistakes(table: dict[str, Any]) -> list[Mistake]:
    """Return everything that is wrong with a preset's table, each key once."""
    found: dict[str, Mistake] = {}
    for mistake in (*model_mistakes(Experiment, table), *_unknown_names(table), *_no_text(table)):
        found.setdefault(mistake.key, mistake)
    return [*found.values()]


def model_mistakes(model: type[BaseModel], table: dict[str, Any]) -> list[Mistake]:
    """Return what a model with sections refuses of a table, each key once."""
    told = _invalid(model, table)
    # pydantic looks at combinations only where all else is right: what is wrong may not hide them.
    wrong = {tuple(mistake.key.split("[")[0].split(".")[:2]) for mistake in told}
    if 0 < len(wrong) <= _FEW:
        names = re.compile(rf"\b({'|'.join(re.escape(parts[-1]) for parts in wrong)})\b")
        told += [
            mistake
            for mistake in _invalid(model, _without(table, wrong))
            # A default stood in for what was wrong: nothing follows from it.
            if not names.search(f"{mistake.key} {mistake.message}")
        ]
    found: dict[str, Mistake] = {}
    for mistake in told:
        # A value of a union fails once for each of the union's members.
        before = found.get(mistake.key)
        joined = f"{before.message}, or {mistake.message}" if before else mistake.message
        found[mistake.key] = dataclasses.replace(mistake, message=joined)
    return list(found.values())


def _invalid(model: type[BaseModel], table: dict[str, Any]) -> list[Mistake]:
    """Return what the model refuses."""
    try:
        model.model_validate(table)
    except ValidationError as error:
        items = error.errors(include_url=False, include_input=True)
        return [mistake for item in items for mistake in _from_pydantic(model, table, dict(item))]
    return []


def _without(table: dict[str, Any], wrong: set[tuple[str, ...]]) -> dict[str, Any]:
    """Return the table without these keys, ``(key,)`` or ``(section, key)``."""
    return {
        key: {name: item for name, item in value.items() if (key, name) not in wrong}
        if isinstance(value, dict)
        else value
        for key, value in table.items()
        if (key,) not in wrong
    }


def _unknown_names(table: dict[str, Any]) -> Iterable[Mistake]:
    """Yield names that no registry knows and options that their owners refuse."""
    data, model, augment = (
        section if isinstance(section := table.get(key), dict) else {}
        for key in ("data", "model", "augment")
    )
    name = data.get("dataset")
    if isinstance(name, str) and (why := DATASETS.miss(name)):
        yield Mistake("data.dataset", why)
    for key, message in backbone_mistakes(model):
        yield Mistake(f"model.{key}", message)
    for key, message in augment_mistakes(augment):
        yield Mistake(f"augment.{key}", message)
    if data.get("whole") is True and (why := whole_mistake(augment)):
        yield Mistake("data.whole", why)


def _no_text(value: Any, *location: str | int) -> Iterator[Mistake]:
    """Yield texts that no file can hold: paths and arguments of a shell may be any bytes."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _no_text(inner, *location, key)
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            yield Mistake(_dotted([*location]), "expected text in UTF-8", _short(value))


def _from_pydantic(
    model: type[BaseModel], table: dict[str, Any], error: dict[str, Any]
) -> list[Mistake]:
    """Turn one of pydantic's errors into mistakes that name the nearest valid key or value."""
    location = list(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "combinations":
        return [Mistake(_dotted([*location, key]), text) for key, text in context["n"]]
    # A union adds the names of its members to the location: they are no keys.
    key = _dotted(location[: _depth(table, location)])
    if kind == "extra_forbidden":
        return [Mistake(key, _unknown_key(model, [str(part) for part in location]))]
    if kind == "missing":
        return [Mistake(key, "is missing and has no default")]
    value = error["input"]
    if kind == "literal_error":
        hint = did_you_mean(value, _literals(context)) if isinstance(value, str) else ""
        if hint.startswith("; expected"):  # the message has them all
            hint = ""
        return [Mistake(key, f"should be {context['expected']}{hint}", _short(value))]
    if kind == "model_type" and len(location) == 1:
        return [Mistake(key, f"expected a section, [{key}]", _short(value))]
    return [Mistake(key, _lower(error["msg"]).removeprefix("input "), _short(value))]


def _unknown_key(model: type[BaseModel], location: list[str]) -> str:
    name, sections = location[-1], _sections(model)
    here = _model_at(model, location[:-1])
    homes = [f"[{section}]" for section, owner in sections.items() if name in owner.model_fields]
    if homes and here is not None:
        return f"unknown key; it belongs to {' or '.join(homes)}"
    if name in model.model_fields and here is not None:
        return "unknown key; it belongs above the first section"
    return f"unknown key{did_you_mean(name, here.model_fields) if here else ''}"


def _model_at(model: type[BaseModel], location: list[str]) -> type[BaseModel] | None:
    """Return the model of the table at a location: a section, or one in a list or a dict."""
    here = model
    for part in location:
        if part in here.model_fields:
            inner = next(_models_in(here.model_fields[part].annotation), None)
            if inner is None:
                return None
            here = inner
    return here


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the models of the tables in a model, by name."""
    return {
        name: field.annotation
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _dotted(location: list[str | int]) -> str:
    """Return a location as ``augment.transforms[0].name``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _depth(table: Any, location: list[str | int]) -> int:
    """Return how many parts of the location are keys of the table (a missing last one counts)."""
    for depth, part in enumerate(location):
        if isinstance(table, dict):
            if part not in table:
                return depth + 1
            table = table[part]
        elif isinstance(table, list) and isinstance(part, int):
            table = table[part]
        else:
            return depth
    return len(location)


def _literals(context: dict[str, Any]) -> list[str]:
    return [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]


def _short(value: Any) -> str:
    return clipped(printable(repr(value)))


def clipped(text: str, longest: int = 60) -> str:
    """Return text of at most ``longest`` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence
