"""A run's curves for other trackers, after or during the training."""

import dataclasses
import re
import tempfile
from collections.abc import Generator
from pathlib import Path

from cnn_core.config import is_store
from cnn_core.errors import CnnTuiError, UserError, first_line, printable
from cnn_core.preset_files import load_experiment
from cnn_core.progress import Progress
from cnn_core.runs.directory import check_own_files
from cnn_core.runs.lock import is_live
from cnn_core.runs.mirror import Mirror
from cnn_core.runs.reader import CONFIG, read_events
from cnn_core.tracking import TrackerName
from cnn_core.tracking.tracker import (
    Tracker,
    mlflow_tracker,
    mlflow_uri,
    tensorboard_folder,
    tensorboard_tracker,
)


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedCurves:
    """Where a run's figures went, and how many of them there are."""

    place: str
    format: TrackerName
    points: int


def export_curves(
    run_dir: Path, tracker: TrackerName, place: str | None = None
) -> Generator[Progress, None, ExportedCurves]:
    """Copy a run's figures; ``place``: a folder of many runs, or the URI of an MLflow store.

    Without a place they go where ``tracking`` with ``true`` puts them. Event files that were
    written before are replaced; in MLflow the run found by its id gets what it lacks. Raises
    UserError where there is nothing to copy, or the training does so itself, CnnTuiError where
    the tracker fails.
    """
    if next(iter(read_events(run_dir)), None) is None:
        raise UserError(f"run {printable(run_dir.name)}: it has no events yet")
    if getattr(load_experiment(run_dir / CONFIG).tracking, tracker) and is_live(run_dir):
        raise UserError(
            f"run {printable(run_dir.name)}: its training is copying it (tracking.{tracker})"
        )
    yield Progress(f"copying to {tracker}", 0, 0)
    try:
        if tracker == "tensorboard":
            return _to_event_files(run_dir, place)
        return _to_mlflow(run_dir, place)
    except CnnTuiError:
        raise
    except Exception as error:  # a server, a database, a disk: whatever they meet
        raise CnnTuiError(f"{tracker}: {first_line(error)}") from error


def _to_event_files(run_dir: Path, place: str | None) -> ExportedCurves:
    if place is None:
        folder = tensorboard_folder(run_dir, wanted=True)
        check_own_files(run_dir)
    else:
        folder = Path(place) / run_dir.resolve().name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as part:
        count = _copy(run_dir, tensorboard_tracker(Path(part)))
        from cnn_core.tracking.tensorboard_files import own_files

        folder.mkdir(exist_ok=True)
        old = own_files(folder)
        for file in own_files(Path(part)):
            file.replace(folder / file.name)
        for file in old:
            file.unlink()
    return ExportedCurves(str(folder), "tensorboard", count)


def _to_mlflow(run_dir: Path, place: str | None) -> ExportedCurves:
    if place is not None and not is_store(place):
        raise UserError(
            f"{printable(place)}: no store of MLflow; "
            "expected such as sqlite:////data/mlflow.db or http://server:5000"
        )
    uri = mlflow_uri(run_dir, place or True)
    count = _copy(run_dir, mlflow_tracker(uri))
    shown = re.sub(r"//[^/@]*@", "//", uri)  # without a password
    return ExportedCurves(shown, "mlflow", count)


def _copy(run_dir: Path, tracker: Tracker) -> int:
    mirror = Mirror(run_dir, tracker)
    count = mirror.catch_up()
    mirror.close()
    return count
