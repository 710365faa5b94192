"""A brief row for a run, read again only where its files changed."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

from cnn_core.errors import UserError
from cnn_core.files import Stamp, stamp_of
from cnn_core.regular_files import open_regular, read_regular, read_whole
from cnn_core.runs.dotted import value_at
from cnn_core.runs.event_log import EVENTS
from cnn_core.runs.lock import is_live
from cnn_core.runs.reader import ALIVE, CONFIG, SUMMARY, as_of_now, fold_events, parse_summary
from cnn_core.runs.summary_state import RunSummary
from cnn_core.training.events import EndStatus

SERIES_LENGTH = 40

Row = dict[str, Any]


class _Known(NamedTuple):
    """A row, and what the files were like that it was made of.

    ``watched`` names the files other than summary.json that the row depends on, ``marks`` says
    what they were like and whether the run was live. A whole summary of a run that claims no
    process depends on nothing else.
    """

    stamp: Stamp | None
    row: Row
    watched: tuple[str, ...] = ()
    marks: tuple[Any, ...] = ()


class RowReader:
    """Gives the rows of the runs in a folder; while a run stays the same, the same object.

    That costs one ``stat``, and a few system calls more for a run that claims to be alive or is
    damaged.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._known: dict[str, _Known] = {}

    def read(self, run_id: str) -> Row | None:
        """Return the row of a run as of now, None if there is no such folder (any more).

        A row is the document of ``show --json`` without ``history``, and with
        ``val_acc_series`` (at most 40 of the epochs' validation accuracies, evenly spaced, the
        last one included), ``dataset``, ``backbone``, ``freeze`` and ``augmentation``. Ages count
        from ``created``. A damaged run has the status "failed" and says why in ``error``.
        """
        run = f"{self._runs_dir}/{run_id}"  # text: a thousand runs are looked at every second
        known = self._known.get(run_id)
        if known is None or not _is_current(run, known):
            known = _look(Path(run))
            if known is None:
                self._known.pop(run_id, None)
                return None
            self._known[run_id] = known
        return known.row

    def remember(self, run_id: str, stamp: Stamp, row: Row) -> None:
        """Take a row that was read before, from a summary.json of this stamp."""
        self._known[run_id] = _Known(stamp, row)

    def ended(self) -> dict[str, tuple[Stamp, Row]]:
        """Return what is worth remembering: stamps and rows of runs that ended, by id."""
        return {
            run_id: (known.stamp, known.row)
            for run_id, known in self._known.items()
            if known.stamp is not None
            and not known.watched
            and known.row["status"] in get_args(EndStatus)
        }


def _is_current(run: str, known: _Known) -> bool:
    if stamp_of(f"{run}/{SUMMARY}") != known.stamp:
        return False
    return not known.watched or _marks(Path(run), known.watched) == known.marks


def _marks(run_dir: Path, watched: tuple[str, ...]) -> tuple[Any, ...]:
    return is_live(run_dir), *(stamp_of(run_dir / name) for name in watched)


def _look(run_dir: Path) -> _Known | None:
    """Read a run's row anew; what it depends on is looked at first, so that no change is missed."""
    path = run_dir / SUMMARY
    try:
        with open_regular(path) as file:
            stamp = stamp_of(file.fileno())
            row = row_of(run_dir.name, parse_summary(read_whole(file, path)))
    except (OSError, ValueError):
        watched: tuple[str, ...] = (CONFIG, EVENTS)
        stamp, marks = stamp_of(path), _marks(run_dir, watched)
        row = _damaged_row(run_dir)
        if not run_dir.is_dir():
            return None
    else:
        watched = (CONFIG,) if row["status"] in ALIVE else ()
        marks = _marks(run_dir, watched) if watched else ()
    shown = as_of_now(run_dir, row, partial(_told_row, run_dir))
    return _Known(stamp, shown, watched, marks)


def _told_row(run_dir: Path) -> Row:
    """Return the row that the run's own files tell, whether its process lives or not."""
    try:
        return row_of(run_dir.name, parse_summary(read_regular(run_dir / SUMMARY)))
    except (OSError, ValueError):
        return _damaged_row(run_dir)


def _damaged_row(run_dir: Path) -> Row:
    """Return the row of a run whose summary.json is of no use."""
    try:
        return row_of(run_dir.name, fold_events(run_dir).document())
    except (UserError, OSError) as error:
        empty = RunSummary(run_dir.name, {}, None).document()
        return row_of(run_dir.name, empty | {"status": "failed", "error": f"damaged run: {error}"})


def row_of(run_id: str, document: dict[str, Any]) -> Row:
    """Return the row of a summary; that of a copied run still has the id of the first."""
    config = document["config"]
    return {
        **{key: value for key, value in document.items() if key != "history"},
        "id": run_id,
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
