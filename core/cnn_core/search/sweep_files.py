"""Sweep files on the disk: find, read, check and write them."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomli_w

from cnn_core.config import Experiment
from cnn_core.errors import UserError, printable
from cnn_core.locations import expanded
from cnn_core.preset_files import (
    file_beside,
    find_preset,
    find_shipped,
    parse_toml,
    put,
    read_table,
    read_text,
    resolved,
    shipped_presets,
    told_mistakes,
)
from cnn_core.preset_mistakes import Mistake, mistakes, model_mistakes
from cnn_core.search.sweep_config import Sweep, name_of

_TABLES = ("set", "parameters")


def shipped_sweeps() -> dict[str, Path]:
    """Return the sweeps that come with the program, by name, sorted."""
    return shipped_presets("sweeps")


def find_sweep_file(reference: str) -> Path:
    """Return the file of a sweep given by path or shipped name; UserError if there is none."""
    return find_shipped(reference, "sweeps", "sweep")


def load_sweep(path: Path) -> tuple[Sweep, dict[str, Any]]:
    """Return a sweep and the table of its preset, unchanged by the sweep.

    All mistakes are raised at once, as one UserError that lists key, message and line: those of
    the file, and what its values make wrong in the preset.
    """
    text = read_text(path)
    table = parse_toml(path, text)
    for key in _TABLES:
        if isinstance(table.get(key), dict):
            table[key] = _flat(table[key])
    table.setdefault("name", path.stem)
    if found := model_mistakes(Sweep, table):
        raise UserError(told_mistakes(path, text, found))
    sweep = Sweep.model_validate(table)
    preset = file_beside(path.parent, sweep.preset) or find_preset(sweep.preset)
    base = read_table(preset)
    if found := [*_mistakes_with(sweep, base)]:
        raise UserError(told_mistakes(path, text, found))
    weights = base.get("model", {}).get("weights", "none")
    if weights not in ("none", "imagenet"):  # a path: it shall mean the same from everywhere
        base["model"]["weights"] = str(expanded(weights).absolute())
    return sweep, base


def to_sweep_toml(sweep: Sweep) -> str:
    """Return the complete sweep as TOML; reading it back gives an equal one."""
    return tomli_w.dumps(sweep.model_dump(exclude_none=True))


def experiment_of(
    base: dict[str, Any], settings: dict[str, Any], *, name: str, tags: Iterable[str]
) -> Experiment:
    """Return the preset's experiment with these values of its dotted keys.

    ``tags`` are added to its own. Raises UserError with all mistakes where they don't go together.
    """
    table, wrong = _changed(base, settings)
    table["name"] = name
    table["tags"] = list(dict.fromkeys([*table.get("tags", []), *tags]))
    if found := wrong + mistakes(table):
        told = (" ".join(filter(None, (f"{one.key}:", one.value, one.message))) for one in found)
        raise UserError(printable("; ".join(told)))
    return resolved(Experiment.model_validate(table))


def _mistakes_with(sweep: Sweep, base: dict[str, Any]) -> Iterable[Mistake]:
    """Yield what [set] and the examples of each parameter make wrong in the preset."""
    first = {key: parameter.examples()[0] for key, parameter in sweep.parameters.items()}
    fixed = {f"set.{key}": value for key, value in sweep.set.items()}
    first_keys = {f"parameters.{key}": value for key, value in first.items()}
    told: set[str] = set()
    for key, parameter in sweep.parameters.items():
        for value in parameter.examples():
            placed = fixed | first_keys | {f"parameters.{key}": value}
            settings = {name.partition(".")[2]: item for name, item in placed.items()}
            table, wrong = _changed(base, settings)
            for mistake in wrong + mistakes(table):
                place, message = _place_of(mistake.key, placed), mistake.message
                if place is None:
                    place = f"preset ({sweep.preset}) {mistake.key}"
                    message += f", with {key} = {name_of(value)}"
                if place not in told:
                    told.add(place)
                    yield Mistake(place, message, mistake.value)


def _place_of(key: str, placed: dict[str, Any]) -> str | None:
    """Return which of the sweep's keys set the preset's ``key``, None if the preset did."""
    owners = [
        name
        for name in placed
        if key == (own := name.partition(".")[2]) or key.startswith((f"{own}.", f"{own}["))
    ]
    return owners[-1] if owners else None


def _changed(
    base: dict[str, Any], settings: dict[str, Any]
) -> tuple[dict[str, Any], list[Mistake]]:
    table = copy.deepcopy(base)
    wrong = [
        Mistake(key, why)
        for key, value in settings.items()
        if (why := put(table, key, copy.deepcopy(value))) is not None
    ]
    return table, wrong


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a table by dotted keys, however they were written: optim.lr, "optim.lr", [….optim].

    Where a table tells values or a range, it is a parameter and not a section.
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        inner = isinstance(value, dict) and value and not value.keys() & {"values", "low", "type"}
        flat |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return flat
