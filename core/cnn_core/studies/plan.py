"""What a study trains: a job for each arm and seed."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_core.config import LONGEST_NAME, Experiment
from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.preset_files import file_beside, find_preset, read_table
from cnn_core.search.sweep_config import name_of
from cnn_core.search.sweep_files import experiment_of, find_sweep_file, load_sweep
from cnn_core.studies.study_config import Arm, Layers, Row, Settings, Study


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """An arm with what it comes to; ``experiments`` has one for each seed, none for layers.

    ``changed`` holds what was set for a machine that can't do all.
    """

    row: Row
    label: str
    preset: str
    reported: dict[str, float]
    changed: Settings
    experiments: tuple[Experiment, ...] = ()
    layers: Layers | None = None

    @property
    def name(self) -> str:
        """Row and label, as people call it."""
        return f"{self.row.id} {self.label}".strip()


@dataclass(frozen=True, slots=True)
class Job:
    """One training of an arm, the ``seed``-th (from 0)."""

    arm: PlannedArm
    seed: int

    @property
    def experiment(self) -> Experiment:
        """What is trained."""
        return self.arm.experiments[self.seed]


def check_rows(study: Study, names: Sequence[str]) -> None:
    """Raise UserError where the study has no row of such a name."""
    rows = [row.id for row in study.rows]
    for name in names:
        if name not in rows:
            raise UserError(
                f"study {study.name}: no row '{printable(name)}'{did_you_mean(name, rows)}"
            )


def plan(
    study: Study,
    folder: Path,
    *,
    reduced: bool = False,
    seeds: int | None = None,
    settings: Settings | None = None,
) -> list[PlannedArm]:
    """Return the arms of a study whose file lies in ``folder``.

    With ``reduced`` they are changed as the file says for small machines, and then all by
    ``settings``. Raises UserError where a preset, a sweep or their values are wrong, naming the
    row.
    """
    count = seeds or study.seeds
    return [
        planned
        for row in study.rows
        for arm in row.arms
        for planned in _planned(study, row, arm, folder, reduced, count, settings or {})
    ]


def jobs_of(arms: Sequence[PlannedArm], only: Sequence[str] = ()) -> list[Job]:
    """Return all trainings, each arm's first one before any second: a table is complete early.

    ``only`` names the rows that are to be trained, all if none.
    """
    arms = [arm for arm in arms if not only or arm.row.id in only]
    most = max((len(arm.experiments) for arm in arms), default=0)
    return [Job(arm, seed) for seed in range(most) for arm in arms if seed < len(arm.experiments)]


def _planned(
    study: Study,
    row: Row,
    arm: Arm,
    folder: Path,
    reduced: bool,
    seeds: int,
    settings: Settings,
) -> Iterator[PlannedArm]:
    if arm.layers is not None:
        label = arm.label or arm.layers.backbone
        yield PlannedArm(row, label, "", arm.reported, {}, layers=arm.layers)
        return
    smaller = study.reduced | row.reduced | arm.reduced if reduced else {}
    changed = smaller | settings
    try:
        for label, preset, base, point in points(arm, folder):
            first = experiment_of(
                base,
                point | arm.set | changed,
                name=_name(row.id, label, 0),
                tags=[study.name, row.id],
            )
            experiments = tuple(
                first.model_copy(
                    update={
                        "seed": (first.seed + seed) % 2**32,
                        "name": _name(row.id, label, seed),
                    }
                )
                for seed in range(seeds)
            )
            yield PlannedArm(row, label, preset, arm.reported, changed, experiments)
    except UserError as error:
        raise UserError(f"study {study.name}, row {row.id}: {error}") from error


def points(arm: Arm, folder: Path) -> Iterator[tuple[str, str, dict[str, Any], Settings]]:
    """Yield label, preset, its table, and what a grid sets there; none for layers.

    Raises UserError where preset or sweep can't be read.
    """
    if arm.layers is not None:
        return
    if arm.preset is not None:
        path = file_beside(folder, arm.preset) or find_preset(arm.preset)
        yield arm.label, path.stem, read_table(path), {}
        return
    assert arm.sweep is not None
    sweep, base = load_sweep(file_beside(folder, arm.sweep) or find_sweep_file(arm.sweep))
    grids = {key: parameter.grid() for key, parameter in sweep.parameters.items()}
    if sweep.search.sampler != "grid":
        raise UserError(f"sweep {sweep.name} has no grid: its points are drawn as it goes")
    for values in itertools.product(*(grid or () for grid in grids.values())):
        parts = [
            _point_name(key, value, sweep.parameters[key].values, sweep.parameters[key].names())
            for key, value in zip(grids, values, strict=True)
        ]
        point = sweep.set | dict(zip(grids, values, strict=True))
        yield " ".join([arm.label, *parts]).strip(), sweep.preset, base, point


def _point_name(key: str, value: Any, values: list[Any] | None, names: list[str]) -> str:
    name = names[values.index(value)] if values else name_of(value)
    return f"{key.rpartition('.')[2]} {name}"


def _name(row: str, label: str, seed: int) -> str:
    """Return the name of a run; the first seed's has no number."""
    end = f"-seed{seed + 1}" if seed else ""
    middle = f"-{label.replace(' ', '-')}" if label else ""
    return f"{row}{middle}"[: LONGEST_NAME - len(end)] + end
