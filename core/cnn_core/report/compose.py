"""From what is known of runs to the sections of a report."""

import importlib.metadata
import shlex
import time
from collections.abc import Sequence
from typing import Any

from cnn_core.quantities import percent, seconds
from cnn_core.report.blocks import Block, Code, Document, Figures, Folded, Section, Words
from cnn_core.report.details import environment_table, layer_blocks, split_blocks
from cnn_core.report.figures import curves_alone, curves_together
from cnn_core.report.filters import filter_blocks
from cnn_core.report.judgement import judgement_sections
from cnn_core.report.material import Material, Part
from cnn_core.runs.changed import changed_settings
from cnn_core.runs.compare import compare, letter, setting_text
from cnn_core.runs.dotted import flatten, value_at
from cnn_core.runs.tables import Table

_MERITS = {"val acc": "best_val_acc", "test acc": "test_acc"}


def compose(materials: Sequence[Material], part: Part, *, written: float) -> Document:
    """Return the report of a run, or of several side by side; ``written`` is Unix seconds."""
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(written))
    footer = f"Written {made} by cnn-tui{_version()}."
    if len(materials) == 1:
        (one,) = materials
        sections = [_results(materials, ()), _settings_alone(one), *_chapter(one, part, "")]
        return Document(str(one.summary["name"]), _lead(one), tuple(sections), footer)
    letters = [letter(place) for place in range(len(materials))]
    together = curves_together(
        [
            (sign, str(one.summary["name"]), one.series)
            for sign, one in zip(letters, materials, strict=True)
        ]
    )
    sections = [
        _results(materials, letters),
        _settings_together(materials, letters),
        Section("Curves", "curves", [_if_any(together)]),
    ]
    for sign, one in zip(letters, materials, strict=True):
        anchor = f"run-{sign.lower()}"
        title = f"{sign} {one.summary['name']}"
        parts = [_settings_alone(one, anchor), *_chapter(one, part, anchor, curves=False)]
        sections.append(Section(title, anchor, list(map(Words, _lead(one))), parts))
    return Document(_title(materials), _overview(materials), tuple(sections), footer)


def _chapter(one: Material, part: Part, anchor: str, *, curves: bool = True) -> list[Section]:
    """Return what there is to say of a run besides its results and settings."""
    sections = []
    if curves:
        drawn = curves_alone(one.series)
        sections.append(Section("Curves", _under(anchor, "curves"), [_if_any(drawn)]))
    sections += judgement_sections(one, part, anchor)
    return [
        *sections,
        Section("Data", _under(anchor, "data"), split_blocks(one)),
        Section("Network", _under(anchor, "network"), layer_blocks(one)),
        Section("First filters", _under(anchor, "filters"), filter_blocks(one)),
        Section("Environment", _under(anchor, "environment"), [environment_table(one)]),
        Section("How to repeat it", _under(anchor, "repeat"), _repeat(one)),
    ]


def _results(materials: Sequence[Material], letters: Sequence[str]) -> Section:
    """Return a table with a row for each run; of a run alone, a line for each result."""
    results = [_result_cells(one.summary) for one in materials]
    names = list(results[0])
    if not letters:
        blocks: list[Block] = [Table(["", ""], [[name, cell] for name, cell in results[0].items()])]
    else:
        rows: list[list[str | None]] = [
            [f"{sign} {one.summary['name']}", *cells.values()]
            for sign, one, cells in zip(letters, materials, results, strict=True)
        ]
        right = (place for place, name in enumerate(names, 1) if name not in ("status", "device"))
        best = compare([one.summary for one in materials]).best
        bold = ((row, names.index(name) + 1) for name, key in _MERITS.items() for row in best[key])
        blocks = [Table(["run", *names], rows, frozenset(right), frozenset(bold))]
    for one in materials:
        if error := one.summary["error"]:
            told = f"{one.summary['name']} {one.summary['status']}: {error}"
            blocks += map(Words, str(told).splitlines())
    return Section("Results", "results", blocks)


