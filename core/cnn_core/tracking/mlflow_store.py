"""A run in MLflow, by its client: a local store in SQLite, or a server."""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

# A training tells nobody of itself; MLflow's client sends usage figures to its makers by default.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from cnn_core.tracking.points import Point
from cnn_core.tracking.tracker import Tracked
from cnn_core.training.events import EndStatus

_EXPERIMENT = "cnn-tui"
_RUN = "cnn_tui.run"
_STATUS = "cnn_tui.status"
_ENDS: dict[EndStatus | None, str] = {
    "finished": "FINISHED",
    "failed": "FAILED",
    "diverged": "FAILED",
    "stopped": "KILLED",
    None: "KILLED",
}
# What MLflow takes at once.
_METRICS, _PARAMS = 1000, 100
_SQLITE = "sqlite:///"


class MlflowTracker:
    """Logs to the run of MLflow that has the run's id as its tag ``cnn_tui.run``.

    MLflow takes no point back. So of a curve it gets the points after its last one: what a
    resumed run repeats has the same values again, and is not doubled.
    """

    def __init__(self, uri: str) -> None:
        for name in ("mlflow", "alembic"):  # they tell on stderr that they make tables
            logging.getLogger(name).setLevel(logging.WARNING)
        self._uri = uri
        self._client = MlflowClient(tracking_uri=uri)
        self._steps: dict[str, int] = {}

    def begin(self, run: Tracked) -> None:
        """Find or make the run; its settings are parameters, its config.toml an artifact."""
        tags = {_RUN: quote(run.run_id), "tags": ", ".join(run.tags), _STATUS: "running"}
        if run.notes:
            tags["mlflow.note.content"] = run.notes
        tags |= {f"cnn_tui.{name}": value for name, value in run.facts.items()}
        experiment = self._experiment()
        found = self._client.search_runs(
            [experiment], f"tags.`{_RUN}` = '{quote(run.run_id)}'", max_results=1
        )
        if found:
            self._id = found[0].info.run_id
            self._steps = {name: self._last_step(name) for name in found[0].data.metrics}
            self._client.update_run(self._id, status="RUNNING")
        else:
            made = self._client.create_run(
                experiment, start_time=_milliseconds(run.created), run_name=run.run_id
            )
            self._id = made.info.run_id
            params = [Param(key, _text(value)) for key, value in run.settings.items()]
            for start in range(0, len(params), _PARAMS):
                self._client.log_batch(self._id, params=params[start : start + _PARAMS])
            self._client.log_text(self._id, run.config, "config.toml")
        self._client.log_batch(self._id, tags=[RunTag(*tag) for tag in tags.items()])

    def log(self, points: Sequence[Point]) -> None:
        """Log the points after those that are there."""
        new = []
        for point in points:
            if point.step > self._steps.get(point.name, -1):
                self._steps[point.name] = point.step
                new.append(Metric(point.name, point.value, _milliseconds(point.time), point.step))
        for start in range(0, len(new), _METRICS):
            self._client.log_batch(self._id, metrics=new[start : start + _METRICS])

    def close(self, status: EndStatus | None, time: float) -> None:
        """Set how the run ended: FINISHED, FAILED, or KILLED where it was stopped."""
        self._client.set_tag(self._id, _STATUS, status or "interrupted")
        self._client.set_terminated(self._id, _ENDS[status], _milliseconds(time))

    def _experiment(self) -> str:
        """Return the id of the experiment that MLFLOW_EXPERIMENT_NAME names, or of our own."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        # Without a server, artifacts would go below whatever folder we were started in.
        place = None
        if self._uri.startswith(_SQLITE):
            store = Path(self._uri.removeprefix(_SQLITE)).absolute()
            place = store.with_name(f"{store.stem}-artifacts").as_uri()
        return str(self._client.create_experiment(name, artifact_location=place))

    def _last_step(self, name: str) -> int:
        return max(metric.step for metric in self._client.get_metric_history(self._id, name))


def _milliseconds(time: float) -> int:
    return round(time * 1000)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
