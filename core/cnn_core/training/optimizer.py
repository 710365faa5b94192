"""The optimizer over the parameters that train, and only those."""

from collections.abc import Iterable

import torch
from torch import nn

from cnn_core.config import Optim


def build_optimizer(optim: Optim, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimizer over those parameters that require a gradient, with fused steps."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [{"params": trained, "lr_scale": 1.0}]
    match optim.name:
        case "sgd":
            return torch.optim.SGD(
                groups,
                lr=optim.lr,
                momentum=optim.momentum,
                nesterov=optim.nesterov,
                weight_decay=optim.weight_decay,
                fused=True,
            )
        case "adam":
            return torch.optim.Adam(
                groups, lr=optim.lr, weight_decay=optim.weight_decay, fused=True
            )
        case "adamw":
            return torch.optim.AdamW(
                groups, lr=optim.lr, weight_decay=optim.weight_decay, fused=True
            )


def add_unfrozen(
    optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], lr_scale: float
) -> None:
    """Let newly unfrozen parameters train too, at ``lr_scale`` times the learning rate."""
    if parameters:
        optimizer.add_param_group({"params": parameters, "lr_scale": lr_scale})


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group, each times its own scale."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
