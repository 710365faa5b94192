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
from cnn_core.runs.compare import Comparison, compare, letter, setting_text
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
        sections.append(Section(title, anchor, [Words(_lead(one))], parts))
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
    names = ["status", "best epoch", "val acc", "test acc", "top-5", "test loss"]
    names += ["parameters", "trainable", "time", "images/s", "device"]
    cells = [_result_cells(one.summary) for one in materials]
    comparison = compare([one.summary for one in materials])
    if not letters:
        rows: list[list[str | None]] = [list(pair) for pair in zip(names, cells[0], strict=True)]
        blocks: list[Block] = [Table(["", ""], rows)]
    else:
        table = [
            [f"{sign} {one.summary['name']}", *row]
            for sign, one, row in zip(letters, materials, cells, strict=True)
        ]
        blocks = [Table(["run", *names], table, _numbers(names), _bold(names, comparison))]
    if error := [one for one in materials if one.summary["error"]]:
        blocks += [
            Words(f"{one.summary['name']} {one.summary['status']}: {one.summary['error']}")
            for one in error
        ]
    return Section("Results", "results", blocks)


def _numbers(names: Sequence[str]) -> frozenset[int]:
    return frozenset(
        place for place, name in enumerate(names, 1) if name not in ("status", "device")
    )


def _bold(names: Sequence[str], comparison: Comparison) -> frozenset[tuple[int, int]]:
    return frozenset(
        (row, names.index(name) + 1)
        for name, key in _MERITS.items()
        for row in comparison.best[key]
    )


def _result_cells(summary: dict[str, Any]) -> list[str | None]:
    best, test, timing, params = (summary[key] for key in ("best", "test", "timing", "params"))
    speed = timing["images_per_s"]
    epochs = f"{summary['epoch']} of {summary['epochs']} epochs"
    return [
        summary["status"] if summary["status"] == "finished" else f"{summary['status']}, {epochs}",
        None if best["epoch"] is None else f"{best['epoch']} of {summary['epoch']}",
        percent(best["val_acc"]),
        percent(test["acc"]),
        percent(test["top5"]),
        None if test["loss"] is None else f"{test['loss']:.4f}",
        _grouped(params["total"]),
        _grouped(params["trainable"]),
        seconds(timing["total_s"]),
        None if speed is None else f"{speed:,.0f}",
        summary["device"],
    ]


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
        Words("Where its folder of runs is, this repeats it with every setting resolved:"),
        Code(again),
        Words("Elsewhere, save this as config.toml:"),
        Folded("config.toml", (Code(one.config_toml),)),
    ]


def _title(materials: Sequence[Material]) -> str:
    return f"{len(materials)} runs compared"


def _overview(materials: Sequence[Material]) -> str:
    used = (
        dict.fromkeys(str(value_at(one.summary["config"], key)) for one in materials)
        for key in ("data.dataset", "model.backbone")
    )
    data, networks = (", ".join(names) for names in used)
    return f"{networks} on {data}."


def _lead(one: Material) -> str:
    summary = one.summary
    parts = [f"Run {summary['id']}"]
    if summary["tags"]:
        parts.append(f"tags {', '.join(map(str, summary['tags']))}")
    lead = "; ".join(parts) + "."
    return f"{lead} {summary['notes']}" if summary["notes"] else lead


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
