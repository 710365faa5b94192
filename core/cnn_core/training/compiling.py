"""torch.compile where it works."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnn_core.errors import first_line
from cnn_core.training.supply import Output


def compiled_forward(
    module: nn.Module, warn: Callable[[str], None], *, cuda_graphs: bool
) -> Callable[..., Output]:
    """Return the compiled forward pass; where it can't be compiled, warn once and go on without.

    Compilation happens at the first call, and again where shapes change. With ``cuda_graphs``
    the kernels of a step are recorded and replayed, which saves their launches, at the cost of
    memory of their own.
    """
    compiled: Callable[..., Output] = torch.compile(
        module, mode="reduce-overhead" if cuda_graphs else None
    )
    forward = compiled

    def call(*inputs: Tensor) -> Output:
        nonlocal forward
        if cuda_graphs:
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
