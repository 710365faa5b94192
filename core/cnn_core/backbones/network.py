"""From a preset's ``[model]`` section to a network: cut, head, initial values, weights."""

import dataclasses
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from cnn_core.backbones.catalog import BACKBONES
from cnn_core.backbones.heads import build_head
from cnn_core.backbones.shapes import forward_shapes
from cnn_core.backbones.structure import Network, Request, Stage
from cnn_core.backbones.weights import load_weights, weights_file
from cnn_core.config import Model
from cnn_core.errors import UserError
from cnn_core.options import read_options

__all__ = ["Network", "Stage", "build_network"]

# As many pixels a side as data.image_size allows.
_LARGEST = 4096


def build_network(
    model: Model,
    *,
    classes: int,
    image_size: int,
    seed: int | None = None,
    device: torch.device | str = "cpu",
) -> Network:
    """Return the network that ``model`` describes, for square images of ``image_size`` pixels.

    With a ``seed`` the initial values depend on nothing else, on any device, and torch's global
    generator stays as it was. On the device ``meta`` nothing is drawn and no weights are read:
    shapes are all that such a network has. Raises UserError where the section names something
    that the backbone has not, the images are too small, or the weights do not fit.
    """
    device = torch.device(device)
    backbone = BACKBONES[model.backbone]
    options = read_options(backbone.options, model.options, "model.options")
    # Values are drawn on the CPU, so that they are the same on every device.
    drawn_on = torch.device("meta" if device.type == "meta" else "cpu")
    with _draws(seed), drawn_on:
        network = backbone.build(options, Request(dropout=model.dropout))
        expected = frozenset(network.module.state_dict())
        network = _cut(network, model)
        _check_dropout(network, model)
        features = _features(network, model, image_size)
        head = build_head(model, features=features, classes=classes)
        network.module.set_submodule(network.head[0], head)
        if device.type != "meta" and model.weights != "none":
            file = weights_file(backbone, model.weights)
            loaded = load_weights(network, file, backbone=model.backbone, expected=expected)
            network = dataclasses.replace(network, loaded=loaded)
        _initialize(network, model)
    network.module.to(device)
    return network


@contextmanager
def _draws(seed: int | None) -> Iterator[None]:
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the GPUs' generators too.
        torch.default_generator.manual_seed(seed)
        yield


def _cut(network: Network, model: Model) -> Network:
    """Remove the stages after the first ``model.cut``."""
    if model.cut is None:
        return network
    if model.cut > len(network.stages):
        names = ", ".join(stage.name for stage in network.stages)
        raise UserError(
            f"model.cut: {model.cut} stages of {model.backbone}, which has "
            f"{len(network.stages)} ({names})"
        )
    for stage in network.stages[model.cut :]:
        for name in stage.modules:
            network.module.set_submodule(name, nn.Identity())
    return dataclasses.replace(network, stages=network.stages[: model.cut])


def _check_dropout(network: Network, model: Model) -> None:
    if model.dropout and not any(isinstance(m, nn.Dropout) for m in network.module.modules()):
        kept = "" if model.cut is None else f" in its first {model.cut} stages"
        raise UserError(f"model.dropout: {model.backbone} has no dropout layer{kept}; leave it out")


def _features(network: Network, model: Model, image_size: int) -> int:
    """Return how many features reach the head."""
    try:
        features = forward_shapes(network.module, image_size)
    except RuntimeError as error:
        sizes = range(_LARGEST + 1)
        smallest = bisect_left(
            sizes, True, lo=image_size, key=lambda size: _takes(network.module, size)
        )
        if smallest == len(sizes):
            raise
        raise UserError(
            f"data.image_size: {image_size} is too small for {model.backbone}; "
            f"the smallest is {smallest}"
        ) from error
    return features.shape[1]


def _takes(module: nn.Module, image_size: int) -> bool:
    try:
        forward_shapes(module, image_size)
    except RuntimeError:
        return False
    return True


def _initialize(network: Network, model: Model) -> None:
    """Draw weights anew where none were loaded; biases become 0.

    ``xavier``: uniform, of variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
    ``kaiming``: normal, of variance 2 / fan_in (He et al. 2015, for ReLU).
    """
    if model.init == "default":
        return
    for name, layer in network.module.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear) or f"{name}.weight" in network.loaded:
            continue
        if model.init == "xavier":
            nn.init.xavier_uniform_(layer.weight)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
