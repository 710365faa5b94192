"""What a draft of a preset will train on: its split, network, schedule and images.

Slow parts look at files and import torch, so that all of it is to be called off the event loop,
by one thread at a time. Each part is kept until something that it depends on changes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cnn_core.config import Data, Freeze, Model, Optim, Section, Train
from cnn_core.datasets.build import Recipe
from cnn_core.datasets.catalog import count_classes, open_index, resolved_image_size
from cnn_core.datasets.decode import Corrupt
from cnn_core.datasets.index import Images, Index
from cnn_core.datasets.split import Split, SplitRow, divide, split_table
from cnn_core.errors import CnnTuiError, UserError
from cnn_core.training.schedule import lr_factor
from cnn_tui.device_stats import DeviceLoad, DeviceStats
from cnn_tui.form import Draft
from cnn_tui.workplace import Workplace

if TYPE_CHECKING:
    from cnn_core.backbones.structure import Network
    from cnn_core.summary import Summary

T = TypeVar("T")
S = TypeVar("S", bound=Section)

IMBALANCE = 3
"""Largest over smallest class from which a warning is due."""
SAMPLES = 4
DRAWS = 3
# More points than any chart has columns.
_CURVE_POINTS = 600
# Steps an epoch that stand in where they are not known.
_NOMINAL_STEPS = 100


@dataclass(frozen=True, slots=True)
class SplitPreview:
    """Images of each class and part; ``imbalance`` is a warning, or ""."""

    rows: list[SplitRow]
    train: int
    val: int
    test: int
    place: str
    imbalance: str


@dataclass(frozen=True, slots=True)
class StageView:
    """A stage of the network with its output for one image, (C,) or (C, H, W)."""

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    trainable: int


@dataclass(frozen=True, slots=True)
class NetworkPreview:
    """Stages, totals and memory; ``steps`` an epoch is None where it is not known."""

    stages: list[StageView]
    summary: "Summary"
    classes: int
    image_size: int
    batch_size: int | None
    """None: found at the start ("auto"), and the memory is that of one image."""
    images_a_step: int | None
    steps: int | None
    load: DeviceLoad
    """Of the device it would train on, when this was made."""


@dataclass(frozen=True, slots=True, eq=False)
class SchedulePreview:
    """The learning rate over epochs, from 0 on, and what happens in words."""

    epochs: NDArray[np.float64]
    lr: NDArray[np.float64]
    words: str
    marks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class SamplePreview:
    """A training image as it is stored, (S,S,3), and ``DRAWS`` of its augmented forms."""

    label: str
    before_HWC: Images
    after_NHWC: Images


class Previews:
    """Makes the previews of drafts; CnnTuiError says in a line why one can't be made."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._kept: dict[str, tuple[Any, Any]] = {}
        self._device: DeviceStats | None = None

    def split(self, draft: Draft) -> SplitPreview:
        """Divide the data set and count."""
        data = _right(draft.data, "data")
        return self._keep("split view", data, lambda: self._split_view(data))

    def network(self, draft: Draft) -> NetworkPreview:
        """Build the network without memory, on torch's meta device, and count."""
        data, model = _right(draft.data, "data"), _right(draft.model, "model")
        freeze = _right(draft.freeze, "freeze")
        known = self._counts(data)
        return self._keep(
            "network",
            (model, freeze, data, draft.train, known),
            lambda: self._network(data, model, freeze, draft.train, known),
        )

    def schedule(self, draft: Draft) -> SchedulePreview:
        """Follow the learning rate through the run."""
        optim, train = _right(draft.optim, "optim"), _right(draft.train, "train")
        known = None if draft.data is None else self._counts(draft.data)
        steps = _steps(train, known)
        return self._keep(
            "schedule",
            (optim, train, draft.freeze, steps),
            lambda: _curve(draft, optim, train, steps),
        )

    def samples(self, draft: Draft, drawing: int) -> list[SamplePreview]:
        """Decode a few training images and augment each; another ``drawing`` takes others."""
        data, augment = _right(draft.data, "data"), _right(draft.augment, "augment")

        def make() -> list[SamplePreview]:
            from cnn_core.augment.catalog import build_augmentation

            pictures = self._keep(
                "pictures", (data, drawing), lambda: self._decode_some(data, drawing)
            )
            return _augmented(pictures, build_augmentation(augment), drawing)

        return self._keep("samples", (data, augment, drawing), make)

    # --- parts ---------------------------------------------------------------------------------

    def _keep(self, what: str, key: Any, make: Callable[[], T]) -> T:
        """Return what was made for this key, or make it; failures are tried again."""
        if what not in self._kept or self._kept[what][0] != key:
            self._kept[what] = (key, make())
        return cast("T", self._kept[what][1])

    def _index(self, data: Data) -> Index:
        key = (data.dataset, data.root, data.classes)
        return self._keep("index", key, lambda: open_index(data, self._workplace.data_dir))

    def _split(self, data: Data) -> Split:
        return self._keep("split", data, lambda: divide(self._index(data), data))

    def _counts(self, data: Data) -> tuple[int, int] | None:
        """Return the numbers of classes and of training images, None without the data."""
        try:
            return len(self._index(data).classes), len(self._split(data).train)
        except CnnTuiError:
            return None

    def _split_view(self, data: Data) -> SplitPreview:
        index, split = self._index(data), self._split(data)
        rows = split_table(index, split)
        return SplitPreview(
            rows,
            train=len(split.train),
            val=len(split.val),
            test=len(split.test),
            place=str(index.root),
            imbalance=imbalance_warning(rows),
        )

    def _network(
        self,
        data: Data,
        model: Model,
        freeze: Freeze,
        train: Train | None,
        known: tuple[int, int] | None,
    ) -> NetworkPreview:
        from cnn_core.backbones.network import build_network
        from cnn_core.freezing import apply_freezing
        from cnn_core.summary import summarize

        classes = known[0] if known else count_classes(data, self._workplace.data_dir)
        size = resolved_image_size(data)
        network = build_network(
            model.model_copy(update={"weights": "none"}),
            classes=classes,
            image_size=size,
            device="meta",
        )
        apply_freezing(network, freeze.policy)
        batch = train.batch_size if train and train.batch_size != "auto" else None
        summary = summarize(network, image_size=size, batch_size=batch or 1)
        return NetworkPreview(
            stages=_stages(network, summary),
            summary=summary,
            classes=classes,
            image_size=size,
            batch_size=batch,
            images_a_step=batch * train.accumulate if train and batch else None,
            steps=_steps(train, known) if train else None,
            load=self._device_load(),
        )

    def _device_load(self) -> DeviceLoad:
        if self._device is None:
            from cnn_core.training.device import resolve_device

            self._device = DeviceStats(str(resolve_device(self._workplace.device)))
        return self._device.sample()

    def _decode_some(self, data: Data, drawing: int) -> list[tuple[str, Images]]:
        index, train = self._index(data), self._split(data).train
        size = resolved_image_size(data)
        recipe = Recipe(index, size, data.resize or size)
        rng = np.random.default_rng((data.split_seed, drawing))
        pictures: list[tuple[str, Images]] = []
        for position in rng.permutation(train)[: 4 * SAMPLES]:
            pixels_HWC = recipe.decode_at(int(position))
            if not isinstance(pixels_HWC, Corrupt):
                pictures.append((index.classes[index.labels[position]], pixels_HWC))
            if len(pictures) == SAMPLES:
                break
        if not pictures:
            raise UserError("no training image can be decoded; the runs' log will name them")
        return pictures


