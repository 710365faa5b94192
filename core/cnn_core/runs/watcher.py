"""What changed in a folder of runs since the last look."""

from dataclasses import dataclass
from pathlib import Path

from cnn_core.runs.index import Row, RunIndex


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows that are new or differ, and the ids of runs whose folder is gone."""

    changed: list[Row]
    gone: list[str]


class RunsWatcher:
    """Follows all runs of a folder, as often as one likes: training may share the process.

    A look costs one ``stat`` for each run. Only of runs that claim to be alive, or are damaged,
    it also asks for the process and for config.toml.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._index = RunIndex(runs_dir)
        self._rows: dict[str, Row] = {}

    @property
    def rows(self) -> list[Row]:
        """The rows of all runs at the last poll, sorted by id, as ``run_rows`` gives them."""
        return list(self._rows.values())

    def poll(self) -> Changes:
        """Look again, and return what differs from the last poll; all runs at the first.

        Raises UserError if the folder can't be read; the rows stay those of the last poll.
        """
        before = self._rows
        self._rows = {row["id"]: row for row in self._index.rows()}
        changed = []
        for run_id, row in self._rows.items():
            old = before.get(run_id)
            if row is not old and row != old:  # nearly all are the same objects
                changed.append(row)
        return Changes(changed, [run_id for run_id in before if run_id not in self._rows])
