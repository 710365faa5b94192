"""The forward pass without arithmetic: shapes only, whatever device a network lies on."""

import torch
from torch import Tensor, nn
from torch.func import functional_call


def forward_shapes(module: nn.Module, image_size: int, batch_size: int = 1) -> Tensor:
    """Return the logits of ``batch_size`` square images as a tensor of the meta device.

    Forward hooks see every layer's output. Neither parameters, statistics nor training modes
    are changed. Raises RuntimeError where the images are too small for a layer.
    """
    state = {
        name: tensor.to("meta")
        for named in (module.named_parameters(), module.named_buffers())
        for name, tensor in named
    }
    images_NCHW = torch.empty(batch_size, 3, image_size, image_size, device="meta")
    training = [layer for layer in module.modules() if layer.training]
    module.eval()
    try:
        with torch.no_grad():
            logits: Tensor = functional_call(module, state, (images_NCHW,))
    finally:
        for layer in training:
            layer.training = True
    return logits
