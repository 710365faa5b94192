"""Changes of grey levels by a parameter for each image.

``levels_NCHW`` are whole numbers from 0 to 255 as float32, and so are results, cut off as
torchvision does it: equal to those of ``torchvision.transforms.v2.functional`` for uint8 images,
the hue to within one level. Parameters are (N,) float64 on the CPU.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import rgb_to_grayscale

from cnn_core.augment.batch import each


def brightness(levels_NCHW: Tensor, factors: Tensor) -> Tensor:
    """Multiply by the factors."""
    return _cut(levels_NCHW * each(factors, levels_NCHW.device))


def contrast(levels_NCHW: Tensor, factors: Tensor) -> Tensor:
    """Move away from the mean grey level by the factors, towards it where they are below 1."""
    means_N111 = _grey(levels_NCHW).mean((1, 2, 3), keepdim=True)
    return _blend(levels_NCHW, means_N111, factors)


def saturation(levels_NCHW: Tensor, factors: Tensor) -> Tensor:
    """Move away from each pixel's grey by the factors, towards it where they are below 1."""
    return _blend(levels_NCHW, _grey(levels_NCHW), factors)


def hue(levels_NCHW: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue by these parts of the circle of colours."""
    red, green, blue = levels_NCHW.unbind(1)
    lowest, highest = levels_NCHW.amin(1), levels_NCHW.amax(1)
    chroma = highest - lowest
    divisor = chroma.clamp(min=1)  # greys have no chroma, and no use for a hue
    sixths = torch.where(
        highest == red,
        (green - blue) / divisor,
        torch.where(highest == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    sixths += 6 * each(turns, levels_NCHW.device)[:, 0]
    result_NCHW = torch.empty_like(levels_NCHW)
    for channel, offset in enumerate((5, 3, 1)):
        # How far the channel is below the highest one: a trapezium over the circle.
        place = (sixths + offset).remainder_(6)
        below = torch.minimum(place, 4 - place).clamp_(0, 1).mul_(chroma)
        torch.sub(highest, below, out=result_NCHW[:, channel])
    # As torchvision returns from 0..1 to 0..255.
    return result_NCHW.mul_((256 - 1e-3) / 255).floor_()


def sharpness(levels_NCHW: Tensor, factors: Tensor) -> Tensor:
    """Move away from the smoothed image by the factors; the border stays as it is."""
    if min(levels_NCHW.shape[2:]) <= 2:
        return levels_NCHW
    inside = levels_NCHW[:, :, 1:-1, 1:-1]
    # All nine neighbours count once and the middle four times more. Of exact sums, rounded.
    around = F.avg_pool2d(levels_NCHW, 3, stride=1, divisor_override=1)
    smooth = around.add_(inside, alpha=4).div_(13).round_()
    change = smooth.sub_(inside)
    result_NCHW = levels_NCHW.clone()
    result_NCHW[:, :, 1:-1, 1:-1] = torch.addcmul(
        inside, change, each(1 - factors, levels_NCHW.device)
    )
    return _cut(result_NCHW)


def posterize(levels_NCHW: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest ``bits`` of the eight."""
    steps = each(2 ** (8 - bits), levels_NCHW.device)
    return (levels_NCHW / steps).floor_().mul_(steps)


def solarize(levels_NCHW: Tensor, thresholds: Tensor) -> Tensor:
    """Invert the levels from the thresholds on."""
    return torch.where(
        levels_NCHW >= each(thresholds, levels_NCHW.device), 255 - levels_NCHW, levels_NCHW
    )


def _grey(levels_NCHW: Tensor) -> Tensor:
    """Return the grey levels (N, 1, H, W), whole numbers too."""
    grey_N1HW: Tensor = rgb_to_grayscale(levels_NCHW)
    return grey_N1HW.floor()


def _blend(levels_NCHW: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    device = levels_NCHW.device
    own = levels_NCHW * each(factors, device)
    return _cut(torch.addcmul(own, others, each(1 - factors, device)))


def _cut(levels_NCHW: Tensor) -> Tensor:
    return levels_NCHW.clamp_(0, 255).floor_()
