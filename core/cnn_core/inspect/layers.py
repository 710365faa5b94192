"""The layers of a run's network that can be looked into."""

from collections.abc import Iterable

from cnn_core.backbones.structure import convolutions
from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.inspect.trained import Trained
from cnn_core.summary import summarize

__all__ = ["check_layer", "convolutions", "map_shapes"]


def map_shapes(trained: Trained) -> dict[str, tuple[int, ...]]:
    """Return the shape (C,H,W) of each layer's feature maps, by name, in forward order.

    Layers are those of ``cnn-tui summary``; what gives no maps, such as a linear one, is left out.
    """
    layers = summarize(trained.network, image_size=trained.image_size).layers
    return {row.name: row.output_shape[1:] for row in layers if len(row.output_shape) == 4}


def check_layer(run: str, name: str, names: Iterable[str], kind: str) -> None:
    """Raise UserError, with the nearest of ``names``, unless ``name`` is among them.

    ``run`` is the id of the run, ``kind`` says what they are names of.
    """
    names = tuple(names)
    if not names:
        raise UserError(f"run {printable(run)}: its network has no {kind}")
    if name not in names:
        near = printable(did_you_mean(name, names))
        raise UserError(f"run {printable(run)}: no {kind} {printable(name)!r}{near}")
