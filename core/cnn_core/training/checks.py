"""What must hold before the first step, told as the user's mistake where it does not."""

from collections.abc import Generator

from cnn_core.config import Experiment
from cnn_core.datasets.prepare import Prepared
from cnn_core.errors import UserError
from cnn_core.training.checkpoint import State
from cnn_core.training.events import Event, Notice
from cnn_core.training.memory import Probe
from cnn_core.training.ranks import Ranks


def check_validation(config: Experiment, images: int) -> None:
    """Raise UserError where something waits for a validation accuracy that never comes."""
    if images:
        return
    waiting = []
    if config.train.early_stopping is not None:
        waiting.append("train.early_stopping")
    if config.optim.schedule == "plateau":
        waiting.append('optim.schedule = "plateau"')
    if waiting:
        raise UserError(
            f"{' and '.join(waiting)}: needs validation images, and data.val_fraction = "
            f"{config.data.val_fraction:g} of this data set gives none"
        )


def settle_batch_size(
    config: Experiment, checkpoint: State | None, probe: Probe, images: int
) -> Generator[Event, None, int]:
    """Return the images of a batch: those of the checkpoint, found by trial, or as configured."""
    if checkpoint is not None:
        batch_size = int(checkpoint["progress"]["batch_size"])
    elif config.train.batch_size == "auto":
        batch_size = probe.largest_batch_size()
        per_image = probe.bytes_per_image() / 2**20
        text = f"batch_size auto: {batch_size} ({per_image:.2f} MiB kept for an image)"
        yield Notice(level="info", text=text)
    else:
        batch_size = config.train.batch_size
    check_last_batch(probe, batch_size, images, config.train.drop_last)
    return batch_size


def check_last_batch(probe: Probe, batch_size: int, images: int, drop_last: bool) -> None:
    """Raise UserError where the last batch of an epoch is missing or can't train."""
    if drop_last and batch_size > images:
        raise UserError(
            f"train.batch_size = {batch_size} with train.drop_last = true leaves no batch: "
            f"there are {images} training images"
        )
    smallest = batch_size if drop_last else images % batch_size or batch_size
    if smallest == 1 and not probe.takes_one_image():
        remedy = (
            "set train.drop_last = true or another size" if batch_size > 1 else "take 2 or more"
        )
        raise UserError(
            f"train.batch_size = {batch_size} leaves 1 of {images} training images for the last "
            f"batch, too few for batch norm: {remedy}"
        )


def check_same_everywhere(data: Prepared, ranks: Ranks) -> None:
    """Raise UserError where this process has other images than the first one."""
    if ranks.from_first(data.fingerprint) != data.fingerprint:
        raise UserError("the data set on this machine is not that of the first process")


def check_same_data(checkpoint: State, data: Prepared) -> Generator[Event, None, None]:
    """Raise UserError where the classes are not those of the checkpoint; tell of other changes."""
    if checkpoint["classes"] != list(data.classes):
        raise UserError(
            "the data set's classes changed since the checkpoint: "
            f"{len(checkpoint['classes'])} then, {len(data.classes)} now"
        )
    if checkpoint["dataset_fingerprint"] != data.fingerprint:
        yield Notice(
            level="warning",
            text="the data set changed since the checkpoint: this is no exact continuation",
        )
