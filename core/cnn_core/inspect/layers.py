"""The layers of a run's network that can be looked into."""

from collections.abc import Iterable

from cnn_core.backbones.structure import convolutions
from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.inspect.trained import Trained
from cnn_core.summary import summarize

__all__ = ["channels_last", "check_layer", "convolutions", "default_layers", "map_shapes"]


def map_shapes(trained: Trained) -> dict[str, tuple[int, ...]]:
    """Return the shape (C,H,W) of each layer's feature maps, by name, in forward order.

    Layers are those of ``cnn-tui summary``; what gives no maps, such as a linear one, is left out.
    """
    shapes = _output_shapes(trained)
    last = channels_last(trained)
    return {
        name: (shape[2], *shape[:2]) if name in last else shape for name, shape in shapes.items()
    }


def channels_last(trained: Trained) -> frozenset[str]:
    """Return the names of the layers that give maps as (H,W,C), as those inside Swin's blocks do.

    Images are square, so the sides that are equal are height and width.
    """
    shapes = _output_shapes(trained).items()
    return frozenset(name for name, (one, two, three) in shapes if one == two != three)


def _output_shapes(trained: Trained) -> dict[str, tuple[int, ...]]:
    layers = summarize(trained.network, image_size=trained.image_size).layers
    return {row.name: row.output_shape[1:] for row in layers if len(row.output_shape) == 4}


def default_layers(trained: Trained) -> tuple[str, ...]:
    """Return the first and the last convolution whose feature maps are larger than one pixel.

    That is one where there is one only. Raises UserError where the network has none.
    """
    names = set(convolutions(trained.network.module))
    shapes = map_shapes(trained).items()
    found = [name for name, (_, *sides) in shapes if name in names and max(sides) > 1]
    if not found:
        raise UserError(f"run {printable(trained.run_dir.name)}: its network has no convolution")
    return tuple(dict.fromkeys((found[0], found[-1])))


def check_layer(run: str, name: str, names: Iterable[str], kind: str) -> None:
    """Raise UserError, with the nearest of ``names``, unless ``name`` is among them.

    ``run`` is the id of the run, ``kind`` says what they are names of.
    """
    names = tuple(names)
    if not names:
        raise UserError(f"run {printable(run)}: its network has no {kind}")
    if name not in names:
        near = printable(did_you_mean(name, names))
        raise UserError(f"run {printable(run)}: no {kind} '{printable(name)}'{near}")
