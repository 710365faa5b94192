"""What the page that looks into a run asks of it.

Nothing here imports torch before it is asked, and then in the asker's thread.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cnn_core.datasets.index import Images, Positions
from cnn_core.errors import UserError
from cnn_core.progress import Work
from cnn_core.runs.reader import ALIVE, read_summary
from cnn_tui.asking import Asker
from cnn_tui.inspection_parts import (
    Checkpoint,
    Judged,
    LayerPictures,
    Order,
    Pair,
    Part,
    at_once,
    check_checkpoint,
    divided,
    maps_of,
    one_of,
    ordered,
    shown,
)
from cnn_tui.preview_parts import DRAWS, SAMPLES, shrunk
from cnn_tui.workplace import Workplace

if TYPE_CHECKING:
    from cnn_core.inspect.evaluation import PartImages
    from cnn_core.inspect.trained import Trained
    from cnn_core.training.samples import Sample


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
            lambda: at_once(lambda: [shown(images.find(name)) for name in names]),
        )

    async def chosen(self) -> tuple[str, Images]:
        """Return name and pixels (S,S,3) of the image that was chosen, else of the first one."""
        images, name = await self._images(self.part), self.image
        return await self._asker.ask(
            ("chosen", self.part, name), lambda: at_once(lambda: one_of(images, name))
        )

    async def samples(self, part: Part, drawing: int) -> "list[Sample]":
        """Return images of a part, and how they would be augmented in training."""
        place = self._place
        experiment, index, split = await self._asker.ask(
            ("index",),
            lambda: at_once(lambda: divided(self.run_dir, place.data_dir, place.cache_dir)),
        )

        def make() -> "list[Sample]":
            from cnn_core.training.samples import samples, some_pictures

            positions: Positions = getattr(split, part)
            if not len(positions):
                raise UserError(f"the data set of this run has no {part} images")
            pictures = some_pictures(index, positions, experiment.data, SAMPLES, drawing)
            made = samples(pictures, experiment.augment, index.classes, DRAWS, drawing)
            return [shrunk(sample) for sample in made]

        return await self._asker.ask(("samples", part, drawing), lambda: at_once(make))

    async def order(self, kind: Order, pair: Pair | None) -> list[int]:
        """Return which images to look at, the first one first; ``pair``: all of such a cell."""
        judged = await self.judged()
        return await self._asker.ask(
            ("order", self.part, self.checkpoint, kind, pair),
            lambda: at_once(lambda: ordered(judged, kind, pair)),
        )

    async def filters(self, layer: str | None, *, before: bool) -> LayerPictures:
        """Return the filters of a convolution, the first one's for None."""
        checkpoint: Literal["initial", "best", "last"] = "initial" if before else self.checkpoint

        def read() -> LayerPictures:
            from cnn_core.inspect.filters import filter_pictures, filters_of

            if not before:
                check_checkpoint(self.run_dir, self.checkpoint)
            found = filters_of(self.run_dir, checkpoint, layer)
            shape, pictures = found.weights_OIHW.shape, filter_pictures(found.weights_OIHW)
            return LayerPictures(found.layer, found.layers, shape, pictures)

        return await self._asker.ask(("filters", checkpoint, layer), lambda: at_once(read))

    async def maps(self, layer: str | None) -> LayerPictures:
        """Return the feature maps of the chosen image in a layer, the first one for None."""
        (name, image_HWC), trained = await self.chosen(), await self._trained()
        return await self._asker.ask(
            ("maps", self.part, self.checkpoint, name, layer),
            lambda: at_once(lambda: maps_of(trained, image_HWC, layer)),
        )

    async def attention(self, label: int) -> Images:
        """Return the chosen image, overlaid with where it speaks for a class."""
        (name, image_HWC), trained = await self.chosen(), await self._trained()

        def look() -> Images:
            from cnn_core.inspect.attention import grad_cam, overlaid

            return overlaid(image_HWC, grad_cam(trained, image_HWC, label))

        return await self._asker.ask(
            ("attention", self.part, self.checkpoint, name, label), lambda: at_once(look)
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

            check_checkpoint(self.run_dir, checkpoint)
            return load_trained(self.run_dir, checkpoint, device=self._place.device)

        return await self._asker.ask(("trained", checkpoint), lambda: at_once(load))

    def _judged(self, part: Part, checkpoint: Checkpoint) -> Work[Judged]:
        from cnn_core.inspect.evaluation import evaluated
        from cnn_core.inspect.scores import probabilities, score
        from cnn_core.training.predictions import predictions_path

        if not predictions_path(self.run_dir, part, checkpoint).exists():
            check_checkpoint(self.run_dir, checkpoint)
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
