"""Networks built with weights, and what is said where they can't be."""

import pytest

from cnn_core.backbones.network import Network, build_network
from cnn_core.config import Model
from cnn_core.errors import UserError

OPTIONS = {"widths": [4, 8], "batch_norm": True}


def build(weights="none", *, classes=3, seed=0, image_size=8, **keys) -> Network:
    model = Model(backbone="cnn", options=OPTIONS, weights=str(weights), **keys)
    return build_network(model, classes=classes, image_size=image_size, seed=seed)


def refusal(weights, **keys) -> str:
    with pytest.raises(UserError) as raised:
        build(weights, **keys)
    (line,) = str(raised.value).splitlines()
    assert line.startswith("model.weights: ")
    return line
