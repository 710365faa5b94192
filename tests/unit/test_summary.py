"""The layer table against published figures and hand counts."""

import json

import pytest
import torch
from torch import nn

from cnn_core.backbones.network import build_network
from cnn_core.config import Model
from cnn_core.freezing import apply_freezing, train_mode
from cnn_core.summary import LayerRow, StageRow, summarize


def shapes_of(backbone, *, classes=1000, image_size=224, **keys):
    model = Model(backbone=backbone, **keys)
    return build_network(model, classes=classes, image_size=image_size, device="meta")


def test_alexnets_published_figures():
    summary = summarize(shapes_of("alexnet"), image_size=224)
    assert summary.total == summary.trainable == 61_100_840
    assert round(summary.params_mb, 2) == 233.08
    assert round(summary.input_mb, 2) == 0.57


def test_vgg16s_published_figures():
    summary = summarize(shapes_of("vgg16"), image_size=224)
    assert summary.total == 138_357_544
    assert round(summary.params_mb, 2) == 527.79
    assert round(summary.forward_backward_mb, 2) == 218.78
    assert round(summary.total_mb, 2) == 747.15
    assert round(summary.input_mb, 2) == 0.57


def test_rows_of_a_small_network():
    network = shapes_of("cnn", classes=3, image_size=8, options={"widths": [4, 8]})
    apply_freezing(network, "first:1")
    summary = summarize(network, image_size=8, batch_size=2)
    first, second, last = 27 * 4 + 4, 36 * 8 + 8, 8 * 3 + 3
    assert summary.layers == (
        LayerRow("block1.0", "Conv2d-1", (-1, 4, 8, 8), first, 0),
        LayerRow("block1.1", "ReLU-2", (-1, 4, 8, 8), 0, 0),
        LayerRow("block1.2", "MaxPool2d-3", (-1, 4, 4, 4), 0, 0),
        LayerRow("block2.0", "Conv2d-4", (-1, 8, 4, 4), second, second),
        LayerRow("block2.1", "ReLU-5", (-1, 8, 4, 4), 0, 0),
        LayerRow("avgpool", "AdaptiveAvgPool2d-6", (-1, 8, 1, 1), 0, 0),
        LayerRow("flatten", "Flatten-7", (-1, 8), 0, 0),
        LayerRow("fc", "Linear-8", (-1, 3), last, last),
    )
    assert summary.stages == (
        StageRow("block1", (-1, 4, 4, 4), first, 0, first),
        StageRow("block2", (-1, 8, 4, 4), second, second, 0),
        StageRow("head", (-1, 3), last, last, 0),
    )
    assert (summary.total, summary.frozen) == (first + second + last, first)
    outputs = 2 * (256 + 256 + 64 + 128 + 128 + 8 + 8 + 3)
    assert summary.forward_backward_mb * 2**20 == pytest.approx(outputs * 4 * 2)
    assert summary.input_mb * 2**20 == pytest.approx(2 * 3 * 64 * 4)


def test_a_stage_hands_on_what_its_branches_make_together():
    summary = summarize(shapes_of("googlenet"), image_size=224)
    shapes = {stage.name: stage.output_shape for stage in summary.stages}
    assert shapes["inception5"] == (-1, 1024, 7, 7)  # 384 + 384 + 128 + 128 channels
    assert shapes["head"] == (-1, 1000)


def test_a_layer_called_twice_has_two_rows_and_its_parameters_once():
    summary = summarize(shapes_of("resnet18"), image_size=224)
    assert [row.name for row in summary.layers].count("layer1.0.relu") == 2
    assert sum(row.parameters for row in summary.layers) == summary.total == 11_689_512
    assert sum(stage.parameters for stage in summary.stages) == summary.total


def test_a_cut_network_lists_what_it_kept():
    summary = summarize(shapes_of("vgg16", classes=256, cut=3), image_size=224)
    assert [stage.name for stage in summary.stages] == ["block1", "block2", "block3", "head"]
    assert summary.layers[-2].output_shape == (-1, 256, 28, 28)
    assert summary.layers[-1].parameters == 200_704 * 256 + 256


def test_a_real_network_is_left_as_it_was():
    network = build_network(
        Model(backbone="cnn", options={"widths": [4], "batch_norm": True}),
        classes=3,
        image_size=8,
        seed=0,
    )
    apply_freezing(network, "backbone")
    train_mode(network)
    modes = [layer.training for layer in network.module.modules()]
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    draws = torch.get_rng_state()
    summarize(network, image_size=8)
    assert [layer.training for layer in network.module.modules()] == modes
    after = network.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(torch.get_rng_state(), draws)
    assert not [layer for layer in network.module.modules() if layer._forward_hooks]
    assert isinstance(network.module.get_submodule("fc"), nn.Linear)


def test_json():
    summary = summarize(shapes_of("cnn", classes=3, image_size=32), image_size=32)
    document = json.loads(json.dumps(summary.as_dict()))
    assert document["layers"][0] == {
        "name": "block1.0",
        "type": "Conv2d-1",
        "output_shape": [-1, 32, 32, 32],
        "parameters": 896,
        "trainable": 896,
    }
    assert document["total"] == document["trainable"] + document["frozen"]
