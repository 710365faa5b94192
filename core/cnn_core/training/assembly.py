"""The network of a run, and what its checkpoints and caches say of where they are from."""

from collections.abc import Generator
from typing import Any

import torch
from torch import Tensor

from cnn_core.backbones.catalog import normalization_warning
from cnn_core.backbones.network import build_network
from cnn_core.backbones.structure import Network
from cnn_core.config import Experiment
from cnn_core.datasets.decode import DECODER_VERSION
from cnn_core.datasets.prepare import Prepared
from cnn_core.freezing import apply_freezing, train_mode
from cnn_core.training.batches import Batches
from cnn_core.training.events import Event, Notice
from cnn_core.training.whitening import whiten


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
