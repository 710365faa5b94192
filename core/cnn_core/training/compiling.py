"""torch.compile where it works."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnn_core.config import Train
from cnn_core.errors import first_line
from cnn_core.training.supply import Output


def training_forward(
    module: nn.Module, train: Train, warn: Callable[[str], None]
) -> Callable[..., Output]:
    """Return the module, compiled where ``train`` asks for it.

    Where it can't be compiled, ``warn`` is called once and training goes on without. Compilation
    happens at the first call, and again where shapes change. With ``cuda_graphs`` the kernels of
    a step are recorded and replayed, which saves their launches and costs memory of their own.
    """
    if not train.compile:
        return module
    compiled: Callable[..., Output] = torch.compile(
        module, mode="reduce-overhead" if train.cuda_graphs else None
    )
    forward = compiled

    def call(*inputs: Tensor) -> Output:
        nonlocal forward
        if train.cuda_graphs:
            # From here on the last step's output may be overwritten.
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        try:
            return forward(*inputs)
        except torch._dynamo.exc.TorchDynamoException as error:
            warn(f"torch.compile failed, training goes on without: {first_line(error)}")
            forward = module
            output: Output = module(*inputs)
            return output

    return call
