"""Trainings that a study's results.json tells of: made on another machine, or of runs now gone."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from cnn_core.errors import UserError, first_line, printable
from cnn_core.regular_files import read_regular
from cnn_core.runs.dotted import Document
from cnn_core.studies.matching import ENDED

RESULTS = "results.json"


class _Training(BaseModel):
    """A training that has ended, as ``results.collect`` tells of it."""

    id: str
    seed: int
    settings: str
    status: str
    epoch: int
    epochs: int | None
    device: str | None
    total_s: float
    figures: dict[str, int | float | None]
    history: list[dict[str, int | float | None]]


@dataclass(frozen=True, slots=True)
class Earlier:
    """Trainings that have ended by their fingerprints, and why arms, by name, had none."""

    trainings: dict[str, Document] = field(default_factory=dict)
    why_not: dict[str, str] = field(default_factory=dict)


def read_earlier(folder: Path) -> Earlier:
    """Return what a folder's results tell, nothing where there are none.

    Raises UserError for a file that is something else: it would be written over.
    """
    path = folder / RESULTS
    try:
        rows = json.loads(read_regular(path))["rows"]
        arms = [(f"{row['id']} {arm['label']}".strip(), arm) for row in rows for arm in row["arms"]]
        runs = [run for _, arm in arms for run in arm["runs"] if run["status"] in ENDED]
        trainings = [_Training.model_validate(run) for run in runs]
        why_not = {name: str(arm["why_not"]) for name, arm in arms if arm["why_not"]}
    except FileNotFoundError:
        return Earlier()
    except OSError as error:
        raise UserError(f"{printable(path)}: can't be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, RecursionError, ValidationError) as error:
        raise UserError(
            f"{printable(path)}: not what reproduce writes ({first_line(error)}); move it away, "
            "or choose another folder: --out"
        ) from error
    return Earlier({training.settings: training.model_dump() for training in trainings}, why_not)
