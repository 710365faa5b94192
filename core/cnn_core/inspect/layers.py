"""The layers of a run's network that can be looked into."""

from collections.abc import Iterable
from dataclasses import dataclass

from cnn_core.backbones.structure import convolutions
from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.inspect.trained import Trained
from cnn_core.summary import summarize

__all__ = ["check_layer", "convolutions", "default_layers", "layers_with_maps", "map_shapes"]


@dataclass(frozen=True, slots=True)
class Maps:
    """The shape (C,H,W) of a layer's feature maps; ``channels_last``: it gives them as (H,W,C)."""

    shape: tuple[int, int, int]
    channels_last: bool


def layers_with_maps(trained: Trained) -> dict[str, Maps]:
    """Return the layers that give feature maps, by name, in forward order.

    Layers are those of ``cnn-tui summary``; what gives no maps, such as a linear one, is left out.
    Swin's blocks have their channels last. Images are square, so the sides that are equal are
    height and width.
    """
    found = {}
    for row in summarize(trained.network, image_size=trained.image_size).layers:
        if len(row.output_shape) == 4:
            one, two, three = row.output_shape[1:]
            last = one == two != three
            found[row.name] = Maps((three, one, two) if last else (one, two, three), last)
    return found


def map_shapes(trained: Trained) -> dict[str, tuple[int, int, int]]:
    """Return the shape (C,H,W) of each layer's feature maps, by name, in forward order."""
    return {name: maps.shape for name, maps in layers_with_maps(trained).items()}


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
