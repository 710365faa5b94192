"""The sweep that a file describes: one frozen model for each of its sections.

The docstring under a field is its help text, as in ``cnn_core.config``.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from cnn_core.config import Count, Section
from cnn_core.errors import did_you_mean

METRICS = (
    *("best.val_acc", "best.val_loss"),
    *("last.val_acc", "last.val_loss", "last.train_acc", "last.train_loss"),
    *("test.acc", "test.top5", "test.loss"),
    *("test_last.acc", "test_last.top5", "test_last.loss"),
)
_LARGEST_GRID = 100_000


class Search(Section):
    """How values are chosen, and what tells which are better."""

    sampler: Literal["grid", "random", "tpe"] = "random"
    """All combinations in order, independent draws, or draws near what was good (TPE)."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the draws: trial N of a random sweep has the same values whoever trains it."""
    metric: str = "best.val_acc"
    """Figure of a run's summary that is compared, such as best.val_acc or test.loss."""
    direction: Literal["maximize", "minimize"] | None = None
    """Which way is better; default: minimize a loss, maximize an accuracy."""
    pruner: Literal["none", "median", "hyperband"] = "none"
    """End trials early: below the median of earlier ones at an epoch, or by Hyperband."""
    keep: Count | None = None
    """Keep the checkpoints of this many best trials only; figures stay. Default: of all."""
    storage: str | None = None
    """Where Optuna keeps the study: a URL or a journal file; default: one in the sweep's folder."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check the metric, and that pruning can look at it."""
        if self.metric not in METRICS:
            meant = [name for name in METRICS if name.endswith(f".{self.metric}")]
            near = did_you_mean(self.metric, meant[:1] or METRICS)
            return [("metric", f"no figure of a run: {self.metric!r}{near}")]
        if self.pruner != "none" and self.metric.startswith("test"):
            return [("pruner", "looks at each epoch: metric must be one of best.… or last.…")]
        return []

    @property
    def figure(self) -> str:
        """The name of the metric without its place: val_acc, acc."""
        return self.metric.split(".")[1]

    @property
    def maximizes(self) -> bool:
        """Whether more is better."""
        if self.direction is not None:
            return self.direction == "maximize"
        return not self.figure.endswith("loss")


class Parameter(Section):
    """The values that one key of the preset may take: a list, or a range."""

    values: Annotated[list[Any], Field(min_length=1, max_length=1000)] | None = None
    """The values, of any type that the key takes."""
    labels: list[str] | None = None
    """Names of the values for tables and charts; default: the values themselves."""
    type: Literal["float", "int"] | None = None
    """The kind of numbers in a range."""
    low: float | None = None
    """The lowest value."""
    high: float | None = None
    """The highest value, included."""
    log: bool = False
    """Draw the logarithm evenly."""
    step: float | None = None
    """Only low, low + step, low + 2 step, …"""

    def impossible(self) -> list[tuple[str, str]]:
        """Check that it is one of a list and a range, and a possible one."""
        if self.values is not None:
            return self._list_mistakes(self.values)
        wrong = [
            (key, f'needed by a range: type = "{self.type or "float"}", low, high; or give values')
            for key in ("type", "low", "high")
            if getattr(self, key) is None
        ]
        if wrong:
            return wrong
        assert self.low is not None
        assert self.high is not None
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            return [("high", f"{self.high:g} is not above low = {self.low:g}")]
        if self.labels is not None:
            wrong.append(("labels", "name values; a range has none"))
        if self.log and self.low <= 0:
            wrong.append(("low", f"{self.low:g} has no logarithm"))
        if self.log and self.step is not None:
            wrong.append(("step", "does not go with log = true"))
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            wrong.append(("step", f"{self.step:g} is not above 0 and within the range"))
        if self.type == "int":
            wrong += [
                (key, f"{number:g} is not whole")
                for key in ("low", "high", "step")
                if (number := getattr(self, key)) is not None and number != int(number)
            ]
        return wrong

    def _list_mistakes(self, values: list[Any]) -> list[tuple[str, str]]:
        of_ranges = [
            key for key in ("type", "low", "high", "step") if getattr(self, key) is not None
        ]
        wrong = [(key, "is for a range; this is a list of values") for key in of_ranges]
        if self.labels is not None and len(self.labels) != len(values):
            wrong.append(("labels", f"{len(self.labels)} names for {len(values)} values"))
        elif len(set(self.names())) < len(values):
            wrong.append(("labels" if self.labels else "values", "one of them is there twice"))
        return wrong

    def names(self) -> list[str]:
        """Return what the values of a list are called."""
        return self.labels or [name_of(value) for value in self.values or []]

    def grid(self) -> list[Any] | None:
        """Return all values, None where they are too many to list."""
        if self.values is not None:
            return self.values
        assert self.low is not None
        assert self.high is not None
        step = self.step or (1 if self.type == "int" else None)
        if step is None:
            return None
        count = math.floor((self.high - self.low) / step * (1 + 1e-12)) + 1
        if count > _LARGEST_GRID:
            return None
        # As a person would write them: 0.1 + 2 * 0.1 is 0.3.
        return [self._number(round(self.low + place * step, 12)) for place in range(count)]

    def examples(self) -> list[Any]:
        """Return values that show whether all are possible: those of a list, ends of a range."""
        return self.values or [self._number(self.low or 0.0), self._number(self.high or 0.0)]

    def _number(self, value: float) -> int | float:
        return int(value) if self.type == "int" else float(value)


