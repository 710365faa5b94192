"""Some images of a batch changed, each by parameters of its own.

Which images an operation gets is decided on the CPU, so that a GPU, whose batch is indexed by
what was found there, need not be waited for.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

# Values that are changed at once: on a CPU so many that what lies between stays in its cache, on a
# GPU so many that it is busy and its memory is not filled.
_CPU_PIECE = 2**19
_GPU_PIECE = 2**25


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """Return values of the CPU on the device, without waiting for it."""
    return values.to(device, non_blocking=True)


def each(values_N: Tensor, device: torch.device) -> Tensor:
    """Return a number for each image as float32 (N, 1, 1, 1) on the device."""
    return on_device(values_N.float(), device).view(-1, 1, 1, 1)


def pieces(values_N: Tensor, device: torch.device) -> Iterator[slice]:
    """Yield slices of consecutive images, as many as the device does best at once.

    ``values_N`` are the values that each works on, at least as many as of the one before: all of
    a piece have the room of its last one.
    """
    at_once = _CPU_PIECE if device.type == "cpu" else _GPU_PIECE
    start = 0
    while start < len(values_N):
        rest = values_N[start:]
        fitting = int((torch.arange(1, len(rest) + 1) * rest <= at_once).sum())
        stop = start + max(fitting, 1)
        yield slice(start, stop)
        start = stop


def changed(
    images_NCHW: Tensor, indices: Tensor, change: Callable[..., Tensor], *parameters_N: Tensor
) -> Tensor:
    """Return the images with those at ``indices`` (M,) replaced by ``change`` of them.

    It is called with some of them and their values of the parameters, tensors of the CPU.
    """
    if len(indices) == 0:
        return images_NCHW
    everything = len(indices) == len(images_NCHW)
    result_NCHW = torch.empty_like(images_NCHW) if everything else images_NCHW.clone()
    _change(images_NCHW, result_NCHW, indices, change, parameters_N)
    return result_NCHW


def change_some(
    images_NCHW: Tensor, indices: Tensor, change: Callable[..., Tensor], *parameters_N: Tensor
) -> None:
    """Do as ``changed`` does, in place."""
    _change(images_NCHW, images_NCHW, indices, change, parameters_N)


def _change(
    source_NCHW: Tensor,
    result_NCHW: Tensor,
    indices: Tensor,
    change: Callable[..., Tensor],
    parameters_N: tuple[Tensor, ...],
) -> None:
    # Writing to indices of another layout takes half as long again as both steps.
    last = result_NCHW.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    values_N = torch.full((len(indices),), source_NCHW[0].numel())
    for piece in pieces(values_N, source_NCHW.device):
        some = indices[piece]
        there = on_device(some, source_NCHW.device)
        theirs = (values_N[some] for values_N in parameters_N)
        changed_NCHW = change(source_NCHW[there], *theirs)
        result_NCHW[there] = changed_NCHW.contiguous(memory_format=layout)