def _result_cells(summary: dict[str, Any]) -> dict[str, str | None]:
    best, test, timing, params = (summary[key] for key in ("best", "test", "timing", "params"))
    status, loss, speed = summary["status"], test["loss"], timing["images_per_s"]
    if status != "finished":
        status = f"{status}, {summary['epoch']} of {summary['epochs']} epochs"
    return {
        "status": status,
        "best epoch": None if best["epoch"] is None else f"{best['epoch']} of {summary['epoch']}",
        "val acc": percent(best["val_acc"]),
        "test acc": percent(test["acc"]),
        "top-5": percent(test["top5"]),
        "test loss": None if loss is None else f"{loss:.4f}",
        "test acc, last weights": percent(summary["test_last"]["acc"]),
        "parameters": _grouped(params["total"]),
        "trainable": _grouped(params["trainable"]),
        "time": seconds(timing["total_s"]),
        "images/s": None if speed is None else f"{speed:,.0f}",
        "device": summary["device"],
    }


def _settings_alone(one: Material, anchor: str = "") -> Section:
    against, changed = changed_settings(one.summary, preset=False)
    blocks: list[Block] = []
    if changed:
        rows = [
            [key, setting_text(own), setting_text(other)] for key, (own, other) in changed.items()
        ]
        blocks.append(Table(["setting", "value", "default"], rows))
    elif against:
        blocks.append(Words("All settings have their defaults."))
    every = [[key, setting_text(value)] for key, value in flatten(one.summary["config"]).items()]
    blocks.append(Folded("All settings", (Table(["setting", "value"], every),)))
    title = "Settings other than the defaults" if changed else "Settings"
    return Section(title, _under(anchor, "settings"), blocks)


def _settings_together(materials: Sequence[Material], letters: Sequence[str]) -> Section:
    settings = compare([one.summary for one in materials]).settings
    if not settings:
        return Section("Settings", "settings", [Words("The runs have the same settings.")])
    rows = [[key, *map(setting_text, values)] for key, values in settings.items()]
    return Section("Settings that differ", "settings", [Table(["setting", *letters], rows)])


def _repeat(one: Material) -> list[Block]:
    command = one.environment.get("command")
    blocks: list[Block] = []
    if isinstance(command, list) and len(command) > 1:
        blocks += [
            Words("It was made by"),
            Code(shlex.join(["cnn-tui", *map(str, command[1:])])),
        ]
    again = f"cnn-tui run {shlex.quote(str(one.run_dir.name))}/config.toml --headless"
    return [
        *blocks,
        Words("In the folder of runs, this repeats it, every setting resolved:"),
        Code(again),
        Words("Elsewhere, save this as config.toml:"),
        Folded("config.toml", (Code(one.config_toml),)),
    ]


def _title(materials: Sequence[Material]) -> str:
    return f"{len(materials)} runs compared"


def _overview(materials: Sequence[Material]) -> tuple[str, ...]:
    used = (
        dict.fromkeys(str(value_at(one.summary["config"], key)) for one in materials)
        for key in ("data.dataset", "model.backbone")
    )
    data, networks = (", ".join(names) for names in used)
    return (f"{networks} on {data}",)


def _lead(one: Material) -> tuple[str, ...]:
    summary = one.summary
    tags = ", ".join(map(str, summary["tags"]))
    first = f"Run {summary['id']}; tags {tags}" if tags else f"Run {summary['id']}"
    return (first, *str(summary["notes"]).splitlines())


def _if_any(curves: Figures) -> Block:
    if curves.figures:
        return curves
    return Words("There are no curves: no epoch has ended yet.", missing=True)


def _under(anchor: str, name: str) -> str:
    return f"{anchor}-{name}" if anchor else name


def _grouped(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


def _version() -> str:
    try:
        return f" {importlib.metadata.version('cnn-tui')}"
    except importlib.metadata.PackageNotFoundError:
        return ""
