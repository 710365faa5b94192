"""Parts of the inspect page's questions: what they give, and what is done in the thread."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnn_core.config import Experiment
from cnn_core.datasets.index import Images, Index
from cnn_core.datasets.split import Split
from cnn_core.errors import UserError, printable
from cnn_core.progress import Work
from cnn_core.runs.reader import ALIVE, read_summary
from cnn_tui.preview_parts import shrunk_image

if TYPE_CHECKING:
    from cnn_core.inspect.evaluation import PartImages
    from cnn_core.inspect.scores import Scores
    from cnn_core.inspect.trained import Trained
    from cnn_core.training.predictions import Predictions

Part = Literal["train", "val", "test"]
Checkpoint = Literal["best", "last"]
Pair = tuple[int, int]
"""True and predicted class."""

Order = Literal["mistakes", "uncertain"]
"""The surest of the mistakes first, or of all images those between two classes."""

PARTS: tuple[Part, ...] = ("test", "val")
SAMPLED: tuple[Part, ...] = ("train", "val", "test")
CHECKPOINTS: tuple[Checkpoint, ...] = ("best", "last")
# Half blocks show fewer pixels, and drawing happens on the event loop.
_SHOWN_SIDE = 128

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Predictions of N images and their figures; ``predicted`` (N,) are classes.

    ``probabilities_NC`` are float64. ``epoch`` is that of the checkpoint, None where the run
    does not tell; ``live``: the run is being trained, so that this may change.
    """

    predictions: "Predictions"
    scores: "Scores"
    probabilities_NC: NDArray[np.float64]
    predicted: NDArray[np.int64]
    epoch: int | None
    live: bool

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability (N,) of the predicted class."""
        found: NDArray[np.float64] = self.probabilities_NC.max(1)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LayerPictures:
    """Filters or feature maps of a layer, one of ``layers``.

    ``shape`` is that of the filters, (O, I, height, width), or of the maps, (C, height, width).
    """

    layer: str
    layers: tuple[str, ...]
    shape: tuple[int, ...]
    pictures: list[Images]


def at_once(make: Callable[[], T]) -> Work[T]:
    """Return work that says nothing of its progress."""
    yield from ()
    return make()


def check_checkpoint(run_dir: Path, checkpoint: Checkpoint) -> None:
    """Raise UserError, with what to do, where the run has no such checkpoint."""
    folder = run_dir / "checkpoints"
    if (folder / f"{checkpoint}.pt").exists():
        return
    status = read_summary(run_dir)["status"]
    others = [name for name in CHECKPOINTS if (folder / f"{name}.pt").exists()]
    if others:
        help_ = f"there is {others[0]}: c shows it"
    elif status in (*ALIVE, "queued"):
        help_ = "there is one after its first epoch"
    else:
        help_ = "its network is lost"
    raise UserError(f"this run ({status}) has no {checkpoint} checkpoint; {help_}")


def ordered(judged: Judged, kind: Order, pair: Pair | None) -> list[int]:
    from cnn_core.inspect.scores import least_certain, most_confident_mistakes

    count = len(judged.predicted)
    if pair is not None:
        of = (judged.predictions.labels == pair[0]) & (judged.predicted == pair[1])
        found = np.flatnonzero(of)
        surest: list[int] = found[np.argsort(-judged.confidence[found], kind="stable")].tolist()
        return surest
    order = most_confident_mistakes if kind == "mistakes" else least_certain
    return order(judged.predictions, count)


def one_of(images: "PartImages", name: str | None) -> tuple[str, Images]:
    name = images.names[0] if name is None else name
    image_HWC = images.find(name)
    if image_HWC is None:
        raise UserError(f"{printable(name)}: this image is no longer in the data set")
    return name, np.array(image_HWC)


def divided(run_dir: Path, data_dir: Path, cache_dir: Path) -> tuple[Experiment, Index, Split]:
    """Return a run's settings, the files of its data set and their split; decodes nothing."""
    from cnn_core.datasets.catalog import open_index
    from cnn_core.datasets.split import divide
    from cnn_core.preset_files import load_experiment

    experiment = load_experiment(run_dir / "config.toml")
    index = open_index(experiment.data, data_dir)
    return experiment, index, divide(index, experiment.data, cache_dir)


def maps_of(trained: "Trained", image_HWC: Images, layer: str | None) -> LayerPictures:
    from cnn_core.inspect.layers import convolutions
    from cnn_core.inspect.maps import feature_maps, map_pictures

    layers = convolutions(trained.network.module)
    if not layers:
        raise UserError("this network has no convolution, so there are no feature maps")
    layer = layers[0] if layer is None else layer
    maps_CHW = feature_maps(trained, image_HWC, [layer])[layer]
    return LayerPictures(layer, layers, maps_CHW.shape, map_pictures(maps_CHW))


def shown(image_HWC: Images | None) -> Images | None:
    """Return the image no larger than it is ever shown: drawing happens on the event loop."""
    return None if image_HWC is None else shrunk_image(image_HWC, _SHOWN_SIDE)
