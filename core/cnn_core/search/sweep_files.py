"""Sweep files on the disk: find, read, check and write them."""

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tomli_w

from cnn_core.config import Experiment
from cnn_core.errors import UserError, printable
from cnn_core.locations import expanded
from cnn_core.mistake_places import told_mistakes
from cnn_core.preset_files import (
    file_beside,
    find_preset,
    find_shipped,
    parse_toml,
    put,
    read_table,
    read_text,
    resolved,
)
from cnn_core.preset_mistakes import Mistake, mistakes, model_mistakes
from cnn_core.search.sweep_config import Sweep, name_of
from cnn_core.shipped import shipped_presets

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
    if found := sweep_mistakes(path, table):
        raise UserError(told_mistakes(path, text, found))
    sweep = Sweep.model_validate(_as_modelled(path, table))
    base = read_table(_preset_of(sweep, path))
    weights = base.get("model", {}).get("weights", "none")
    if weights not in ("none", "imagenet"):  # a path: it shall mean the same from everywhere
        base["model"]["weights"] = str(expanded(weights).absolute())
    return sweep, base


def sweep_mistakes(path: Path, table: dict[str, Any]) -> list[Mistake]:
    """Return all that is wrong with the table of the sweep file ``path``, with its preset too."""
    modelled = _as_modelled(path, table)
    if found := model_mistakes(Sweep, modelled):
        return found
    sweep = Sweep.model_validate(modelled)
    try:
        base = read_table(_preset_of(sweep, path))
    except UserError as error:
        return [Mistake("preset", str(error))]
    return [*_mistakes_with(sweep, base)]


def _as_modelled(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    """Return a sweep's table with dotted keys and a name."""
    flat = {key: _flat(table[key]) for key in _TABLES if isinstance(table.get(key), dict)}
    return {"name": path.stem} | table | flat


def _preset_of(sweep: Sweep, path: Path) -> Path:
    """Return the preset's file; UserError if there is none."""
    return file_beside(path.parent, sweep.preset) or find_preset(sweep.preset)


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
    told: set[str] = set()
    for key, parameter in sweep.parameters.items():
        for value in parameter.examples():
            for owner, mistake in setting_mistakes(base, sweep.set | first | {key: value}):
                message = mistake.message
                if owner is None:
                    place = f"preset ({sweep.preset}) {mistake.key}"
                    message += f", with {key} = {name_of(value)}"
                else:
                    place = f"{'parameters' if owner in sweep.parameters else 'set'}.{owner}"
                if place not in told:
                    told.add(place)
                    yield Mistake(place, message, mistake.value)


def setting_mistakes(
    base: dict[str, Any], settings: dict[str, Any]
) -> Iterator[tuple[str | None, Mistake]]:
    """Yield what is wrong with a preset's table with these values of its dotted keys.

    Each mistake comes with the key among ``settings`` that made it, None if the preset did.
    """
    table, wrong = _changed(base, settings)
    for mistake in wrong + mistakes(table):
        owners = [
            own
            for own in settings
            if mistake.key == own or mistake.key.startswith((f"{own}.", f"{own}["))
        ]
        yield owners[-1] if owners else None, mistake


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
