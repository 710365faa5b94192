"""A study's document as tables: for pages, for papers, for programs."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from cnn_core.runs.dotted import Document
from cnn_core.runs.tables import Table, csv_cell
from cnn_core.search.sweep_config import name_of
from cnn_core.studies.results import spread, values_of

_COLUMNS = ["row", "what", "arm", "figure", "reported", "ours", "trained", "minutes", "device"]
_CHANGED = "changed"
_RIGHT = frozenset({4, 5, 7})
_CSV = (
    *("row", "what", "arm", "preset", "changed", "figure", "reported"),
    *("mean", "deviation", "trainings", "minutes", "device", "note"),
)
_PLACES = {"best": "best", "last": "last", "test": "test", "test_last": "test, last weights,"}
_NAMES = {
    "acc": "accuracy (%)",
    "val_acc": "validation accuracy (%)",
    "train_acc": "training accuracy (%)",
    "top5": "top-5 (%)",
    "loss": "loss",
    "val_loss": "validation loss",
    "train_loss": "training loss",
    "epoch": "epoch",
    "total": "parameters",
    "trainable": "trainable parameters",
    "frozen": "frozen parameters",
    "input_mb": "input (MB)",
    "forward_backward_mb": "forward/backward (MB)",
    "params_mb": "parameters (MB)",
    "total_mb": "total (MB)",
}
_SHARES = ("acc", "val_acc", "train_acc", "top5")


def study_table(document: Document) -> Table:
    """Return a line for each figure of each arm: what is reported, and ours.

    Ours are means, with the sample standard deviation of several trainings. Where settings were
    changed for a small machine, a last column tells which.
    """
    changed = any(arm["changed"] for row in document["rows"] for arm in row["arms"])
    lines: list[list[str | None]] = []
    for row in document["rows"]:
        for line, (arm, place) in enumerate(_lines(row)):
            figure, first = figures_of(arm)[place], place == 0
            about = [_trained(arm), _minutes(arm), _devices(arm), changed_text(arm["changed"])]
            lines.append(
                [
                    row["id"],
                    row["what"] if line == 0 else "",
                    arm["label"] if first else "",
                    figure_title(figure),
                    _number(figure, arm["reported"].get(figure), given=True),
                    _ours(arm, figure),
                    *(about if first else [""] * len(about))[: len(about) if changed else -1],
                ]
            )
    return Table([*_COLUMNS, *([_CHANGED] if changed else [])], lines, right=_RIGHT)


def study_notes(document: Document) -> list[str]:
    """Return what tables leave out: what is claimed in words, shown by a command, or missing."""
    notes = []
    missing: dict[str, list[str]] = {}
    for row in document["rows"]:
        if row["claim"]:
            notes.append(f"{row['id']}: the report says: {row['claim']}")
        if row["command"]:
            notes.append(f"{row['id']}: {row['what']}: {row['command']}")
        told = {note(arm) for arm in row["arms"]}
        if len(told) == 1:  # the same of the whole row
            missing.setdefault(told.pop(), []).append(row["id"])
        else:
            for arm in row["arms"]:
                missing.setdefault(note(arm), []).append(f"{row['id']} {arm['label']}".strip())
    missing.pop("", None)
    return notes + [f"{', '.join(names)}: {why}" for why, names in missing.items()]


def study_csv(document: Document) -> str:
    """Return a line for each figure of each arm, numbers as they are."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV)
    for row in document["rows"]:
        for arm, line in _lines(row):
            figure = figures_of(arm)[line]
            values = values_of(arm, figure)
            mean, deviation = spread(values) if values else (None, None)
            cells: list[Any] = [
                *(row["id"], row["what"], arm["label"], arm["preset"]),
                *(changed_text(arm["changed"]), figure, arm["reported"].get(figure)),
                *(mean, deviation, len(values), _minutes(arm), _devices(arm), note(arm)),
            ]
            writer.writerow(map(csv_cell, cells))
    return text.getvalue()


def figure_title(figure: str) -> str:
    """Return what people call a figure of a summary."""
    place, _, name = figure.rpartition(".")
    return f"{_PLACES.get(place, '')} {_NAMES[name]}".strip()


def changed_text(changed: dict[str, Any]) -> str:
    """Return settings as they stand on a command line."""
    return ", ".join(f"{key}={name_of(value)}" for key, value in changed.items())


def note(arm: Document) -> str:
    """Return why figures of an arm are missing, or not all there yet; empty if they are."""
    if not arm["runs"]:
        return f"not trained: {arm['why_not']}" if arm["why_not"] else "not trained yet"
    left = [run for run in arm["runs"] if run["status"] not in ("finished", "counted")]
    return "; ".join(
        f"{run['status']} after epoch {run['epoch']} of {run['epochs']}" for run in left
    )


def _lines(row: Document) -> Iterator[tuple[Document, int]]:
    for arm in row["arms"]:
        for line in range(len(figures_of(arm))):
            yield arm, line


def figures_of(arm: Document) -> list[str]:
    """Return the figures reported, and the others that its runs have."""
    told = [figure for run in arm["runs"] for figure in run["figures"]]
    return list(dict.fromkeys([*arm["reported"], *told])) or ["test.acc"]


def _ours(arm: Document, figure: str) -> str | None:
    values = values_of(arm, figure)
    if not values:
        return None
    mean, deviation = spread(values)
    shown = _number(figure, mean) or ""
    return shown if deviation is None else f"{shown} ± {_number(figure, deviation)}"


def _number(figure: str, value: float | None, *, given: bool = False) -> str | None:
    if value is None:
        return None
    name = figure.rpartition(".")[2]
    if name in _SHARES:
        return f"{100 * value:.4g}" if given else f"{100 * value:.2f}"
    if name in ("total", "trainable", "frozen"):
        return f"{value:,.0f}"
    if name.endswith("_mb"):
        return f"{value:.2f}"
    return f"{value:.4g}"


def _trained(arm: Document) -> str:
    ended = sum(run["status"] == "finished" for run in arm["runs"])
    return "" if not arm["preset"] else f"{ended} of {arm['wanted']}"


def _minutes(arm: Document) -> str:
    times = [
        run["total_s"] / 60 for run in arm["runs"] if run["status"] == "finished" and run["id"]
    ]
    return f"{sum(times) / len(times):.1f}" if times else ""


def _devices(arm: Document) -> str:
    return ", ".join(dict.fromkeys(run["device"] for run in arm["runs"] if run.get("device")))
