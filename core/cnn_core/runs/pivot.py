"""The best run of each data set and backbone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnn_core.runs.dotted import value_at


@dataclass(frozen=True, slots=True)
class Cell:
    """``runs`` that share a data set and a backbone, and the accuracies of the best of them.

    The best has the highest validation accuracy: its test accuracy was not chosen by looking at
    the test. Only where no run has one, it is the highest test accuracy that counts.
    """

    runs: int
    val_acc: float | None
    test_acc: float | None


@dataclass(frozen=True, slots=True)
class Pivot:
    """Data sets and backbones in the order of their first run; a cell for those that have runs."""

    datasets: list[str]
    backbones: list[str]
    cells: dict[tuple[str, str], Cell]


def pivot(summaries: Sequence[Mapping[str, Any]]) -> Pivot:
    """Group summaries, as ``read_summary`` returns them, by data set and backbone."""
    groups: dict[tuple[str, str], list[tuple[float | None, float | None]]] = {}
    for summary in summaries:
        config = summary["config"]
        key = (_dataset(config), str(value_at(config, "model.backbone", "?")))
        accuracies = (_known(summary["best"]["val_acc"]), _known(summary["test"]["acc"]))
        groups.setdefault(key, []).append(accuracies)
    cells = {key: Cell(len(runs), *max(runs, key=_rank)) for key, runs in groups.items()}
    return Pivot(
        datasets=list(dict.fromkeys(dataset for dataset, _ in cells)),
        backbones=list(dict.fromkeys(backbone for _, backbone in cells)),
        cells=cells,
    )


def _rank(accuracies: tuple[float | None, float | None]) -> tuple[float, float]:
    val_acc, test_acc = accuracies
    return (-1.0 if val_acc is None else val_acc, -1.0 if test_acc is None else test_acc)


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _dataset(config: dict[str, Any]) -> str:
    """Return the data set's name; accuracies on other folders or classes are other figures."""
    data = config.get("data")
    data = data if isinstance(data, dict) else {}
    parts = [str(data.get("dataset", "?"))]
    if data.get("dataset") == "folder" and data.get("root"):
        parts.append(str(data["root"]))
    if isinstance(data.get("classes"), list) and data["classes"]:
        parts.append(f"({len(data['classes'])} classes)")
    return " ".join(parts)
