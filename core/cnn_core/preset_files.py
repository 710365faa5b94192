"""Presets on the disk: find, read, override, check and write them."""

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tomli
import tomli_w
from pydantic import BaseModel, ValidationError

from cnn_core.augment.catalog import augment_mistakes
from cnn_core.backbones.catalog import backbone_mistakes
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import DATASETS, resolved_image_size
from cnn_core.errors import UserError, did_you_mean, printable


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a preset: ``key`` is dotted, ``message`` a sentence part."""

    key: str
    message: str
    value: str = ""
    """The value that is wrong, shortened, where it tells something."""


def shipped_presets() -> dict[str, Path]:
    """Return the presets that come with the program, by name, sorted."""
    package = Path(__file__).parent
    # An editable install has no packaged copy: there the repository's folder serves.
    folder = next(
        (path for path in (package / "presets", package.parents[1] / "presets") if path.is_dir()),
        None,
    )
    if folder is None:
        raise UserError(f"no presets in {package}: the installation is damaged, install it again")
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_preset(reference: str) -> Path:
    """Return the file of a preset given by path or shipped name; UserError if there is none."""
    path = Path(reference)
    # Neither a ~ without a home nor a name too long for the disk is a file.
    with contextlib.suppress(OSError, RuntimeError):
        path = path.expanduser()
        if path.is_file():
            return path
        if path.is_dir():
            inside = next(iter(sorted(path.glob("*.toml"))), None)
            hint = f"; did you mean {printable(inside)}?" if inside else ""
            raise UserError(f"{printable(path)} is a folder, expected a preset file{hint}")
    shipped = shipped_presets()
    if reference in shipped:
        return shipped[reference]
    # presets/vgg16.toml works from any folder, also where only the wheel is installed.
    if path.parent.name == "presets" and path.suffix == ".toml" and path.stem in shipped:
        return shipped[path.stem]
    raise UserError(
        f"no preset '{_clipped(printable(reference))}': neither a file nor a shipped one"
        f"{did_you_mean(path.stem, shipped)}"
    )


def load_experiment(
    reference: str | Path,
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
) -> Experiment:
    """Read a preset and apply ``section.key=value`` overrides, a name and further tags.

    Values of overrides are TOML; what does not parse as TOML is taken as text.
    All mistakes are raised at once, as one UserError that lists key, message and line.
    """
    path = find_preset(str(reference))
    text = _read(path)
    try:
        table = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{printable(path)}: not valid TOML: {_lower(str(error))}") from error
    overridden: dict[str, str] = {}
    broken = [
        Mistake(f"--set {item}", message)
        for item in overrides
        if (message := _override(table, item, overridden)) is not None
    ]
    if name is not None:
        table["name"], overridden["name"] = name, "--name"
    if tags:
        known = table.get("tags", [])
        table["tags"] = [*(known if isinstance(known, list) else [known]), *tags]
        overridden["tags"] = "--tag"
    found = broken + mistakes(table)
    if found:
        raise UserError(_report(path, text, found, overridden))
    return _resolved(Experiment.model_validate(table))


def mistakes(table: dict[str, Any]) -> list[Mistake]:
    """Return everything that is wrong with a preset's table, each key once."""
    found: dict[str, Mistake] = {}
    try:
        Experiment.model_validate(table)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=True):
            for mistake in _from_pydantic(table, dict(item)):
                # A value of a union fails once for each of the union's members.
                before = found.get(mistake.key)
                joined = f"{before.message}, or {mistake.message}" if before else mistake.message
                found[mistake.key] = Mistake(mistake.key, joined, mistake.value)
    for mistake in _unknown_names(table):
        found.setdefault(mistake.key, mistake)
    return list(found.values())


def to_toml(experiment: Experiment) -> str:
    """Return the complete preset; reading it back gives an equal experiment."""
    return tomli_w.dumps(experiment.model_dump(exclude_none=True))


