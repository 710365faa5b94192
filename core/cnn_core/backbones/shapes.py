"""Networks without arithmetic: built without memory, and run for the shapes alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

# What layers make their parameters with; what they reckon with on the way stays on the CPU.
_FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones})


class WithoutMemory(TorchFunctionMode):
    """Inside it, parameters and buffers are made on the meta device; in this thread only.

    ``with torch.device("meta")`` would also take the numbers from which some builders (RegNet's)
    compute widths.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Send what has no device of its own to meta."""
        kwargs = kwargs or {}
        if func in _FACTORIES and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def forward_shapes(
    module: nn.Module, image_size: int, batch_size: int = 1, *, training: bool = False
) -> Tensor:
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
    with modes_kept(module), torch.no_grad():
        module.train(training)
        output = functional_call(module, state, (images_NCHW,))
    # In training, networks with auxiliary classifiers return their logits first.
    logits: Tensor = output[0] if isinstance(output, tuple) else output
    return logits


@contextmanager
def modes_kept(module: nn.Module) -> Iterator[None]:
    """Restore the training mode of every layer at the end."""
    modes = {layer: layer.training for layer in module.modules()}
    try:
        yield
    finally:
        for layer, mode in modes.items():
            layer.training = mode
