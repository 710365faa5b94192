"""What a training step computes, and what graphics cards can compute at the most."""

import copy
import re

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

# Dense tensor operations in bf16 (V100 and T4, which have none: fp16), summed in float32, in units
# of 1e12 a second. From NVIDIA's data sheets of A100, H100, H200, V100 and T4, and for RTX cards
# from the appendices of the white papers of the GPUs GA102, AD102, AD103 and GB202. Names are those
# that torch tells, whole: a laptop's card, a Ti or a part of a card (MIG) is another one.
_PEAKS_T = {
    r"A100[- ](SXM4-|PCIE-)?(40|80)GB( PCIe)?": 312.0,
    r"H100 80GB HBM3": 989.4,
    r"H100 PCIe": 756.0,
    r"H100 NVL": 835.0,
    r"H200": 989.4,
    r"H200 NVL": 835.0,
    r"V100-SXM[23]-(16|32)GB": 125.0,
    r"V100-PCIE-(16|32)GB": 112.0,
    r"T4": 65.0,
    r"RTX 3080": 59.5,
    r"RTX 3090": 71.0,
    r"RTX A6000": 154.8,
    r"RTX 4080": 97.5,
    r"RTX 4090": 165.2,
    r"RTX 5090": 209.5,
}


def peak_flops(card: str) -> float | None:
    """Return the most operations a second of a card by torch's name for it; None: not known."""
    name = re.sub(r"NVIDIA |GeForce |Tesla ", "", card)
    known = (peak for pattern, peak in _PEAKS_T.items() if re.fullmatch(pattern, name))
    found = next(known, None)
    return None if found is None else 1e12 * found


def flops_per_image(network: nn.Module, image_size: int, count: int = 2) -> float:
    """Return the operations of an image in forward and backward pass; a product and sum are two.

    Counted are convolutions and matrix products, as by peaks.
    """
    network = copy.deepcopy(network).to("cpu").train()
    images_NCHW = torch.zeros(count, 3, image_size, image_size)
    labels = torch.zeros(count, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(network(images_NCHW), labels).backward()
    return counter.get_total_flops() / count
