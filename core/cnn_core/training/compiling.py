"""torch.compile where it works."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnn_core.errors import first_line

# From normalised images_NCHW to logits, and in training to those of auxiliary classifiers too.
Forward = Callable[[Tensor], Tensor | tuple[Tensor, ...]]


def compiled_forward(module: nn.Module, warn: Callable[[str], None]) -> Forward:
    """Return the compiled forward pass; where it can't be compiled, warn once and go on without.

    Compilation happens at the first call, and again where shapes change.
    """
    forward: Forward = torch.compile(module)

    def call(images_NCHW: Tensor) -> Tensor | tuple[Tensor, ...]:
        nonlocal forward
        try:
            return forward(images_NCHW)
        except torch._dynamo.exc.TorchDynamoException as error:
            warn(f"torch.compile failed, training goes on without: {first_line(error)}")
            forward = module
            output: Tensor | tuple[Tensor, ...] = module(images_NCHW)
            return output

    return call
