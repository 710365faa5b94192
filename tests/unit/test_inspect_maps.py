"""What the layers of a network make of an image, and where it sees a class."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_core.backbones.network import build_network
from cnn_core.backbones.structure import Network
from cnn_core.config import Experiment, Model
from cnn_core.errors import UserError
from cnn_core.inspect.attention import attention_layer, grad_cam, overlaid
from cnn_core.inspect.layers import convolutions, map_shapes
from cnn_core.inspect.maps import feature_maps, map_pictures
from cnn_core.inspect.trained import Trained

MEAN, STD = np.array([0.4, 0.5, 0.6], np.float32), np.array([0.2, 0.3, 0.25], np.float32)


def trained(network: Network, backbone: str, side: int) -> Trained:
    data = {"dataset": "folder", "image_size": side}
    table = {"name": "tiny", "data": data, "model": {"backbone": backbone}}
    network.module.eval().requires_grad_(requires_grad=False)
    network.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(
        run_dir=Path("run"),
        config=Experiment.model_validate(table),
        checkpoint="best",
        epoch=1,
        network=network,
        classes=("a", "b", "c"),
        mean=MEAN,
        std=STD,
        fingerprint="",
        device=torch.device("cpu"),
    )


def built(backbone: str, side: int) -> Trained:
    network = build_network(Model(backbone=backbone), classes=3, image_size=side, seed=0)
    return trained(network, backbone, side)


@pytest.fixture
def tiny() -> Trained:
    """A network in which every activation works in place."""
    torch.manual_seed(3)  # every class has something that speaks for it
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 5, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(5, 6, 2),
        nn.Flatten(),
        nn.Linear(6 * 4 * 4, 3),
    )
    network = Network(module, (), ("0", "2", "4"), ("6",), head=("6",))
    return trained(network, "cnn", 14)


def image(side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3)).astype(np.uint8)


def normalised(image_HWC: np.ndarray) -> torch.Tensor:
    scaled = (image_HWC.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(scaled.transpose(2, 0, 1)[None])


@pytest.mark.parametrize("end", [1, 2, 3, 4, 5])
def test_maps_are_what_the_layers_up_to_there_give(tiny, end):
    image_HWC = image(14)
    layer = str(end - 1)
    found = feature_maps(tiny, image_HWC, ["4", layer])
    expected = tiny.network.module[:end](normalised(image_HWC))[0].detach().numpy()
    assert found[layer].dtype == np.float32
    np.testing.assert_allclose(found[layer], expected, atol=1e-5)
    assert (expected < 0).any() != (end in (2, 4))


def test_no_hook_is_left(tiny):
    feature_maps(tiny, image(14), ["0"])
    grad_cam(tiny, image(14), 0)
    assert not any(layer._forward_hooks for layer in tiny.network.module.modules())


def test_convolutions_are_in_the_order_of_the_forward_pass():
    module = built("resnet18", 32).network.module
    names = convolutions(module)
    assert names[:3] == ("conv1", "layer1.0.conv1", "layer1.0.conv2")
    assert names[-1] == "layer4.1.conv2"
    assert len(names) == 20


def test_unknown_layers_are_told_with_the_nearest(tiny):
    with pytest.raises(UserError, match="no layer with feature maps 'conv'; expected one of: 0, 1"):
        feature_maps(tiny, image(14), ["conv"])
    with pytest.raises(UserError, match="no layer for Grad-CAM '6'"):
        grad_cam(tiny, image(14), 0, "6")
    network = built("resnet18", 32)
    with pytest.raises(UserError, match=r"did you mean 'layer4\.1\.conv2'"):
        grad_cam(network, image(32), 0, "layer4.1.cnv2")


def by_the_formula(tiny: Trained, image_HWC: np.ndarray, label: int, last: int) -> np.ndarray:
    """Selvaraju et al. 2017, equations 1 and 2, the gradient by differences of the logit."""
    module = tiny.network.module.double()
    maps_CHW = module[: last + 1](normalised(image_HWC).double())[0]
    step = 1e-5
    weights = torch.zeros(len(maps_CHW), dtype=torch.double)
    for channel in range(len(maps_CHW)):
        logits = []
        for sign in (1, -1):
            # The mean over pixels of the derivatives is that along all pixels, by their number.
            moved_CHW = maps_CHW.clone()
            moved_CHW[channel] += sign * step
            logits.append(module[last + 1 :](moved_CHW[None])[0, label])
        weights[channel] = (logits[0] - logits[1]) / (2 * step) / maps_CHW[0].numel()
    heat_HW = (weights[:, None, None] * maps_CHW).sum(0).clamp(min=0)
    heat_HW = F.interpolate(heat_HW[None, None], (14, 14), mode="bilinear")[0, 0]
    module.float()
    return (heat_HW / heat_HW.max()).detach().numpy()


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("last", [2, 4])
def test_grad_cam_is_what_the_paper_says(tiny, label, last):
    image_HWC = image(14)
    found = grad_cam(tiny, image_HWC, label, str(last))
    assert found.shape == (14, 14)
    assert found.dtype == np.float32
    assert (found.min() >= 0, found.max()) == (True, 1)
    np.testing.assert_allclose(found, by_the_formula(tiny, image_HWC, label, last), atol=1e-3)
    if last == 4:
        np.testing.assert_array_equal(found, grad_cam(tiny, image_HWC, label))


def test_where_nothing_speaks_for_a_class_nothing_is_warm(tiny):
    with torch.no_grad():
        tiny.network.module[-1].weight.zero_()
    assert not grad_cam(tiny, image(14), 0).any()


@pytest.mark.parametrize(
    ("backbone", "side", "layer"),
    [
        ("alexnet", 64, "features.10"),
        ("resnet18", 64, "layer4.1.conv2"),
        ("efficientnet_lite0", 64, "conv_head"),
        ("convnet", 32, "block5.0"),
        ("small_vgg", 32, "block2.3"),
        ("strided_cnn", 32, "conv4.0"),
        ("airbench", 32, "block3.4"),
    ],
)
def test_networks_of_all_families_are_looked_into(backbone, side, layer):
    network = built(backbone, side)
    assert attention_layer(network) == layer
    first = convolutions(network.network.module)[0]
    found = feature_maps(network, image(side), [first, layer])
    shapes = map_shapes(network)
    assert {name: maps_CHW.shape for name, maps_CHW in found.items()} == {
        name: shapes[name] for name in (first, layer)
    }
    heat_HW = grad_cam(network, image(side), 1)
    assert heat_HW.shape == (side, side)
    assert heat_HW.max() in (0, 1)


def test_a_network_without_convolutions_is_told():
    with pytest.raises(UserError, match="run run: its network has no convolution"):
        grad_cam(built("mlp", 16), image(16), 0)


def test_maps_of_one_pixel_are_no_place_to_look(tiny):
    module = nn.Sequential(*tiny.network.module[:5], nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 6, 1))
    module.extend([nn.Flatten(), nn.Linear(6, 3)])
    network = dataclasses.replace(tiny.network, module=module)
    assert attention_layer(dataclasses.replace(tiny, network=network)) == "4"


def test_pictures_of_maps():
    maps_CHW = np.stack([np.arange(6).reshape(2, 3), np.full((2, 3), 7)]).astype(np.float32) - 2
    pictures = map_pictures(maps_CHW)
    assert [(picture.shape, picture.dtype) for picture in pictures] == [((2, 3, 3), np.uint8)] * 2
    rising, flat = (picture.reshape(6, 3).astype(int) for picture in pictures)
    assert (np.diff(rising.sum(1)) > 0).all()
    least, greatest = [68, 1, 84], [253, 231, 36]
    assert rising[[0, -1]].tolist() == [least, greatest]
    assert (flat == least).all()
    assert (map_pictures(100 * maps_CHW + 5)[0] == pictures[0]).all()


def test_the_overlay_is_half_the_image_and_half_the_heat():
    image_HWC = image(8)
    heat_HW = np.zeros((8, 8), np.float32)
    heat_HW[2, 3] = 1
    colours = 2 * overlaid(image_HWC, heat_HW).astype(float) - image_HWC
    assert overlaid(image_HWC, heat_HW).dtype == np.uint8
    cold, warm = np.delete(colours.reshape(64, 3), 2 * 8 + 3, axis=0), colours[2, 3]
    assert (np.ptp(cold, axis=0) <= 2).all()
    assert warm[0] > warm[2] + 50
    assert (cold[:, 2] > cold[:, 0]).all()


def test_maps_of_layers_with_channels_last_are_turned() -> None:
    swin = built("swin_t", 64)
    image_HWC = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    shapes = map_shapes(swin)
    (norm,) = [name for name in shapes if name.endswith("features.0.2")]
    assert shapes[norm] == (96, 16, 16)
    maps_CHW = feature_maps(swin, image_HWC, [norm])[norm]
    assert maps_CHW.shape == (96, 16, 16)
    means_HW = maps_CHW.mean(0)  # over channels, a layer norm's output is balanced at each place
    assert np.abs(means_HW).max() < 1e-5
    with pytest.raises(UserError, match="no layer for Grad-CAM 'features"):
        grad_cam(swin, image_HWC, 0, norm)
