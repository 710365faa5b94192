"""What a shell offers when tab is pressed: names of runs, presets, sweeps, keys, choices.

Shells put a candidate on the command line as it is, and some evaluate it: only words of plain
characters are offered, and of whatever can't be read, nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from cnn_core.errors import CnnTuiError
from cnn_core.locations import default_runs_dir, expanded

Complete = Callable[[typer.Context, str], list[str]]

# Not at the beginning: a dash, which would make it an option.
_PLAIN = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9._/:=+,@%-]*")


def offers(names: Callable[[typer.Context, str], Iterable[str]]) -> Complete:
    """Return what typer asks for candidates: of these names the plain ones that fit."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        found: dict[str, None] = {}  # in their order, each once
        with suppress(CnnTuiError, OSError, ValueError):
            for name in names(ctx, incomplete):
                found[name] = None
        return [name for name in found if name.startswith(incomplete) and _PLAIN.fullmatch(name)]

    return complete


def one_of_these(*names: str) -> Complete:
    """Return what offers a few fixed names."""
    return offers(lambda _ctx, _incomplete: names)


@offers
def presets(_ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer shipped presets, and files."""
    yield from _shipped("")
    yield from _toml_files(incomplete)


@offers
def files(_ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer files of presets, sweeps and studies."""
    return _toml_files(incomplete)


@offers
def studies(_ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer shipped studies, and files."""
    yield from _shipped("studies")
    yield from _toml_files(incomplete)


@offers
def sweeps(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer sweeps that have begun, shipped ones, and files."""
    from cnn_core.search.begun import sweep_names

    yield from sweep_names(_runs_dir(ctx))
    yield from _shipped("sweeps")
    yield from _toml_files(incomplete)


@offers
def runs(ctx: typer.Context, _incomplete: str) -> Iterator[str]:
    """Offer the newest run as ``last``, names that mean one run, and ids, the newest first."""
    from cnn_core.runs.directory import name_in, run_ids

    ids = run_ids(_runs_dir(ctx))
    if ids:
        yield "last"
    names = Counter(name_in(run_id) for run_id in ids)
    yield from sorted(name for name, count in names.items() if count == 1)
    yield from reversed(ids)


def presets_and_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer both."""
    return [*presets(ctx, incomplete), *runs(ctx, incomplete)]


@offers
def settings(_ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer keys of a preset, each with its ``=``, and what a key may be set to."""
    key, equals, _ = incomplete.partition("=")
    fits = [known for known in _keys() if known.startswith(key)]
    if not equals and len(fits) != 1:
        yield from (f"{known}=" for known in fits)
        return
    # With a value beside it, for a shell would add a blank after the only candidate.
    from cnn_tui.form_fields import form_fields

    for known in fits:
        field = form_fields()[known]
        values = {"switch": ("true", "false")}.get(field.kind, field.values)
        default = [str(field.default)] if isinstance(field.default, int | float) else []
        yield f"{known}="
        yield from (f"{known}={value}" for value in values or default)


@offers
def backbones(_ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer backbones; timm's once their prefix is there."""
    from cnn_core.backbones.catalog import BACKBONES
    from cnn_core.backbones.timm_names import PREFIX, timm_names

    yield from BACKBONES.names()
    yield PREFIX
    if incomplete.startswith(PREFIX):
        yield from (f"{PREFIX}{name}" for name in timm_names())


@offers
def downloads(_ctx: typer.Context, _incomplete: str) -> Iterator[str]:
    """Offer the data sets that can be downloaded."""
    from cnn_core.datasets.catalog import DATASETS

    yield from (name for name in DATASETS.names() if DATASETS[name].download is not None)


@offers
def surfaces(_ctx: typer.Context, _incomplete: str) -> Iterable[str]:
    """Offer functions of two variables."""
    from cnn_core.surfaces.functions import SURFACES

    return SURFACES


devices = one_of_these("auto", "cpu", "cuda")


def _shipped(kind: str) -> Iterable[str]:
    from cnn_core.shipped import shipped_presets

    return shipped_presets(kind)


def _runs_dir(ctx: typer.Context) -> Path:
    given = ctx.params.get("runs_dir")
    return expanded(str(given)) if given else default_runs_dir()


def _toml_files(incomplete: str) -> Iterator[str]:
    """Offer folders and TOML files; of the only folder what is in it, or a blank would follow."""
    head, slash, begun = incomplete.rpartition("/")
    found = []
    for path in sorted(expanded(f"{head}{slash}" or ".").iterdir()):
        hidden = path.name.startswith(".") and not begun.startswith(".")
        if path.name.startswith(begun) and not hidden:
            if path.is_dir():
                found.append(f"{head}{slash}{path.name}/")
            elif path.suffix == ".toml":
                found.append(f"{head}{slash}{path.name}")
    yield from found
    if len(found) == 1 and found[0].endswith("/"):
        yield from _toml_files(found[0])


def _keys() -> list[str]:
    from pydantic import BaseModel

    from cnn_core.config import Experiment

    keys = []
    for name, info in Experiment.model_fields.items():
        kind: Any = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += [f"{name}.{inner}" for inner in kind.model_fields]
        else:
            keys.append(name)
    return keys
