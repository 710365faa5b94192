"""What a tracker is, and which ones a preset asks for."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cnn_core.config import Tracking
from cnn_core.extras import require
from cnn_core.locations import expanded
from cnn_core.tracking import TrackerName
from cnn_core.tracking.points import Point
from cnn_core.training.events import EndStatus

# What each imports, all of the extra "tracking".
_MODULES = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}


@dataclasses.dataclass(frozen=True, slots=True)
class Tracked:
    """A run as trackers get to know it.

    ``settings`` are the preset's by dotted key, without labels and without ``tracking``, whose
    addresses may hold a password; ``config`` is the whole preset as TOML, without these addresses.
    ``facts`` are what only training knew: device, parameters. ``created`` is Unix seconds.
    """

    run_id: str
    settings: Mapping[str, Any]
    config: str
    facts: Mapping[str, str]
    created: float
    tags: Sequence[str]
    notes: str


class Tracker(Protocol):
    """Takes a run's figures; any method may raise anything, and none is called after that."""

    def begin(self, run: Tracked) -> None:
        """Make a place for the run, or find the one it has."""

    def log(self, points: Sequence[Point]) -> None:
        """Take points in the order of time."""

    def close(self, status: EndStatus | None, time: float) -> None:
        """Keep everything; no status: the run ended without saying so. ``time``: its last event."""


def trackers_of(run_dir: Path, tracking: Tracking) -> dict[TrackerName, Callable[[], Tracker]]:
    """Return makers of the trackers that a preset asks for; they import what they need."""
    found: dict[TrackerName, Callable[[], Tracker]] = {}
    if tracking.tensorboard:
        folder = tensorboard_folder(run_dir, tracking.tensorboard)
        found["tensorboard"] = lambda: tensorboard_tracker(folder)
    if tracking.mlflow:
        uri = mlflow_uri(run_dir, tracking.mlflow)
        found["mlflow"] = lambda: mlflow_tracker(uri)
    return found


def check_trackers(tracking: Tracking) -> None:
    """Raise UserError where a package is missing that the preset's trackers need."""
    for name, wanted in (("tensorboard", tracking.tensorboard), ("mlflow", tracking.mlflow)):
        if wanted:
            require(f"tracking.{name}", "tracking", *_MODULES[name])


def tensorboard_folder(run_dir: Path, wanted: bool | str) -> Path:
    """Return where a run's event files go: into the run, or into a folder of many runs.

    A relative path starts at the folder of the runs.
    """
    if isinstance(wanted, str):
        return run_dir.parent / expanded(wanted) / run_dir.name
    return run_dir / "tensorboard"


def mlflow_uri(run_dir: Path, wanted: bool | str) -> str:
    """Return the address of the store: the one given, MLflow's own setting, or beside the runs."""
    if isinstance(wanted, str):
        return wanted
    beside = f"sqlite:///{run_dir.parent.resolve() / 'mlflow.db'}"
    return os.environ.get("MLFLOW_TRACKING_URI") or beside


def tensorboard_tracker(folder: Path) -> Tracker:
    """Return a tracker that writes event files; UserError where TensorBoard is missing."""
    require("TensorBoard's format", "tracking", *_MODULES["tensorboard"])
    from cnn_core.tracking.tensorboard_files import TensorBoardTracker

    return TensorBoardTracker(folder)


def mlflow_tracker(uri: str) -> Tracker:
    """Return a tracker that logs to MLflow; UserError where its client is missing."""
    require("MLflow", "tracking", *_MODULES["mlflow"])
    from cnn_core.tracking.mlflow_store import MlflowTracker

    return MlflowTracker(uri)
