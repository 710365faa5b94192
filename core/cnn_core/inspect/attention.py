"""Where in an image a network sees a class."""

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from cnn_core.datasets.index import Images
from cnn_core.inspect.layers import check_layer, default_layers, layers_with_maps
from cnn_core.inspect.trained import Trained


def grad_cam(
    trained: Trained, image_HWC: Images, label: int, layer: str | None = None
) -> NDArray[np.float32]:
    """Return where a uint8 image (S,S,3) speaks for the class ``label``: (S,S) in 0..1.

    Grad-CAM (Selvaraju et al. 2017): the layer's feature maps, each weighed by the mean gradient
    of the class's logit by it, summed and rectified; scaled to the image, its greatest value to 1.
    All is 0 where nothing speaks for the class. Without a layer it is ``attention_layer``. Raises
    UserError, with the nearest name, for a layer that gives no maps, or gives them with their
    channels last, which captum takes for rows.
    """
    # Here, for it takes half a second to import.
    from captum.attr import LayerAttribution, LayerGradCam

    if layer is None:
        layer = attention_layer(trained)
    names = [name for name, maps in layers_with_maps(trained).items() if not maps.channels_last]
    check_layer(trained.run_dir.name, layer, names, "layer for Grad-CAM")
    module = trained.network.module
    heat = LayerGradCam(module, module.get_submodule(layer)).attribute(
        trained.inputs(image_HWC[None]), target=label, relu_attributions=True
    )
    sides = image_HWC.shape[:2]
    heat_NCHW = LayerAttribution.interpolate(heat, sides, interpolate_mode="bilinear")
    heat_HW: NDArray[np.float32] = heat_NCHW[0, 0].detach().float().cpu().numpy()
    greatest = heat_HW.max()
    return heat_HW / greatest if greatest > 0 else heat_HW


def attention_layer(trained: Trained) -> str:
    """Return the last convolution whose feature maps are larger than one pixel.

    Raises UserError where the network has none.
    """
    return default_layers(trained)[-1]


def overlaid(image_HWC: Images, heat_HW: NDArray[np.float32]) -> Images:
    """Return the uint8 image (H,W,3) half covered by the heat in 0..1, from dark blue to red."""
    colours_HWC = mpl.colormaps["turbo"](heat_HW)[..., :3] * 255
    mixed: Images = np.rint((image_HWC + colours_HWC) / 2).astype(np.uint8)
    return mixed
