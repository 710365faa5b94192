"""Presets on the disk: find, read, override, check and write them."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from cnn_core import toml_text
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import resolved_image_size
from cnn_core.errors import UserError, did_you_mean, first_line, printable
from cnn_core.locations import expanded
from cnn_core.mistake_places import told_mistakes
from cnn_core.preset_mistakes import Mistake, clipped, mistakes
from cnn_core.shipped import shipped_presets

_MOST_BYTES = 4_000_000
_EXPECTED = "expected SECTION.KEY=VALUE"


def find_shipped(reference: str, kind: str, title: str) -> Path:
    """Return the file of a ``title``, by path or shipped name; UserError if there is none."""
    if (path := file_beside(Path(), reference)) is not None:
        return path
    shipped = shipped_presets(kind)
    if reference in shipped:
        return shipped[reference]
    raise UserError(
        f"no {title} '{clipped(printable(reference))}': neither a file nor a shipped one"
        f"{did_you_mean(Path(reference).stem, shipped)}"
    )


def file_beside(folder: Path, reference: str) -> Path | None:
    """Return the file that a path, absolute or from the folder, names; None if there is none."""
    with contextlib.suppress(OSError):  # a name too long for the disk is no file
        if (path := folder / expanded(reference)).is_file():
            return path
    return None


def find_preset(reference: str) -> Path:
    """Return the file of a preset given by path or shipped name; UserError if there is none."""
    path = expanded(reference)
    with contextlib.suppress(OSError):  # a name too long for the disk is no file
        if path.is_file():
            return path
        if path.is_dir():
            raise UserError(
                f"{printable(path)} is a folder, expected a preset file{_meant_by(path)}"
            )
    shipped = shipped_presets()
    if reference in shipped:
        return shipped[reference]
    # presets/vgg16.toml works from any folder, also where only the wheel is installed.
    if path.parent.name == "presets" and path.suffix == ".toml" and path.stem in shipped:
        return shipped[path.stem]
    raise UserError(
        f"no preset '{clipped(printable(reference))}': neither a file nor a shipped one"
        f"{did_you_mean(path.stem, shipped, listed_by='cnn-tui presets')}"
    )


def _meant_by(folder: Path) -> str:
    """Return what somebody may want who gives a folder for a preset."""
    if inside := next(iter(sorted(folder.glob("*.toml"))), None):
        return f"; did you mean {printable(inside)}?"
    if any(path.is_dir() for path in folder.iterdir()):
        root = printable(folder.absolute())
        return f"; to train on its images: cnn-tui run folder-resnet18 --set data.root={root}"
    return ""


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
    text = read_text(path)
    table = parse_toml(path, text)
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
        raise UserError(told_mistakes(path, text, found, overridden))
    return resolved(Experiment.model_validate(table))


def read_table(path: Path) -> dict[str, Any]:
    """Return what a preset file says, unchecked; UserError where it can't be read as TOML."""
    return parse_toml(path, read_text(path))


def to_toml(experiment: Experiment) -> str:
    """Return the complete preset; reading it back gives an equal experiment."""
    return tomli_w.dumps(experiment.model_dump(exclude_none=True))


def resolved(experiment: Experiment) -> Experiment:
    """Fill in what a preset leaves to its surroundings, so that it repeats from anywhere."""
    data = {"image_size": resolved_image_size(experiment.data)}
    weights = experiment.model.weights
    if weights not in ("none", "imagenet"):
        weights = str(expanded(weights).absolute())
    return experiment.model_copy(
        update={
            "data": experiment.data.model_copy(update=data),
            "model": experiment.model.model_copy(update={"weights": weights}),
        }
    )


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Return a file's table; UserError with the place where it is not valid TOML."""
    try:
        return toml_text.parse(text)
    except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
        raise UserError(f"{printable(path)}: not valid TOML: {first_line(error)}") from error


def _override(table: dict[str, Any], item: str, overridden: dict[str, str]) -> str | None:
    """Put one override into the table; return what is wrong with it, if anything."""
    if (parsed := _parsed(item)) is None:
        return _EXPECTED
    key, value = parsed
    overridden[key] = "--set"
    return put(table, key, value)


def overrides_of(items: Sequence[str]) -> dict[str, Any]:
    """Return ``section.key=value`` texts as values by dotted key; UserError for other texts."""
    found: dict[str, Any] = {}
    for item in items:
        if (parsed := _parsed(item)) is None:
            raise UserError(f"--set {printable(item)}: {_EXPECTED}")
        found |= [parsed]
    return found


def _parsed(item: str) -> tuple[str, Any] | None:
    """Return the dotted key and the value of an override; None where it is none."""
    key, equals, value = item.partition("=")
    key = key.strip()
    return (key, option_value(value)) if equals and all(key.split(".")) else None


def option_value(text: str) -> Any:
    """Return what TOML takes a text of the command line for; the text itself if for nothing."""
    try:
        return toml_text.parse(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def put(table: dict[str, Any], key: str, value: Any) -> str | None:
    """Set a dotted key of a preset's table; return why that can't be, None if it was done."""
    *sections, name = key.split(".")
    target = table
    for section in sections:
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            return f"{section!r} is a value, not a section"
    target[name] = value
    return None


def read_text(path: Path) -> str:
    """Return a file's text; UserError where it can't be read or is not UTF-8."""
    try:
        with path.open("rb") as file:  # which may be a pipe: how much comes is not known before
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{printable(path)}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise UserError(f"{printable(path)}: above {_MOST_BYTES // 1000} kB, so it is no preset")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{printable(path)}, line {line}: expected text in UTF-8") from error
