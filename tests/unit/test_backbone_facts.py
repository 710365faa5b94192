"""The table of what backbones are, against the networks and against torchvision.

``UPDATE_FACTS=1 pytest tests/unit/test_backbone_facts.py`` measures it anew.
"""

import json
import os
import re

import pytest
import torchvision

from cnn_core.backbones import facts
from cnn_core.errors import UserError

OWN = {"airbench": 32, "cnn": 32, "convnet": 32, "mlp": 32, "small_vgg": 32, "strided_cnn": 32}
OFFLINE = {"efficientnet_lite0": 224}
UPDATE = bool(os.environ.get("UPDATE_FACTS"))


def torchvision_entry(name: str) -> dict:
    """Return what torchvision itself says of a model."""
    weights = torchvision.models.get_model_weights(name).DEFAULT
    transforms = weights.transforms()
    (size,) = set(transforms.crop_size)
    normalizations = {(0.485, 0.456, 0.406): "imagenet", (0.5, 0.5, 0.5): "half"}
    return {
        "parameters": weights.meta["num_params"],
        "stages": [],
        "image_size": size,
        "min_size": weights.meta["min_size"][0],
        "top1": round(weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100, 5),
        "url": weights.url,
        "normalize": normalizations[tuple(transforms.mean)],
    }


def models() -> list[str]:
    return torchvision.models.list_models(module=torchvision.models)


def write(table: dict) -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table)]
    facts.FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    facts.table.cache_clear()


if UPDATE:
    plain = {"parameters": 0, "stages": [], "min_size": 1}
    write(
        {name: torchvision_entry(name) for name in models()}
        | {name: plain | {"image_size": size} for name, size in (OWN | OFFLINE).items()}
    )

# After the table has every name: the registry reads it.
from cnn_core.backbones.catalog import BACKBONES  # noqa: E402
from cnn_core.backbones.layouts import layout_of  # noqa: E402
from cnn_core.backbones.network import Network, build_network  # noqa: E402
from cnn_core.config import Model  # noqa: E402


def built(name: str, image_size: int) -> Network:
    return build_network(Model(backbone=name), classes=1000, image_size=image_size, device="meta")


def smallest(name: str) -> int:
    if name in models() and layout_of(name).side:
        return facts.table()[name]["image_size"]
    try:
        built(name, 1)
    except UserError as error:
        return int(re.search(r"the smallest is (\d+)", str(error))[1])
    return 1


def measured(network: Network) -> dict:
    return {
        "parameters": sum(p.numel() for p in network.module.parameters()),
        "stages": [stage.name for stage in network.stages],
    }


if UPDATE:
    write(
        {
            name: entry | measured(built(name, entry["image_size"])) | {"min_size": smallest(name)}
            for name, entry in facts.table().items()
        }
    )


def test_every_classification_model_of_torchvision_is_there():
    assert set(models()) <= set(BACKBONES.names())


@pytest.mark.parametrize("name", models())
def test_torchvision_says_the_same(name):
    entry, theirs = facts.table()[name], torchvision_entry(name)
    # torchvision counts GoogLeNet without the auxiliary classifiers that its file holds.
    compared = ["image_size", "top1", "url", "normalize", "parameters"]
    for key in compared[:-1] if name == "googlenet" else compared:
        assert entry[key] == theirs[key], key


def every_parameter_lies_in_one_part(network: Network) -> None:
    everything = dict(network.module.named_parameters()).keys()
    stages = [network.parameters_under(stage.modules).keys() for stage in network.stages]
    parts = [*stages, network.parameters_under(network.head).keys()]
    assert sorted(n for part in parts for n in part) == sorted(everything)
    assert all(stages)
    convolutional = network.parameters_under(network.convolutional).keys()
    classifier = network.parameters_under(network.classifier).keys()
    assert convolutional | classifier == everything
    assert not convolutional & classifier
    assert parts[-1] <= classifier


@pytest.mark.parametrize("name", BACKBONES.names())
def test_the_networks_are_as_their_facts_say(name):
    known = BACKBONES[name].facts()
    network = built(name, known.image_size)
    assert {"parameters": known.parameters, "stages": list(known.stages)} == measured(network)
    every_parameter_lies_in_one_part(network)  # here, as building them all takes its time


@pytest.mark.parametrize(
    "name",
    [
        *sorted(set(BACKBONES.names()) - set(models()) - OFFLINE.keys()),
        *("alexnet", "vgg11", "squeezenet1_1"),
        *(pytest.param(name, marks=pytest.mark.long) for name in ("densenet121", "inception_v3")),
        pytest.param("googlenet", marks=pytest.mark.long),
    ],
)
def test_the_smallest_image(name):
    size = BACKBONES[name].facts().min_size
    assert smallest(name) == size
    built(name, size)
