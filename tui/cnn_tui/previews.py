"""What a draft of a preset will train on: its split, network, schedule and images.

Slow parts look at files and import torch, so that all of it is to be called off the event loop,
by one thread at a time. Each part is kept until something that it depends on changes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cnn_core.config import Data, Freeze, Model, Optim, Section, Train
from cnn_core.datasets.catalog import count_classes, open_index, resolved_image_size
from cnn_core.datasets.index import Index
from cnn_core.datasets.split import Split, divide, split_table
from cnn_core.errors import CnnTuiError, UserError
from cnn_tui.device_stats import DeviceLoad, DeviceStats
from cnn_tui.form import Draft
from cnn_tui.preview_parts import (
    DRAWS,
    SAMPLES,
    NetworkPreview,
    SchedulePreview,
    SplitPreview,
    imbalance_warning,
    lr_curve,
    shrunk,
    steps_an_epoch,
)
from cnn_tui.workplace import Workplace

if TYPE_CHECKING:
    from cnn_core.training.samples import Sample

T = TypeVar("T")
S = TypeVar("S", bound=Section)


class Previews:
    """Makes the previews of drafts; CnnTuiError says in a line why one can't be made."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._kept: dict[str, tuple[Any, Any]] = {}
        self._device: DeviceStats | None = None
        self._optim = Optim()

    def split(self, draft: Draft) -> SplitPreview:
        """Divide the data set and count."""
        data = _right(draft.data, "data")
        return self._keep("split view", data, lambda: self._split_view(data))

    def network(self, draft: Draft) -> NetworkPreview:
        """Build the network without memory, on torch's meta device, and count."""
        data, model = _right(draft.data, "data"), _right(draft.model, "model")
        freeze = _right(draft.freeze, "freeze")
        # A mistake there hides nothing: the figures stay those of before.
        optim = self._optim = draft.optim or self._optim
        known = self._counts(data)
        return self._keep(
            "network",
            (model, freeze, data, optim.name, optim.momentum, draft.train, known),
            lambda: self._network(data, model, freeze, optim, draft.train, known),
        )

    def schedule(self, draft: Draft) -> SchedulePreview:
        """Follow the learning rate through the run."""
        optim, train = _right(draft.optim, "optim"), _right(draft.train, "train")
        known = None if draft.data is None else self._counts(draft.data)
        steps = steps_an_epoch(train, known)
        unfreeze_at = draft.freeze.unfreeze_at if draft.freeze else None
        return self._keep(
            "schedule",
            (optim, train, steps, unfreeze_at),
            lambda: lr_curve(optim, train, steps, unfreeze_at),
        )

    def samples(self, draft: Draft, drawing: int) -> "list[Sample]":
        """Decode a few training images and augment each; another ``drawing`` takes others."""
        data, augment = _right(draft.data, "data"), _right(draft.augment, "augment")

        def make() -> "list[Sample]":
            from cnn_core.training.samples import samples, some_pictures

            index, train = self._index(data), self._split(data).train
            pictures = self._keep(
                "pictures",
                (data, drawing),
                lambda: some_pictures(index, train, data, SAMPLES, drawing),
            )
            return [
                shrunk(sample)
                for sample in samples(pictures, augment, index.classes, DRAWS, drawing)
            ]

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
            place=index.root if index.root.exists() else None,
            imbalance=imbalance_warning(rows),
        )

    def _network(
        self,
        data: Data,
        model: Model,
        freeze: Freeze,
        optim: Optim,
        train: Train | None,
        known: tuple[int, int] | None,
    ) -> NetworkPreview:
        from cnn_core.backbones.catalog import normalization_warning
        from cnn_core.backbones.network import build_network
        from cnn_core.freezing import apply_freezing
        from cnn_core.step_memory import step_memory
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
        step = step_memory(
            network,
            image_size=size,
            batch_size=batch or 1,
            optim=optim,
            accumulate=train.accumulate if train else 1,
        )
        return NetworkPreview(
            summary=summary,
            step=step,
            optimizer=optim.name,
            classes=classes,
            image_size=size,
            batch_size=batch,
            images_a_step=batch * train.accumulate if train and batch else None,
            steps=steps_an_epoch(train, known) if train else None,
            load=self._device_load(),
            warning=normalization_warning(model, data.normalize) or "",
        )

    def _device_load(self) -> DeviceLoad:
        if self._device is None:
            from cnn_core.training.device import resolve_device

            self._device = DeviceStats(str(resolve_device(self._workplace.device)))
        return self._device.sample()


def _right(section: S | None, name: str) -> S:
    if section is None:
        raise UserError(f"waits until [{name}] has no mistakes")
    return section
