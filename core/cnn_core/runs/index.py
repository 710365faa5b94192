"""A brief row for each run of a folder, fast for thousands of them."""

import contextlib
import json
from functools import partial
from pathlib import Path
from typing import Any, get_args

from cnn_core.errors import UserError
from cnn_core.files import Stamp, stamp_of, write_atomically
from cnn_core.runs.directory import list_runs
from cnn_core.runs.dotted import value_at
from cnn_core.runs.encoding import json_bytes, restore_numbers
from cnn_core.runs.reader import SUMMARY, as_of_now, fold_events, parse_summary
from cnn_core.runs.summary_state import RunSummary
from cnn_core.training.events import EndStatus

INDEX = ".index.json"
SERIES_LENGTH = 40

Row = dict[str, Any]


def run_rows(runs_dir: Path) -> list[Row]:
    """Return a row for each run, sorted by id.

    A row is the document of ``show --json`` without ``history``, and with ``val_acc_series``
    (at most 40 of the epochs' validation accuracies, evenly spaced, the last one included),
    ``dataset``, ``backbone``, ``freeze`` and ``augmentation``. Ages count from ``created``.
    A damaged run has the status "failed" and says why in ``error``.

    Rows of runs that ended are kept in ``.index.json``; it is only a cache, and a folder that
    can't be written works as well. Raises UserError if ``runs_dir`` can't be read.
    """
    cached = _read_cache(runs_dir)
    kept: dict[str, tuple[Stamp, Row]] = {}
    rows = []
    for run_dir in list_runs(runs_dir):
        stamp, row = _stamped_row(run_dir, cached.get(run_dir.name))
        if stamp is not None and row["status"] in get_args(EndStatus):
            kept[run_dir.name] = (stamp, row)
        rows.append(as_of_now(run_dir, row, partial(_fresh_row, run_dir)))
    if {name: stamp for name, (stamp, _) in cached.items()} != {
        name: stamp for name, (stamp, _) in kept.items()
    }:
        _write_cache(runs_dir, kept)
    return rows


def _stamped_row(run_dir: Path, cached: tuple[Stamp, Row] | None) -> tuple[Stamp | None, Row]:
    """Return the run's row, and the stamp of the summary.json that it shows, if that is whole."""
    path = f"{run_dir}/{SUMMARY}"
    try:
        if cached is not None and cached[0] == stamp_of(path):
            return cached
        with open(path, "rb") as file:  # noqa: PTH123 (faster)
            return stamp_of(file.fileno()), _row(parse_summary(file.read()))
    except (OSError, ValueError):
        return None, _damaged_row(run_dir)


def _fresh_row(run_dir: Path) -> Row:
    return _stamped_row(run_dir, None)[1]


def _damaged_row(run_dir: Path) -> Row:
    """Return the row of a run whose summary.json is of no use."""
    try:
        return _row(fold_events(run_dir).document())
    except (UserError, OSError) as error:
        empty = RunSummary(run_dir.name, {}, None).document()
        return _row(empty | {"status": "failed", "error": f"damaged run: {error}"})


def _row(document: dict[str, Any]) -> Row:
    config = document["config"]
    return {
        **{key: value for key, value in document.items() if key != "history"},
        "val_acc_series": _series([epoch.get("val_acc") for epoch in document["history"]]),
        "dataset": value_at(config, "data.dataset"),
        "backbone": value_at(config, "model.backbone"),
        "freeze": value_at(config, "freeze.policy"),
        "augmentation": _augmentation(config),
    }


def _series(values: list[Any]) -> list[float]:
    known = [value for value in values if isinstance(value, int | float)]
    if len(known) <= SERIES_LENGTH:
        return known
    step = (len(known) - 1) / (SERIES_LENGTH - 1)
    return [known[round(index * step)] for index in range(SERIES_LENGTH)]


def _augmentation(config: dict[str, Any]) -> Any:
    """Return the policy's name, or the names of the transforms given instead of one."""
    transforms = value_at(config, "augment.transforms")
    if not isinstance(transforms, list):
        return value_at(config, "augment.policy")
    return "+".join(str(item.get("name")) for item in transforms if isinstance(item, dict))


_ROW_KEYS = _row(RunSummary("", {}, None).document()).keys()


def _read_cache(runs_dir: Path) -> dict[str, tuple[Stamp, Row]]:
    """Return the cached rows by id; a cache that is absent or damaged holds none."""
    try:
        entries = json.loads((runs_dir / INDEX).read_bytes())
        return {
            name: (stamp, restore_numbers(row))
            for name, (stamp, row) in entries.items()
            if row.keys() == _ROW_KEYS  # not those of another version
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _write_cache(runs_dir: Path, entries: dict[str, tuple[Stamp, Row]]) -> None:
    content = json_bytes(entries)
    # A read-only or full folder costs time at the next listing, and nothing else.
    with contextlib.suppress(OSError):
        write_atomically(runs_dir / INDEX, lambda file: file.write(content), sync=False)
