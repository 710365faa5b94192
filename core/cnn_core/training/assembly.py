"""What a run is put together from, and what its checkpoints and caches say of that."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnn_core.backbones.catalog import BACKBONES, normalization_warning
from cnn_core.backbones.network import build_network
from cnn_core.backbones.structure import Network, Request
from cnn_core.backbones.weights import fetch_weights
from cnn_core.config import Experiment
from cnn_core.datasets.decode import DECODER_VERSION
from cnn_core.datasets.prepare import Prepared, prepare
from cnn_core.freezing import apply_freezing, train_mode
from cnn_core.progress import Work
from cnn_core.training.batches import Batches
from cnn_core.training.events import Event, Notice
from cnn_core.training.whitening import whiten


def weights_and_data(
    config: Experiment, data_dir: Path, cache_dir: Path, *, from_scratch: bool
) -> Work[Prepared]:
    """Download what weights are not here, then open the data set, decoding it the first time.

    Without ``from_scratch`` a checkpoint will give every weight, and nothing is downloaded.
    """
    if from_scratch:
        assert config.data.image_size is not None
        request = Request(config.data.image_size, weights=config.model.weights)
        yield from fetch_weights(BACKBONES[config.model.backbone], request)
    return (yield from prepare(config.data, data_dir, cache_dir))


def network_to_train(
    config: Experiment,
    classes: int,
    batches: Batches,
    positions: Tensor,
    *,
    device: torch.device,
    from_scratch: bool,
) -> Generator[Event, None, Network]:
    """Return the network on the device, frozen as configured; tell of the weights it starts from.

    Initial values that depend on the data are of the training images at ``positions`` (N,).
    Without ``from_scratch`` a checkpoint will give every weight: no file of others is needed.
    """
    weights = config.model.weights if from_scratch else "none"
    assert config.data.image_size is not None
    network = build_network(
        config.model.model_copy(update={"weights": weights}),
        classes=classes,
        image_size=config.data.image_size,
        seed=config.seed,
    )
    if network.loaded:
        fresh = not any(name in network.loaded for name in network.parameters_under(network.head))
        head = "; the head starts fresh" if fresh else ""
        text = f"{len(network.loaded)} tensors loaded from weights = {weights!r}{head}"
        yield Notice(level="info", text=text)
        if warning := normalization_warning(config.model, config.data.normalize):
            yield Notice(level="warning", text=warning)
    apply_freezing(network, config.freeze.policy)
    train_mode(network, keep_statistics=config.freeze.keep_statistics)
    network.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if from_scratch:
        whiten(network, batches, positions)
    return network


def identity(config: Experiment, data: Prepared) -> dict[str, Any]:
    """Return what a checkpoint tells whoever uses its weights: labels and preprocessing."""
    return {
        "config": config.model_dump(),
        "classes": list(data.classes),
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
        "dataset_fingerprint": data.fingerprint,
    }


def images_key(config: Experiment, data: Prepared) -> str:
    """Return what tells the normalised images of a data set from all others."""
    side, resize = data.images_NHWC.shape[1], config.data.resize
    parts = (data.fingerprint, side, resize, DECODER_VERSION, data.mean.tolist(), data.std.tolist())
    return repr(parts)
