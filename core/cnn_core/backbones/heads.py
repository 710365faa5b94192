"""The last layers, made for the classes at hand."""

from torch import nn

from cnn_core.config import Model


def build_head(model: Model, *, features: int, classes: int) -> nn.Module:
    """Return the layers from (N, features) to logits of shape (N, classes).

    ``mlp`` is linear, batch norm if asked (the linear layer then has no bias), ReLU, linear.
    """
    if model.head == "linear":
        return nn.Linear(features, classes)
    assert model.head_hidden is not None  # config.Model sees to it
    hidden = nn.Linear(features, model.head_hidden, bias=not model.head_batch_norm)
    norm = [nn.BatchNorm1d(model.head_hidden)] if model.head_batch_norm else []
    return nn.Sequential(
        hidden, *norm, nn.ReLU(inplace=True), nn.Linear(model.head_hidden, classes)
    )
