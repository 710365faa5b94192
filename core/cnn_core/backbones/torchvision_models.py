"""Backbones from torchvision, under torchvision's own parameter names."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from cnn_core.backbones.catalog import BACKBONES, Backbone, NoOptions
from cnn_core.backbones.structure import Network, Request, Stage
from cnn_core.errors import UserError, printable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the parts of a torchvision model lie: names of its modules."""

    stages: tuple[Stage, ...]
    convolutional: tuple[str, ...]
    classifier: tuple[str, ...]
    head: str


def _sequential(prefix: str, stages: dict[str, tuple[int, int]]) -> tuple[Stage, ...]:
    """Return stages that are runs of an ``nn.Sequential``: the first and last index of each."""
    return tuple(
        Stage(name, tuple(f"{prefix}.{index}" for index in range(first, last + 1)))
        for name, (first, last) in stages.items()
    )


def _fully_connected() -> tuple[Stage, ...]:
    """Return the stages of the classifier that AlexNet and VGG share, after their pooling."""
    fc6, fc7 = _sequential("classifier", {"fc6": (0, 2), "fc7": (3, 5)})
    return Stage("fc6", ("avgpool", *fc6.modules)), fc7


_ALEXNET = Layout(
    stages=(
        *_sequential(
            "features",
            {"conv1": (0, 2), "conv2": (3, 5), "conv3": (6, 7), "conv4": (8, 9), "conv5": (10, 12)},
        ),
        *_fully_connected(),
    ),
    convolutional=("features",),
    classifier=("classifier",),
    head="classifier.6",
)
_VGG16 = Layout(
    stages=(
        *_sequential(
            "features",
            {
                "block1": (0, 4),
                "block2": (5, 9),
                "block3": (10, 16),
                "block4": (17, 23),
                "block5": (24, 30),
            },
        ),
        *_fully_connected(),
    ),
    convolutional=("features",),
    classifier=("classifier",),
    head="classifier.6",
)
_RESNET18 = Layout(
    stages=(
        Stage("stem", ("conv1", "bn1", "relu", "maxpool")),
        Stage("layer1", ("layer1",)),
        Stage("layer2", ("layer2",)),
        Stage("layer3", ("layer3",)),
        Stage("layer4", ("layer4", "avgpool")),
    ),
    convolutional=("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"),
    classifier=("fc",),
    head="fc",
)


def _build(name: str, layout: Layout, _options: NoOptions, request: Request) -> Network:
    import torchvision
    from torch import nn

    # One class: the last layer is only a place holder.
    module = torchvision.models.get_model(name, weights=None, num_classes=1)
    module.set_submodule(layout.head, nn.Identity())
    if request.dropout is not None:
        for layer in module.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = request.dropout
    return Network(
        module=module,
        stages=layout.stages,
        convolutional=layout.convolutional,
        classifier=layout.classifier,
        head=(layout.head,),
    )


def _fetch(model: str, _weights: str) -> Path:
    """Return torchvision's file of ImageNet weights, downloaded and checked if it is absent."""
    import http.client

    import torch
    from torchvision.models import get_model_weights

    url: str = get_model_weights(model).DEFAULT.url
    file = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if file.exists():
        return file
    checksum = file.stem.rpartition("-")[2]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), hash_prefix=checksum, progress=False)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise UserError(
            f"model.weights: the ImageNet weights of {model} are not at {printable(file)} and "
            f"could not be downloaded ({printable(error)}); put {url} there"
        ) from error
    return file


def _add(name: str, layout: Layout, *, min_size: int, help: str) -> None:
    BACKBONES.add(
        name,
        Backbone(
            name=name,
            help=help,
            options=NoOptions,
            build=functools.partial(_build, name, layout),
            image_size=224,
            min_size=min_size,
            weights=("imagenet",),
            fetch=functools.partial(_fetch, name),
        ),
    )


_add("alexnet", _ALEXNET, min_size=63, help="AlexNet: 5 convolutions, 3 fully connected layers")
_add("vgg16", _VGG16, min_size=32, help="VGG16: 13 convolutions, 3 fully connected layers")
_add("resnet18", _RESNET18, min_size=1, help="ResNet18: 8 residual blocks of 2 convolutions")
