"""The runs of a folder by what was trained: whoever made them, they serve a study."""

import hashlib
from pathlib import Path

import tomli

from cnn_core.config import Experiment
from cnn_core.files import to_json
from cnn_core.preset_files import to_toml
from cnn_core.runs.dotted import Document, flatten
from cnn_core.runs.index import Row, run_rows

ENDED = ("finished", "diverged")
_ALIVE = ("running", "paused")
# None of them changes what comes out of a training.
_LABELS = ("name", "notes", "tags", "tracking")


class Runs:
    """The runs that are there now, by their settings."""

    def __init__(self, runs_dir: Path) -> None:
        """Read the rows once; raises UserError if the folder can't be read."""
        self._rows: dict[str, list[Row]] = {}
        for row in run_rows(runs_dir):
            self._rows.setdefault(_key(row["config"]), []).append(row)

    def of(self, experiment: Experiment) -> Row | None:
        """Return the run that got furthest with an experiment, one that ended before all others."""
        rows = self._rows.get(_key_of(experiment), [])
        return max(
            rows,
            key=lambda row: (row["status"] in ENDED, row["status"] in _ALIVE, row["epoch"]),
            default=None,
        )

    def has_ended(self, experiment: Experiment) -> bool:
        """Return whether a run of the experiment has come to its end."""
        row = self.of(experiment)
        return row is not None and row["status"] in ENDED


def fingerprint(experiment: Experiment) -> str:
    """Return what two experiments share where the same is trained, and else do not."""
    return hashlib.blake2b(_key_of(experiment).encode(), digest_size=8).hexdigest()


def _key_of(experiment: Experiment) -> str:
    return _key(tomli.loads(to_toml(experiment)))


def _key(config: Document) -> str:
    settings = {key: value for key, value in config.items() if key not in _LABELS}
    return to_json(sorted(flatten(settings).items()))
