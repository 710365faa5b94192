"""Runs side by side: the settings that differ, and what came of them."""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnn_core.files import to_json
from cnn_core.runs.dotted import flatten, value_at
from cnn_core.runs.summary_state import LABELS
from cnn_core.runs.tables import Table, csv_cell, to_latex, to_markdown

_RESULTS = {
    "best_val_acc": "best.val_acc",
    "best_epoch": "best.epoch",
    "test_acc": "test.acc",
    "total_s": "timing.total_s",
    "params_total": "params.total",
    "params_trainable": "params.trainable",
}
_TITLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "best_val_acc": ("val acc (%)", lambda accuracy: f"{100 * accuracy:.2f}"),
    "best_epoch": ("best epoch", str),
    "test_acc": ("test acc (%)", lambda accuracy: f"{100 * accuracy:.2f}"),
    "total_s": ("time (s)", lambda seconds: f"{seconds:.1f}"),
    "params_total": ("parameters", "{:,}".format),
    "params_trainable": ("trainable", "{:,}".format),
}
# Epochs and sizes are facts, not merits.
_MERITS: dict[str, Callable[[list[float]], float]] = {
    "best_val_acc": max,
    "test_acc": max,
    "total_s": min,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Columns of values, one for each run and in the order of ``ids``; None: not known.

    ``settings`` holds the dotted keys whose values differ, or all of them. ``results`` holds
    best_val_acc, best_epoch, test_acc (fractions), total_s (seconds), params_total and
    params_trainable. ``best`` holds the positions of the best runs (several if equal) for each
    result that has a best: the highest accuracies, the shortest time.
    """

    ids: list[str]
    names: list[str]
    settings: dict[str, list[Any]]
    results: dict[str, list[Any]]
    best: dict[str, list[int]]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as one JSON document."""
        return {
            "runs": [
                {"id": run_id, "name": name}
                for run_id, name in zip(self.ids, self.names, strict=True)
            ],
            "settings": self.settings,
            "results": self.results,
            "best": {key: [self.ids[index] for index in best] for key, best in self.best.items()},
        }

    def as_csv(self) -> str:
        """Return a line for each run under a header: id, name, settings, results."""
        columns = {"id": self.ids, "name": self.names, **self.settings, **self.results}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(csv_cell, columns))
        for values in zip(*columns.values(), strict=True):
            writer.writerow(
                csv_cell(to_json(value) if isinstance(value, list) else value) for value in values
            )
        return text.getvalue()

    def as_markdown(self) -> str:
        """Return a row for each run: what it is called, settings, results, the best in bold."""
        return to_markdown(self._table())

    def as_latex(self) -> str:
        """Return the same rows as a LaTeX table with the rules of booktabs."""
        return to_latex(self._table())

    def _table(self) -> Table:
        # Names are what a reader knows; ids tell namesakes apart.
        runs = self.names if len(set(self.names)) == len(self.names) else self.ids
        columns: list[tuple[str, list[str | None]]] = [("run", list(runs))]
        columns += [
            (key, [setting_text(value) for value in values])
            for key, values in self.settings.items()
        ]
        first = len(columns)
        for key, (title, text) in _TITLES.items():
            cells = [None if value is None else text(value) for value in self.results[key]]
            columns.append((title, cells))
        return Table(
            columns=[title for title, _ in columns],
            rows=[list(row) for row in zip(*(cells for _, cells in columns), strict=True)],
            right=frozenset(range(first, len(columns))),
            bold=frozenset(
                (row, first + list(_TITLES).index(key))
                for key, rows in self.best.items()
                for row in rows
            ),
        )


def letter(place: int) -> str:
    """Return what the run at this place is called in a comparison: A, B, …, Z, AA, AB, …"""
    letters = ""
    while place >= 0:
        place, rest = divmod(place, 26)
        letters = chr(ord("A") + rest) + letters
        place -= 1
    return letters


def setting_text(value: Any) -> str | None:
    """Return a setting as a preset has it."""
    return value if value is None or isinstance(value, str) else to_json(value)


def compare(summaries: list[dict[str, Any]], *, all_settings: bool = False) -> Comparison:
    """Compare summaries as ``read_summary`` returns them; labels are no settings."""
    configs = [flatten(summary["config"]) for summary in summaries]
    settings = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        values = [config.get(key) for config in configs]
        if key in LABELS:
            continue
        if all_settings or len({to_json(value) for value in values}) > 1:
            settings[key] = values
    results = {
        name: [value_at(summary, key) for summary in summaries] for name, key in _RESULTS.items()
    }
    return Comparison(
        ids=[summary["id"] for summary in summaries],
        names=[summary["name"] for summary in summaries],
        settings=settings,
        results=results,
        best={name: _best(results[name], pick) for name, pick in _MERITS.items()},
    )


def _best(values: list[Any], pick: Callable[[list[float]], float]) -> list[int]:
    known = [value for value in values if value is not None and not math.isnan(value)]
    return [i for i, value in enumerate(values) if known and value == pick(known)]
