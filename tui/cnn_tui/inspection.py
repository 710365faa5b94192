"""What the page that looks into a run asks of it.

Nothing here imports torch before it is asked, and then in the asker's thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_core.datasets.index import Images
from cnn_core.errors import UserError, printable
from cnn_core.runs.reader import ALIVE, read_summary
from cnn_tui.asking import Asker, Work
from cnn_tui.preview_parts import SAMPLES, SamplePreview, augmented
from cnn_tui.workplace import Workplace

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


class Inspection:
    """A run, the part of its images and the checkpoint that are looked at; answers are kept."""

    def __init__(self, run_dir: Path, workplace: Workplace, asker: Asker) -> None:
        self.run_dir, self._place, self._asker = run_dir, workplace, asker
        self.part: Part = "test"
        self.checkpoint: Checkpoint = "best"
        self._known: dict[tuple[Part, Checkpoint], Judged] = {}
        self.image: str | None = None
        """Name of the image that was chosen, of ``part``."""

    @property
    def known(self) -> Judged | None:
        """The predictions of the part and the checkpoint, None before they were asked for."""
        return self._known.get((self.part, self.checkpoint))

    async def judged(self) -> Judged:
        """Return predictions and figures; CnnTuiError says why there are none."""
        part, checkpoint = self.part, self.checkpoint
        found = await self._asker.ask(
            ("judged", part, checkpoint), lambda: self._judged(part, checkpoint)
        )
        self._known[part, checkpoint] = found
        return found

    async def pictures(self, names: Sequence[str]) -> list[Images | None]:
        """Return images of the part by name, shrunk to what is ever shown; None: is gone."""
        part, images = self.part, await self._images(self.part)
        return await self._asker.ask(
            ("pictures", part, *names),
            lambda: _at_once(lambda: [_shrunk(images.find(name)) for name in names]),
        )

    async def chosen(self) -> tuple[str, Images]:
        """Return name and pixels (S,S,3) of the image that was chosen, else of the first one."""
        images, name = await self._images(self.part), self.image
        return await self._asker.ask(
            ("chosen", self.part, name), lambda: _at_once(lambda: _one_of(images, name))
        )

    async def samples(self, part: Part, drawing: int) -> list[SamplePreview]:
        """Return images of a part, and how they would be augmented in training."""
        images = await self._images(part)
        return await self._asker.ask(
            ("samples", part, drawing),
            lambda: _at_once(lambda: _samples(self.run_dir, images, drawing)),
        )

    async def order(self, kind: Order, pair: Pair | None) -> list[int]:
        """Return which images to look at, the first one first; ``pair``: all of such a cell."""
        judged = await self.judged()
        return await self._asker.ask(
            ("order", self.part, self.checkpoint, kind, pair),
            lambda: _at_once(lambda: _ordered(judged, kind, pair)),
        )

    async def filters(self, layer: str | None, *, before: bool) -> LayerPictures:
        """Return the filters of a convolution, the first one's for None."""
        checkpoint: Literal["initial", "best", "last"] = "initial" if before else self.checkpoint

        def read() -> LayerPictures:
            from cnn_core.inspect.filters import filter_pictures, filters_of

            if not before:
                _check_checkpoint(self.run_dir, self.checkpoint)
            found = filters_of(self.run_dir, checkpoint, layer)
            shape, pictures = found.weights_OIHW.shape, filter_pictures(found.weights_OIHW)
            return LayerPictures(found.layer, found.layers, shape, pictures)

        return await self._asker.ask(("filters", checkpoint, layer), lambda: _at_once(read))

    async def maps(self, layer: str | None) -> LayerPictures:
        """Return the feature maps of the chosen image in a layer, the first one for None."""
        (name, image_HWC), trained = await self.chosen(), await self._trained()
        return await self._asker.ask(
            ("maps", self.part, self.checkpoint, name, layer),
            lambda: _at_once(lambda: _maps(trained, image_HWC, layer)),
        )

    async def attention(self, label: int) -> Images:
        """Return the chosen image, overlaid with where it speaks for a class."""
        (name, image_HWC), trained = await self.chosen(), await self._trained()

        def look() -> Images:
            from cnn_core.inspect.attention import grad_cam, overlaid

            return overlaid(image_HWC, grad_cam(trained, image_HWC, label))

        return await self._asker.ask(
            ("attention", self.part, self.checkpoint, name, label), lambda: _at_once(look)
        )

    async def _images(self, part: Part) -> "PartImages":
        def read() -> Work["PartImages"]:
            from cnn_core.inspect.evaluation import part_images

            place = self._place
            return (
                yield from part_images(
                    self.run_dir, part, data_dir=place.data_dir, cache_dir=place.cache_dir
                )
            )

        return await self._asker.ask(("images", part), read)

    async def _trained(self) -> "Trained":
        checkpoint = self.checkpoint

        def load() -> "Trained":
            from cnn_core.inspect.trained import load_trained

            _check_checkpoint(self.run_dir, checkpoint)
            return load_trained(self.run_dir, checkpoint, device=self._place.device)

        return await self._asker.ask(("trained", checkpoint), lambda: _at_once(load))

    def _judged(self, part: Part, checkpoint: Checkpoint) -> Work[Judged]:
        from cnn_core.inspect.evaluation import evaluated
        from cnn_core.inspect.scores import probabilities, score
        from cnn_core.training.predictions import predictions_path

        if not predictions_path(self.run_dir, part, checkpoint).exists():
            _check_checkpoint(self.run_dir, checkpoint)
        predictions = yield from evaluated(
            self.run_dir,
            part,
            checkpoint,
            data_dir=self._place.data_dir,
            cache_dir=self._place.cache_dir,
            device=self._place.device,
        )
        summary = read_summary(self.run_dir)
        return Judged(
            predictions,
            score(predictions),
            probabilities(predictions.logits),
            predictions.logits.argmax(1),
            summary[checkpoint]["epoch"],
            summary["status"] in ALIVE,
        )


