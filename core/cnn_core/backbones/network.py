"""From a preset's ``[model]`` section to a network: cut, head, initial values, weights."""

import contextlib
import dataclasses
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from cnn_core.backbones.catalog import BACKBONES, Backbone
from cnn_core.backbones.heads import build_head
from cnn_core.backbones.shapes import WithoutMemory, forward_shapes
from cnn_core.backbones.structure import Network, Request, Stage
from cnn_core.backbones.weights import load_weights, named_tensors
from cnn_core.config import Model
from cnn_core.errors import UserError, first_line
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
    shapes_only = device.type == "meta"
    backbone = BACKBONES[model.backbone]
    request = Request(image_size=image_size, dropout=model.dropout, weights=model.weights)
    # Values are drawn on the CPU, so that they are the same on every device.
    with _draws(seed):
        with WithoutMemory() if shapes_only else contextlib.nullcontext():
            network, expected = _body(backbone, model, request)
            _check_dropout(network, model)
            _put_heads(network, model, classes=classes, features=_features(network, model, request))
        if not shapes_only:
            if model.weights != "none":
                tensors = named_tensors(backbone, request)
                network = load_weights(network, tensors, backbone=model.backbone, expected=expected)
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


def _body(backbone: Backbone, model: Model, request: Request) -> tuple[Network, frozenset[str]]:
    """Return the network before its head is made, and the names of all tensors of the backbone."""
    options = read_options(backbone.options, model.options, "model.options")
    network = backbone.build(options, request)
    names = frozenset(network.module.state_dict())
    auxiliary = network.auxiliary
    if auxiliary is not None and (model.cut is not None or not auxiliary.weight):
        for branch in auxiliary.branches:
            setattr(network.module, branch, None)
        setattr(network.module, "aux_logits", False)  # noqa: B010  (no module, to mypy)
        network = dataclasses.replace(
            network,
            head=tuple(name for name in network.head if name not in auxiliary.heads),
            auxiliary=None,
        )
    return _cut(network, model), names


class Removed(nn.Identity):
    """What stands where a cut took a module away: it hands its first argument on."""

    def forward(self, input: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        """Return the input, whatever else the module would have been told."""
        return input


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
    modules = dict(network.module.named_modules())
    for stage in network.stages[model.cut :]:
        for name in stage.modules:
            if name in modules:  # parameters that stand alone stay, unused
                network.module.set_submodule(name, Removed())
    return dataclasses.replace(network, stages=network.stages[: model.cut])


def _check_dropout(network: Network, model: Model) -> None:
    if model.dropout and not any(_drops_out(m) for m in network.module.modules()):
        kept = "" if model.cut is None else f" in its first {model.cut} stages"
        raise UserError(f"model.dropout: {model.backbone} has no dropout layer{kept}; leave it out")


def _drops_out(layer: nn.Module) -> bool:
    # timm's models keep the probability and call the function.
    return isinstance(layer, nn.Dropout) or bool(getattr(layer, "drop_rate", 0))


def _put_heads(network: Network, model: Model, *, classes: int, features: int) -> None:
    """Make the last layers anew; those of side branches are one linear layer each."""
    side = network.auxiliary.heads if network.auxiliary else ()
    for name in network.head:
        old = network.module.get_submodule(name)
        if name in side:
            assert isinstance(old, nn.Linear)
            head: nn.Module = nn.Linear(old.in_features, classes)
        else:
            head = build_head(model, features=features, classes=classes, like=old)
        network.module.set_submodule(name, head)


def _features(network: Network, model: Model, request: Request) -> int:
    """Return how many features reach the head."""
    try:
        return _features_of(network, request.image_size)
    except (AttributeError, TypeError) as error:
        # Stages that hand on more than a feature map, and are handed more.
        if model.cut is None:
            raise
        raise UserError(
            f"model.cut: {model.backbone} cannot be cut after its first {model.cut} stages "
            f"({first_line(error)})"
        ) from error
    except (AssertionError, RuntimeError, ValueError) as error:
        sizes = range(_LARGEST + 1)
        smallest = bisect_left(
            sizes, True, lo=request.image_size, key=lambda size: _takes(model, request, size)
        )
        if smallest == len(sizes):
            raise UserError(
                f"model.backbone: {model.backbone} does not take images of {request.image_size} "
                f"pixels, nor larger ones ({first_line(error)})"
            ) from error
        hint = "" if network.auxiliary is None else ", less with model.options.aux_weight = 0"
        raise UserError(
            f"data.image_size: {request.image_size} is too small for {model.backbone}; "
            f"the smallest is {smallest}{hint}"
        ) from error


def _features_of(network: Network, image_size: int) -> int:
    module = network.module
    side = network.auxiliary.heads if network.auxiliary else ()
    heads = {name: module.get_submodule(name) for name in network.head if name not in side}
    for name in heads:
        module.set_submodule(name, nn.Identity())
    try:
        if network.auxiliary:  # the side branches need larger images than the main path
            forward_shapes(module, image_size, batch_size=2, training=True)
        return forward_shapes(module, image_size).shape[1]
    finally:
        for name, head in heads.items():
            module.set_submodule(name, head)


def _takes(model: Model, request: Request, image_size: int) -> bool:
    request = dataclasses.replace(request, image_size=image_size)
    try:
        with WithoutMemory():
            network, _ = _body(BACKBONES[model.backbone], model, request)
        _features_of(network, image_size)
    except (AssertionError, RuntimeError, ValueError, UserError):
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
