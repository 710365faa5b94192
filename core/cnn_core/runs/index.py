"""The rows of a folder of runs, fast for thousands of them."""

import contextlib
import json
from pathlib import Path
from typing import Any

from cnn_core.files import Stamp, write_atomically
from cnn_core.regular_files import read_regular
from cnn_core.runs.directory import run_ids
from cnn_core.runs.encoding import json_bytes, restore_numbers
from cnn_core.runs.reader import is_summary
from cnn_core.runs.rows import Row as Row
from cnn_core.runs.rows import RowReader, row_of
from cnn_core.runs.summary_state import RunSummary

INDEX = ".index.json"

_Cache = dict[str, tuple[Stamp, Row]]


def run_rows(runs_dir: Path) -> list[Row]:
    """Return a row for each run, sorted by id, as ``RowReader.read`` describes it.

    Raises UserError if ``runs_dir`` can't be read.
    """
    return RunIndex(runs_dir).rows()


class RunIndex:
    """The rows of a folder of runs; every look after the first reads only what changed.

    For the first one, rows of runs that ended are kept in ``.index.json``; it is only a cache,
    and a folder that can't be written works as well.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._reader = RowReader(runs_dir)
        self._opened = False

    def rows(self) -> list[Row]:
        """Return a row for each run, sorted by id; the row of an unchanged run is the same object.

        Raises UserError if the folder can't be read.
        """
        ids = run_ids(self._runs_dir)
        if self._opened:
            return self._read(ids)
        self._opened = True
        cached = _read_cache(self._runs_dir)
        for run_id in cached.keys() & set(ids):
            self._reader.remember(run_id, *cached[run_id])
        rows = self._read(ids)
        ended = self._reader.ended()
        if _stamps(ended) != _stamps(cached):
            _write_cache(self._runs_dir, ended)
        return rows

    def _read(self, ids: list[str]) -> list[Row]:
        return [row for run_id in ids if (row := self._reader.read(run_id)) is not None]


_ROW_KEYS = row_of("", RunSummary("", {}, None).document()).keys()


def _stamps(entries: _Cache) -> dict[str, Stamp]:
    return {run_id: stamp for run_id, (stamp, _) in entries.items()}


def _read_cache(runs_dir: Path) -> _Cache:
    """Return the cached rows by id; a cache that is absent or damaged holds none."""
    try:
        entries = json.loads(read_regular(runs_dir / INDEX))
        return {
            name: (stamp, restore_numbers(row))
            for name, (stamp, row) in entries.items()
            if row.keys() == _ROW_KEYS  # not those of another version
            and row["id"] == name
            and is_summary(row | {"history": []})
            and _are_numbers(row["val_acc_series"])
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, int | float) for value in values)


def _write_cache(runs_dir: Path, entries: _Cache) -> None:
    content = json_bytes(entries)
    # A read-only or full folder costs time at the next listing, and nothing else.
    with contextlib.suppress(OSError):
        write_atomically(runs_dir / INDEX, lambda file: file.write(content), sync=False)