# --- in the asker's thread ---------------------------------------------------------------------


def _at_once(make: Callable[[], T]) -> Work[T]:
    """Return work that says nothing of its progress."""
    yield from ()
    return make()


def _check_checkpoint(run_dir: Path, checkpoint: Checkpoint) -> None:
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


def _ordered(judged: Judged, kind: Order, pair: Pair | None) -> list[int]:
    from cnn_core.inspect.scores import least_certain, most_confident_mistakes

    count = len(judged.predicted)
    if pair is not None:
        of = (judged.predictions.labels == pair[0]) & (judged.predicted == pair[1])
        found = np.flatnonzero(of)
        surest: list[int] = found[np.argsort(-judged.confidence[found], kind="stable")].tolist()
        return surest
    order = most_confident_mistakes if kind == "mistakes" else least_certain
    return order(judged.predictions, count)


def _one_of(images: "PartImages", name: str | None) -> tuple[str, Images]:
    name = images.names[0] if name is None else name
    image_HWC = images.find(name)
    if image_HWC is None:
        raise UserError(f"{printable(name)}: this image is no longer in the data set")
    return name, np.array(image_HWC)


def _samples(run_dir: Path, images: "PartImages", drawing: int) -> list[SamplePreview]:
    from cnn_core.augment.catalog import build_augmentation
    from cnn_core.preset_files import load_experiment

    augment, data = load_experiment(run_dir / "config.toml").augment, images.data
    order = np.random.default_rng(drawing).permutation(images.positions)[:SAMPLES]
    pictures = [(data.classes[data.labels[at]], data.images_NHWC[at]) for at in order]
    return augmented(pictures, build_augmentation(augment, len(pictures)), drawing)


def _maps(trained: "Trained", image_HWC: Images, layer: str | None) -> LayerPictures:
    from cnn_core.inspect.layers import convolutions
    from cnn_core.inspect.maps import feature_maps, map_pictures

    layers = convolutions(trained.network.module)
    if not layers:
        raise UserError("this network has no convolution, so there are no feature maps")
    layer = layers[0] if layer is None else layer
    maps_CHW = feature_maps(trained, image_HWC, [layer])[layer]
    return LayerPictures(layer, layers, maps_CHW.shape, map_pictures(maps_CHW))


def _shrunk(image_HWC: Images | None) -> Images | None:
    """Return the image no larger than it is ever shown: drawing happens on the event loop."""
    if image_HWC is None:
        return None
    if len(image_HWC) <= _SHOWN_SIDE:
        return np.array(image_HWC)
    small = Image.fromarray(image_HWC).resize((_SHOWN_SIDE, _SHOWN_SIDE), Image.Resampling.BOX)
    pixels_HWC: Images = np.asarray(small)
    return pixels_HWC
