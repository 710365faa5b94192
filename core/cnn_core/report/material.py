"""All that a report says of a run, or why it can't: gathered from its folder and its data."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from cnn_core.backbones.network import build_network
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import open_index
from cnn_core.datasets.index import Images
from cnn_core.datasets.split import SplitRow, divide, split_table
from cnn_core.errors import CnnTuiError, UserError, first_line, printable
from cnn_core.freezing import apply_freezing
from cnn_core.inspect.evaluation import evaluated, part_images
from cnn_core.inspect.filters import Filters, filters_of
from cnn_core.inspect.scores import (
    Scores,
    least_certain,
    most_confident_mistakes,
    score,
)
from cnn_core.inspect.verdicts import Verdict, verdicts
from cnn_core.preset_files import load_experiment
from cnn_core.progress import Remark, Work
from cnn_core.regular_files import read_regular
from cnn_core.runs.reader import ALIVE, CONFIG, ENVIRONMENT, read_events, read_summary
from cnn_core.runs.series import RunSeries
from cnn_core.summary import Summary, summarize
from cnn_core.training.predictions import predictions_path

Part = Literal["val", "test"]
Found = TypeVar("Found")

_PICTURES = 12
_NOT_YET = ("queued", *ALIVE)


@dataclass(frozen=True, slots=True)
class Absent:
    """Something that can't be had, and why."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An image: what is said of it, and its pixels (S,S,3) where they were found."""

    verdict: Verdict
    picture_HWC: Images | None


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a run's best weights say of a part of its images.

    ``no_pictures`` says why images lack theirs; ``remarks`` are warnings of whoever looked.
    """

    classes: tuple[str, ...]
    scores: Scores
    mistakes: list[Seen]
    uncertain: list[Seen]
    no_pictures: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A run: what its folder tells, and what was found out."""

    run_dir: Path
    summary: dict[str, Any]
    series: RunSeries
    environment: dict[str, Any]
    config_toml: str
    layers: Summary | Absent
    split: list[SplitRow] | Absent
    filters_before: Filters | Absent
    filters_after: Filters | Absent
    judged: Judged | Absent


def gather(
    run_dir: Path, part: Part, *, data_dir: Path, cache_dir: Path, device: str
) -> Work[Material]:
    """Return all there is to say of a run; UserError only where the folder is no run's."""
    summary = read_summary(run_dir)
    series = RunSeries()
    for time, event in read_events(run_dir):
        series.fold(time, event)
    experiment = _had(lambda: load_experiment(run_dir / CONFIG))
    judged = yield from _judged(
        run_dir, summary["status"], part, data_dir=data_dir, cache_dir=cache_dir, device=device
    )
    return Material(
        run_dir=run_dir,
        summary=summary,
        series=series,
        environment=_environment(run_dir),
        config_toml=read_regular(run_dir / CONFIG).decode(errors="replace"),
        layers=_of(experiment, lambda known: _layers(known, summary["split"]["classes"])),
        split=_of(experiment, lambda known: _split(known, data_dir)),
        filters_before=_had(lambda: filters_of(run_dir, "initial")),
        filters_after=_had(lambda: filters_of(run_dir, "best")),
        judged=judged,
    )


def _had(get: Callable[[], Found]) -> Found | Absent:
    """Return what is asked for, or the sentence that says why not."""
    try:
        return get()
    except (CnnTuiError, OSError) as error:
        return _absent(error)


def _absent(error: Exception) -> Absent:
    if isinstance(error, CnnTuiError):
        return Absent("; ".join(line.strip() for line in str(error).splitlines()))
    return Absent(first_line(error))


def _of(experiment: Experiment | Absent, get: Callable[[Experiment], Found]) -> Found | Absent:
    return experiment if isinstance(experiment, Absent) else _had(lambda: get(experiment))


def _environment(run_dir: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(run_dir / ENVIRONMENT))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _layers(experiment: Experiment, classes: int | None) -> Summary:
    if classes is None:
        raise UserError("the run has not started: its number of classes is not known yet")
    size = experiment.data.image_size
    assert size is not None
    network = build_network(
        experiment.model.model_copy(update={"weights": "none"}),
        classes=classes,
        image_size=size,
        device="meta",
    )
    apply_freezing(network, experiment.freeze.policy)
    return summarize(network, image_size=size)


def _split(experiment: Experiment, data_dir: Path) -> list[SplitRow]:
    index = open_index(experiment.data, data_dir)
    return split_table(index, divide(index, experiment.data))


def _judged(
    run_dir: Path, status: str, part: Part, *, data_dir: Path, cache_dir: Path, device: str
) -> Work[Judged | Absent]:
    # Looking at the test while the run may still be changed would spoil it.
    kept = predictions_path(run_dir, part, "best").exists()
    if part == "test" and status in _NOT_YET and not kept:
        return Absent(f"the run is {status} and tested at its end; --split val judges it now.")
    told: list[str] = []
    try:
        predictions = yield from _heard(
            evaluated(run_dir, part, data_dir=data_dir, cache_dir=cache_dir, device=device), told
        )
        scores = score(predictions)
    except (CnnTuiError, OSError) as error:
        return _absent(error)
    mistakes = most_confident_mistakes(predictions, _PICTURES)
    uncertain = least_certain(predictions, _PICTURES)
    names = {predictions.names[row] for row in (*mistakes, *uncertain)}
    found: dict[str, Images] = {}
    no_pictures = "not all of these images are in the data set any more"
    try:
        found = yield from _heard(
            _pictures(run_dir, part, names, data_dir=data_dir, cache_dir=cache_dir), told
        )
    except (CnnTuiError, OSError) as error:
        no_pictures = _absent(error).reason

    def seen(rows: list[int]) -> list[Seen]:
        return [Seen(one, found.get(one.image)) for one in verdicts(predictions, rows)]

    return Judged(
        classes=predictions.classes,
        scores=scores,
        mistakes=seen(mistakes),
        uncertain=seen(uncertain),
        no_pictures=no_pictures,
        remarks=tuple(told),
    )


def _pictures(
    run_dir: Path, part: Part, names: set[str], *, data_dir: Path, cache_dir: Path
) -> Work[dict[str, Images]]:
    images = yield from part_images(run_dir, part, data_dir=data_dir, cache_dir=cache_dir)
    fingerprint = _environment(run_dir).get("dataset_fingerprint")
    if fingerprint not in (None, images.data.fingerprint):
        yield Remark(
            f"run {printable(run_dir.name)}: the data set changed since, so may its pictures have",
            warning=True,
        )
    data = images.data
    return {
        data.names[at]: data.images_NHWC[at] for at in images.positions if data.names[at] in names
    }


def _heard(work: Work[Found], told: list[str]) -> Work[Found]:
    """Pass on what the work yields, and keep its warnings."""
    while True:
        try:
            item = next(work)
        except StopIteration as end:
            found: Found = end.value
            return found
        if isinstance(item, Remark) and item.warning and item.text not in told:
            told.append(item.text)
        yield item
