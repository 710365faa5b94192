"""Layers of own networks, parts of which are no parameters: they never train."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FixedConv2d(nn.Conv2d):
    """A convolution whose filters are a buffer: kept with the weights, and never trained."""

    def __init__(self, inputs: int, filters: int, side: int) -> None:
        super().__init__(inputs, filters, side)
        values = self.weight.detach()
        del self.weight
        self.register_buffer("weight", values)


class ShiftNorm2d(nn.BatchNorm2d):
    """Batch norm that learns a shift and no scale; the shift is ``gain`` times its bias.

    With SGD that is the shift trained at gain² times the learning rate and a gain² part of the
    weight decay: a step of the bias b along gain * g, of size lr, moves gain * b by gain² * lr * g,
    and lr * decay of b is the same share of gain * b.
    """

    def __init__(self, channels: int, *, momentum: float, gain: float) -> None:
        super().__init__(channels, momentum=momentum)
        # Ones rather than none: cuDNN's kernels need a scale.
        del self.weight
        self.register_buffer("weight", torch.ones(channels), persistent=False)
        self.gain = gain

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, channels, H, W) normalised over the batch, or by what was gathered."""
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        if self.training:
            self.num_batches_tracked.add_(1)
        return F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.gain * self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


class Scale(nn.Module):
    """A product with a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, input: Tensor) -> Tensor:
        """Return ``factor`` times the input."""
        return input * self.factor

    def extra_repr(self) -> str:
        """Return what torch prints of it."""
        return f"factor={self.factor:g}"
