"""The last layers, made for the classes at hand."""

from torch import nn

from cnn_core.config import Model


def build_head(model: Model, *, features: int, classes: int, like: nn.Module) -> nn.Module:
    """Return the layers from (N, features) to logits of shape (N, classes).

    ``mlp`` is linear, batch norm if asked (the linear layer then has no bias), ReLU, linear.
    They take the place of ``like``: without a bias on the logits where it has none, and as 1x1
    convolutions, from (N, features, H, W) to (N, classes, H, W), where it is one: such networks
    pool after their head.
    """
    convolutional = isinstance(like, nn.Conv2d)
    bias = not (isinstance(like, nn.Conv2d | nn.Linear) and like.bias is None)

    def layer(inputs: int, outputs: int, bias: bool = True) -> nn.Module:
        if convolutional:
            return nn.Conv2d(inputs, outputs, 1, bias=bias)
        return nn.Linear(inputs, outputs, bias)

    if model.head == "linear":
        return layer(features, classes, bias)
    hidden = model.head_hidden
    assert hidden is not None  # config.Model sees to it
    norm = nn.BatchNorm2d(hidden) if convolutional else nn.BatchNorm1d(hidden)
    return nn.Sequential(
        layer(features, hidden, bias=not model.head_batch_norm),
        *([norm] if model.head_batch_norm else []),
        nn.ReLU(inplace=True),
        layer(hidden, classes, bias),
    )
