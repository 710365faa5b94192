"""Stub until merged."""

from dataclasses import dataclass
from pathlib import Path

from cnn_core.runs.index import Row, run_rows


@dataclass(frozen=True, slots=True)
class Changes:
    changed: list[Row]
    gone: list[str]


class RunsWatcher:
    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._rows: dict[str, Row] = {}

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def poll(self) -> Changes:
        rows = {row["id"]: row for row in run_rows(self._runs_dir)}
        changed = [row for key, row in rows.items() if repr(self._rows.get(key)) != repr(row)]
        gone = [key for key in self._rows if key not in rows]
        self._rows = rows
        return Changes(changed, gone)
