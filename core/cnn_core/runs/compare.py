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

_RESULTS = {
    "best_val_acc": "best.val_acc",
    "best_epoch": "best.epoch",
    "test_acc": "test.acc",
    "total_s": "timing.total_s",
    "params_total": "params.total",
    "params_trainable": "params.trainable",
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

    ``settings`` holds the dotted keys whose values differ. ``results`` holds best_val_acc,
    best_epoch, test_acc (fractions), total_s (seconds), params_total and params_trainable.
    ``best`` holds the positions of the best runs (several if equal) for each result that has
    a best: the highest accuracies, the shortest time.
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
        writer.writerow(columns)
        for values in zip(*columns.values(), strict=True):
            writer.writerow(
                to_json(value) if isinstance(value, list) else value for value in values
            )
        return text.getvalue()


def compare(summaries: list[dict[str, Any]]) -> Comparison:
    """Compare summaries as ``read_summary`` returns them."""
    configs = [flatten(summary["config"]) for summary in summaries]
    settings = {}
    for key in dict.fromkeys(key for config in configs for key in config):
        values = [config.get(key) for config in configs]
        if key not in LABELS and len({to_json(value) for value in values}) > 1:
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