def imbalance_warning(rows: list[SplitRow]) -> str:
    """Return a warning where the largest class has many times the smallest's training images."""
    counts = [row.train for row in rows]
    largest, smallest = max(counts), min(counts)
    if largest <= IMBALANCE * smallest:
        return ""
    share = 100 * largest / sum(counts)
    return (
        f"accuracy misleads: {largest:,} training images in the largest class, {smallest:,} in "
        f"the smallest; a constant guess reaches {share:.1f} %"
    )


def _right(section: S | None, name: str) -> S:
    if section is None:
        raise UserError(f"waits until [{name}] has no mistakes")
    return section


def _steps(train: Train, known: tuple[int, int] | None) -> int | None:
    """Return the optimizer steps of an epoch, as the trainer counts them."""
    if known is None or train.batch_size == "auto":
        return None
    images = known[1]
    usable = images - images % train.batch_size if train.drop_last else images
    return math.ceil(usable / (train.batch_size * train.accumulate))


def _stages(network: "Network", summary: "Summary") -> list[StageView]:
    from cnn_core.backbones.structure import under

    modules = [*(stage.modules for stage in network.stages), network.head]
    views = []
    for row, prefixes in zip(summary.stages, modules, strict=True):
        shapes = [layer.output_shape[1:] for layer in summary.layers if under(layer.name, prefixes)]
        views.append(
            StageView(row.name, shapes[-1] if shapes else (), row.parameters, row.trainable)
        )
    return views


def _curve(draft: Draft, optim: Optim, train: Train, steps: int | None) -> SchedulePreview:
    an_epoch = steps or _NOMINAL_STEPS
    total = an_epoch * train.epochs
    at = np.unique(np.linspace(0, total - 1, min(total, _CURVE_POINTS)).round().astype(int))
    lr = np.array(
        [
            optim.lr
            * lr_factor(optim, step=int(step), steps_per_epoch=an_epoch, epochs=train.epochs)
            for step in at
        ]
    )
    words = f"{optim.schedule}: {lr[0]:.3g} at first, {lr.max():.3g} at most, {lr[-1]:.3g} at last"
    if optim.schedule == "plateau":
        words = (
            f"plateau: {optim.lr:g}, times {optim.gamma:g} after {optim.step_size} epochs without "
            "a better validation accuracy; when that is, only the training will show"
        )
    words += f"; {total:,} steps" if steps else "; the number of steps is not known yet"
    unfreeze = draft.freeze.unfreeze_at if draft.freeze else None
    marks = ((float(unfreeze - 1), "unfreeze"),) if unfreeze else ()
    return SchedulePreview(at / an_epoch, lr, words, marks)


def _augmented(
    pictures: list[tuple[str, Images]], augmentation: Callable[..., Any], drawing: int
) -> list[SamplePreview]:
    import torch

    generator = torch.Generator().manual_seed(drawing)
    before_NHWC = np.stack([pixels_HWC for _, pixels_HWC in pictures])
    batch_NCHW = torch.from_numpy(before_NHWC.repeat(DRAWS, axis=0)).permute(0, 3, 1, 2)
    after_NHWC = augmentation(batch_NCHW, generator).permute(0, 2, 3, 1).contiguous().numpy()
    return [
        SamplePreview(label, pixels_HWC, after_NHWC[DRAWS * i : DRAWS * (i + 1)])
        for i, (label, pixels_HWC) in enumerate(pictures)
    ]
