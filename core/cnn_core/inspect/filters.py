"""The filters of a run's convolutions, before and after the training, as pictures."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnn_core.backbones.network import build_network
from cnn_core.datasets.index import Images
from cnn_core.errors import UserError, printable
from cnn_core.inspect.layers import check_layer, convolutions
from cnn_core.preset_files import load_experiment
from cnn_core.training.checkpoint import (
    State,
    checkpoint_path,
    load_checkpoint,
    load_initial_filters,
)
from cnn_core.training.events import CheckpointName


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """The filters of one convolution: O filters for I input channels, float32 (O,I,H,W).

    ``layers`` names all convolutions of the network, in forward order.
    """

    layer: str
    weights_OIHW: NDArray[np.float32]
    layers: tuple[str, ...]


def filters_of(
    run_dir: Path, checkpoint: Literal["initial", "best", "last"], layer: str | None = None
) -> Filters:
    """Return the filters of a convolution of a run, of the first where no layer is named.

    Raises UserError where the run has not kept that checkpoint, its network has no convolution,
    or none of this name.
    """
    weights = convolution_weights(run_dir, checkpoint)
    layers = tuple(weights)
    layer = layers[0] if layer is None and layers else layer or ""
    check_layer(run_dir.name, layer, layers, "convolution")
    return Filters(layer, weights[layer].float().contiguous().numpy(), layers)


def convolution_weights(
    run_dir: Path, checkpoint: Literal["initial", "best", "last"]
) -> dict[str, Tensor]:
    """Return the weights (O,I,H,W) of every convolution of a run by name, in forward order.

    Raises UserError where the run has not kept that checkpoint, or it is of another network.
    """
    if checkpoint == "initial":
        kept = load_initial_filters(run_dir)
        later: tuple[CheckpointName, ...] = ("best", "last")
        written = [name for name in later if checkpoint_path(run_dir, name).exists()]
        # What never trains is in the others as it was.
        return (convolution_weights(run_dir, written[0]) if written else {}) | kept
    state = load_checkpoint(run_dir, checkpoint)
    try:
        return {name: state["model"][f"{name}.weight"] for name in _names(run_dir, state)}
    except KeyError as error:
        path = printable(checkpoint_path(run_dir, checkpoint))
        raise UserError(f"{path}: not of the network of config.toml: no {error}") from error


def filter_pictures(weights_OIHW: NDArray[np.float32], channel: int | None = None) -> list[Images]:
    """Return a picture of each filter, uint8 (H,W,3), all on one scale in which 0 is mid-grey.

    Filters for three input channels are shown in colour where no ``channel`` is asked for; else
    the channel, or the mean of all channels, in grey. White stands for ``filter_limit``.
    """
    shown_OIHW = _shown(weights_OIHW, channel)
    levels = np.rint(127.5 + 127.5 * shown_OIHW / filter_limit(weights_OIHW, channel))
    levels_OHWC = np.moveaxis(levels.astype(np.uint8), 1, -1)
    return list(np.broadcast_to(levels_OHWC, (*levels_OHWC.shape[:3], 3)))


def filter_limit(weights_OIHW: NDArray[np.float32], channel: int | None = None) -> float:
    """Return the largest weight, by its amount, among those that are shown."""
    return float(np.abs(_shown(weights_OIHW, channel)).max()) or 1.0


def _shown(weights_OIHW: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    if channel is not None:
        weights_OIHW = weights_OIHW[:, channel : channel + 1]
    elif weights_OIHW.shape[1] != 3:
        weights_OIHW = weights_OIHW.mean(1, keepdims=True)
    # A network that diverged is full of NaN.
    return np.where(np.isfinite(weights_OIHW), weights_OIHW, np.float32(0))


def _names(run_dir: Path, state: State) -> tuple[str, ...]:
    """Return the names of the convolutions of the network that the checkpoint is of."""
    experiment = load_experiment(run_dir / "config.toml")
    assert experiment.data.image_size is not None
    network = build_network(
        experiment.model.model_copy(update={"weights": "none"}),
        classes=len(state["classes"]),
        image_size=experiment.data.image_size,
        device="meta",
    )
    return convolutions(network.module)