class Launch(Section):
    """Where the trials are trained."""

    launcher: Literal["local", "ray", "slurm"] = "local"
    """Processes of this machine, tasks of a Ray cluster, or jobs of SLURM."""
    workers: Count | None = None
    """Trials in training at once; default: one for each GPU, or for each two cores without."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the launcher, such as slurm_partition or address."""


class Sweep(Section):
    """A whole sweep file."""

    name: Annotated[
        str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    ]
    """Name of sweep, folder and study (letters, digits, ".", "_", "-"); else the file's own."""
    preset: str
    """Name of a shipped preset, or a preset file (from this file's folder)."""
    notes: str = ""
    """Free text: what the sweep is for."""
    trials: Count | None = None
    """Number of trials; default: all combinations of a grid."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Keys of the preset that are the same in all trials: "train.epochs" = 5."""
    search: Search = Search()
    """How values are chosen."""
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    """The keys that are searched: "optim.lr" = {type = "float", low = 1e-3, high = 0.1}."""
    launch: Launch = Launch()
    """Where the trials are trained."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check the parameters against the sampler, and that the sweep has an end."""
        wrong = [
            (f"set.{key}", "is searched, in [parameters], too")
            for key in self.set
            if key in self.parameters
        ]
        if self.search.sampler == "grid":
            wrong += [
                (f"parameters.{key}", "a grid needs values, a step, or not so many whole numbers")
                for key, parameter in self.parameters.items()
                if parameter.grid() is None
            ]
            if not wrong and self.combinations > _LARGEST_GRID:
                wrong.append(("parameters", f"{self.combinations:,} combinations are too many"))
        elif self.trials is None:
            wrong.append(("trials", f'needed by sampler = "{self.search.sampler}"'))
        return wrong

    @property
    def combinations(self) -> int:
        """The number of points of a grid."""
        return math.prod(len(parameter.grid() or ()) for parameter in self.parameters.values())

    @property
    def wanted(self) -> int:
        """The number of trials that the sweep shall have."""
        if self.search.sampler != "grid":
            return self.trials or 0
        return min(self.trials or self.combinations, self.combinations)


def name_of(value: Any) -> str:
    """Return a value of a parameter as text for tables: short, and told apart from others."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return " ".join(map(name_of, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {name_of(item)}" for key, item in value.items())
    return str(value)
