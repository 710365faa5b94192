"""The study that a file describes: the rows of a report, and what trains each of them.

The docstring under a field is its help text, as in ``cnn_core.config``.
"""

from typing import Annotated, Any

from pydantic import Field

from cnn_core.config import Count, Section
from cnn_core.errors import did_you_mean

TRAINED = (
    *("best.val_acc", "best.val_loss", "best.epoch"),
    *("last.val_acc", "last.val_loss", "last.train_acc", "last.train_loss"),
    *("test.acc", "test.top5", "test.loss"),
    *("test_last.acc", "test_last.top5", "test_last.loss"),
    *("params.total", "params.trainable"),
)
COUNTED = (
    *("total", "trainable", "frozen"),
    *("input_mb", "forward_backward_mb", "params_mb", "total_mb"),
)
Settings = dict[str, Any]


class Layers(Section):
    """A network whose layers are counted; nothing is trained."""

    backbone: str
    """Name of the backbone."""
    classes: Count
    """Outputs of its last layer."""
    image_size: Count
    """Side of the images in pixels."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the backbone."""


class Arm(Section):
    """One thing that a row compares: a preset, each point of a grid, or a network's layers."""

    label: str = ""
    """What tells it from the row's other arms, such as "batch 512"."""
    preset: str | None = None
    """Name of a shipped preset, or a preset file (from this file's folder)."""
    sweep: str | None = None
    """A sweep whose sampler is a grid: an arm for each of its points."""
    layers: Layers | None = None
    """A network whose layers are counted."""
    set: Settings = Field(default_factory=dict)
    """Keys of the preset that are different here: "train.batch_size" = 512."""
    reduced: Settings = Field(default_factory=dict)
    """Further keys for a machine that can't do all: "train.epochs" = 3."""
    reported: dict[str, float] = Field(default_factory=dict)
    """What the report states, by figure: "test.acc" = 0.30."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check that it is one of the three, and that its figures are known."""
        given = [key for key in ("preset", "sweep", "layers") if getattr(self, key) is not None]
        if len(given) != 1:
            return [(given[-1] if given else "preset", "expected one of preset, sweep and layers")]
        known = COUNTED if self.layers else TRAINED
        return [
            (f"reported.{figure}", f"no figure of it{did_you_mean(figure, known)}")
            for figure in self.reported
            if figure not in known
        ]


class Row(Section):
    """A row of the report."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$")]
    """Its name, such as "S1.4"."""
    what: str
    """What is done, in a few words."""
    claim: str = ""
    """What the report says of it in words."""
    command: str = ""
    """A command that shows it, or more of it; alone where there is nothing to train."""
    figures: list[str] = Field(default_factory=lambda: ["best.val_acc", "test.acc"])
    """Figures to tell besides those reported."""
    reduced: Settings = Field(default_factory=dict)
    """As in an arm, for all of this row's."""
    arms: list[Arm] = Field(default_factory=list)
    """What it compares."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check figures, and that there is something to do."""
        wrong = [
            ("figures", f"no figure of a run: {figure!r}{did_you_mean(figure, TRAINED)}")
            for figure in self.figures
            if figure not in TRAINED
        ]
        if not self.arms and not self.command:
            wrong.append(("arms", "expected arms to train, or a command that shows it"))
        return wrong


class Study(Section):
    """A whole study file."""

    name: Annotated[
        str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    ]
    """Name of the study, and of its folder; else the file's own."""
    title: str
    """What it is about, in a line."""
    seeds: Count = 1
    """Trainings of each arm: with the preset's own seed, and those that follow it."""
    reduced: Settings = Field(default_factory=dict)
    """As in an arm, for all of them."""
    rows: Annotated[list[Row], Field(min_length=1)]
    """The rows of the report."""

    def impossible(self) -> list[tuple[str, str]]:
        """Check that no two rows have one name."""
        ids = [row.id for row in self.rows]
        return [
            (f"rows[{place}].id", f"{name} is there twice")
            for place, name in enumerate(ids)
            if name in ids[:place]
        ]
