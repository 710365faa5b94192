"""What the layers of a network make of an image."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnn_core.datasets.index import Images
from cnn_core.inspect.layers import check_layer, layers_with_maps
from cnn_core.inspect.trained import Trained


def feature_maps(
    trained: Trained, image_HWC: Images, layers: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the feature maps (C,H,W) of each of the layers, in fp32, for a uint8 image (S,S,3).

    Of a layer that runs more than once they are those of its last call. Raises UserError, with the
    nearest name, for a layer that the network has not or that gives no maps.
    """
    known = layers_with_maps(trained)
    for layer in layers:
        check_layer(trained.run_dir.name, layer, known, "layer with feature maps")
    found: dict[str, NDArray[np.float32]] = {}
    module = trained.network.module

    def keep(layer: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            # A copy: what follows may work in place, as most ReLUs do.
            found[layer] = output[0].float().cpu().numpy().copy()

        return module.get_submodule(layer).register_forward_hook(hook)

    hooks = [keep(layer) for layer in layers]
    try:
        with torch.inference_mode():
            module(trained.inputs(image_HWC[None]))
    finally:
        for handle in hooks:
            handle.remove()
    return {
        layer: np.moveaxis(found[layer], -1, 0) if known[layer].channels_last else found[layer]
        for layer in layers
    }


def map_pictures(maps_CHW: NDArray[np.float32]) -> list[Images]:
    """Return a picture of each map, uint8 (H,W,3): from its least value, violet, to yellow.

    The colours are viridis, none of which is lost on white paper. A map that is the same
    everywhere is violet.
    """
    maps_CHW = np.where(np.isfinite(maps_CHW), maps_CHW, np.float32(0))
    least = maps_CHW.min((1, 2), keepdims=True)
    span = maps_CHW.max((1, 2), keepdims=True) - least
    shares_CHW = (maps_CHW - least) / np.where(span > 0, span, 1)
    return list(mpl.colormaps["viridis"](shares_CHW, bytes=True)[..., :3])