def _resolved(experiment: Experiment) -> Experiment:
    """Fill in what the preset leaves to its surroundings, so that it repeats from anywhere."""
    data = {"image_size": resolved_image_size(experiment.data)}
    weights = experiment.model.weights
    if weights not in ("none", "imagenet"):
        weights = str(Path(weights).expanduser().absolute())
    return experiment.model_copy(
        update={
            "data": experiment.data.model_copy(update=data),
            "model": experiment.model.model_copy(update={"weights": weights}),
        }
    )


def _override(table: dict[str, Any], item: str, overridden: dict[str, str]) -> str | None:
    """Put one override into the table; return what is wrong with it, if anything."""
    key, equals, value = item.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        return "expected SECTION.KEY=VALUE"
    target = table
    for part in parts[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            return f"{part!r} is a value, not a section"
    try:
        target[parts[-1]] = tomli.loads(f"value = {value}")["value"]
    except tomli.TOMLDecodeError:
        target[parts[-1]] = value
    overridden[".".join(parts)] = "--set"
    return None


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{printable(path)}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{printable(path)}, line {line}: not a preset: expected text in UTF-8"
        ) from error


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


def _from_pydantic(table: dict[str, Any], error: dict[str, Any]) -> list[Mistake]:
    """Turn one of pydantic's errors into mistakes that name the nearest valid key or value."""
    location = list(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "combinations":
        return [Mistake(_dotted([*location, key]), text) for key, text in context["n"]]
    # A union adds the names of its members to the location: they are no keys.
    key = _dotted(location[: _depth(table, location)])
    if kind == "extra_forbidden":
        return [Mistake(key, _unknown_key([str(part) for part in location]))]
    if kind == "missing":
        return [Mistake(key, "is missing and has no default")]
    value = error["input"]
    if kind == "literal_error":
        hint = did_you_mean(value, _literals(context)) if isinstance(value, str) else ""
        return [Mistake(key, f"should be {context['expected']}{hint}", _short(value))]
    if kind == "model_type" and len(location) == 1:
        return [Mistake(key, f"expected a section, [{key}]", _short(value))]
    return [Mistake(key, _lower(error["msg"]).removeprefix("input "), _short(value))]


def _unknown_key(location: list[str]) -> str:
    sections: dict[str, type[BaseModel]] = {
        name: field.annotation
        for name, field in Experiment.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    name = location[-1]
    here = Experiment.model_fields if len(location) == 1 else sections[location[0]].model_fields
    homes = [f"[{section}]" for section, model in sections.items() if name in model.model_fields]
    if homes:
        return f"unknown key; it belongs to {' or '.join(homes)}"
    if name in Experiment.model_fields:
        return "unknown key; it belongs above the first section"
    return f"unknown key{did_you_mean(name, here)}"


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
    return _clipped(printable(repr(value)))


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def _report(path: Path, text: str, found: list[Mistake], overridden: dict[str, str]) -> str:
    count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
    placed = []
    for mistake in found:
        option = next((by for key, by in overridden.items() if _within(key, mistake.key)), None)
        line = None if option else _line_of(text, mistake.key)
        place = f" ({option})" if option else f" (line {line})" if line else ""
        value = f"{mistake.value}: " if mistake.value else ""
        told = f"  {printable(mistake.key)}{place}: {value}{printable(mistake.message)}"
        placed.append((line or math.inf, told))
    placed.sort(key=lambda one: one[0])  # in the order of the file, the command line's last
    return "\n".join([f"{printable(path)}: {count}", *(told for _, told in placed)])


def _within(one: str, other: str) -> bool:
    """Return whether one dotted key is the other, or lies in it, or holds it."""
    parts = zip(one.split("."), other.replace("[", ".").split("."), strict=False)
    return all(left == right for left, right in parts)


def _line_of(text: str, key: str) -> int | None:
    """Return the line where a dotted key stands, or what holds it (TOML keeps no lines)."""
    *section, name = key.split("[")[0].split(".")
    header, found = "", None
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            header = stripped.strip("[] ")
            if header == ".".join([*section, name]):
                return number
            if header == ".".join(section):
                found = number
        elif header == ".".join(section) and stripped.partition("=")[0].strip(" \"'") == name:
            return number
    # model.options.widths may stand inside options = { … }.
    return found or (_line_of(text, ".".join(section)) if section else None)
