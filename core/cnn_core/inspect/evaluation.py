"""What a run's network says of all images of a part of its data set."""

import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Literal

from cnn_core.datasets.index import Images, Positions
from cnn_core.datasets.prepare import Prepared, prepare
from cnn_core.errors import UserError, printable
from cnn_core.files import stamp_of
from cnn_core.inspect.trained import Trained, load_trained
from cnn_core.preset_files import load_experiment
from cnn_core.progress import Progress, Remark
from cnn_core.runs.reader import read_summary
from cnn_core.training.checkpoint import checkpoint_path
from cnn_core.training.events import CheckpointName
from cnn_core.training.predictions import (
    Predictions,
    load_predictions,
    predictions_path,
    save_predictions,
)

Part = Literal["train", "val", "test"]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PartImages:
    """The images of a part of a run's data set, N squares of S pixels, in the order of names.

    ``data`` is the whole data set, ``positions`` (N,) are those of the part in it.
    """

    data: Prepared
    positions: Positions

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N images."""
        return tuple(self.data.names[position] for position in self.positions)

    def find(self, name: str) -> Images | None:
        """Return the pixels (S,S,3) of the image of this name, None where there is none."""
        return next(
            (self.data.images_NHWC[p] for p in self.positions if self.data.names[p] == name), None
        )


def part_images(
    run_dir: Path, part: Part, *, data_dir: Path, cache_dir: Path
) -> Generator[Progress | Remark, None, PartImages]:
    """Return the images of a part of a run's data set, decoded where they are not yet.

    Raises UserError where the data set can't be had, or has no images in that part.
    """
    experiment = load_experiment(run_dir / "config.toml")
    # Whole images are for random crops.
    settings = experiment.data.model_copy(update={"whole": False})
    data = yield from prepare(settings, data_dir, cache_dir)
    positions: Positions = getattr(data, part)
    if not len(positions):
        others = [name for name in ("train", "val", "test") if len(getattr(data, name))]
        raise UserError(
            f"run {printable(run_dir.name)}: its data set has no {part} images; "
            f"there are {', '.join(others)}"
        )
    return PartImages(data, positions)


def evaluated(
    run_dir: Path,
    part: Part,
    checkpoint: CheckpointName = "best",
    *,
    data_dir: Path,
    cache_dir: Path,
    device: str = "auto",
) -> Generator[Progress | Remark, None, Predictions]:
    """Return the predictions of a run's checkpoint on a part of its images.

    Those that the run keeps are read, others computed and kept. Raises UserError where neither
    is possible.
    """
    path = predictions_path(run_dir, part, checkpoint)
    stamp = stamp_of(checkpoint_path(run_dir, checkpoint))
    try:
        kept, of = load_predictions(path)
    except FileNotFoundError:
        pass
    else:
        # A finished run's own test is of its best weights, which stay; a copy of the run has
        # files of another time. What differs by the inode only was moved.
        own = (part, checkpoint) == ("test", "best")
        own &= read_summary(run_dir)["status"] == "finished"
        if own or stamp is None or of is None or of[:2] == stamp[:2]:
            return kept
    trained = load_trained(run_dir, checkpoint, device=device)
    images = yield from part_images(run_dir, part, data_dir=data_dir, cache_dir=cache_dir)
    return (yield from _computed(trained, images, path, stamp))


def _computed(
    trained: Trained, images: PartImages, path: Path, stamp: list[int] | None
) -> Generator[Progress | Remark, None, Predictions]:
    data = images.data
    if data.classes != trained.classes:
        raise UserError(
            f"run {printable(trained.run_dir.name)}: the classes of its data set changed since: "
            f"{len(trained.classes)} then, {len(data.classes)} now"
        )
    if data.fingerprint != trained.fingerprint:
        yield Remark("the data set changed since the run was trained on it", warning=True)
    logits = yield from trained.logits(data.images_NHWC, images.positions, "evaluating")
    predictions = Predictions(logits, data.labels[images.positions], images.names, trained.classes)
    try:
        save_predictions(path, predictions, stamp)
    except OSError as error:  # another's run, a full disk: the figures can be shown all the same
        yield Remark(f"{printable(path)}: not kept: {error.strerror}", warning=True)
    return predictions
