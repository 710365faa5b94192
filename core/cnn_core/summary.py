"""The table of a network's layers: output shapes, parameters and memory."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cnn_core.backbones.shapes import forward_shapes
from cnn_core.backbones.structure import Network, under
from cnn_core.freezing import count

_FLOAT32_BYTES = 4
_MB = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class LayerRow:
    """A call of a layer; a layer called again has its parameters in its first row only."""

    name: str
    type: str
    """The class and the row's number, such as "Conv2d-1"."""
    output_shape: tuple[int, ...]
    """Sides of the output, the batch as -1."""
    parameters: int
    trainable: int


@dataclasses.dataclass(frozen=True, slots=True)
class StageRow:
    """A stage of the backbone, or the head."""

    name: str
    output_shape: tuple[int, ...]
    """Sides of what it hands on, the batch as -1; empty where no layer of it ran."""
    parameters: int
    trainable: int
    frozen: int


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """Layers, stages and totals; sizes in MB of 1024x1024 bytes, as float32."""

    layers: tuple[LayerRow, ...]
    stages: tuple[StageRow, ...]
    total: int
    trainable: int
    frozen: int
    input_mb: float
    forward_backward_mb: float
    params_mb: float
    total_mb: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists for JSON."""
        return dataclasses.asdict(self)


def summarize(network: Network, *, image_size: int, batch_size: int = 1) -> Summary:
    """Return the table for ``batch_size`` square images of ``image_size`` pixels.

    The memory follows the torchsummary package: every layer's output and its gradient, the
    parameters once, the input once. It runs on the meta device, so that nothing is computed.
    """
    rows: list[LayerRow] = []
    elements = 0
    seen: set[nn.Module] = set()
    names = {layer: name for name, layer in network.module.named_modules()}

    shapes: dict[str, tuple[int, ...]] = {}

    def see(layer: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            shapes.pop(names[layer], None)  # in the order in which they end
            shapes[names[layer]] = (-1, *output.shape[1:])

    def record(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal elements
        elements += output.numel()
        counts = (0, 0) if layer in seen else count(layer.parameters())
        seen.add(layer)
        kind = f"{type(layer).__name__}-{len(rows) + 1}"
        rows.append(LayerRow(names[layer], kind, (-1, *output.shape[1:]), *counts))

    hooks = [layer.register_forward_hook(record) for layer in names if _computes(layer)]
    hooks += [layer.register_forward_hook(see) for layer in names]
    try:
        forward_shapes(network.module, image_size, batch_size)
    finally:
        for hook in hooks:
            hook.remove()

    parts = [(stage.name, stage.modules) for stage in network.stages] + [("head", network.head)]
    total, trainable = count(network.module.parameters())
    input_mb = batch_size * 3 * image_size**2 * _FLOAT32_BYTES / _MB
    forward_backward_mb = 2 * elements * _FLOAT32_BYTES / _MB
    params_mb = total * _FLOAT32_BYTES / _MB
    return Summary(
        layers=tuple(rows),
        stages=tuple(_stage(network, name, modules, shapes) for name, modules in parts),
        total=total,
        trainable=trainable,
        frozen=total - trainable,
        input_mb=input_mb,
        forward_backward_mb=forward_backward_mb,
        params_mb=params_mb,
        total_mb=input_mb + forward_backward_mb + params_mb,
    )


def _stage(
    network: Network, name: str, modules: tuple[str, ...], shapes: Mapping[str, tuple[int, ...]]
) -> StageRow:
    inside = [shape for layer, shape in shapes.items() if under(layer, modules)]
    total, trainable = count(network.parameters_under(modules).values())
    return StageRow(name, inside[-1] if inside else (), total, trainable, total - trainable)


def _computes(layer: nn.Module) -> bool:
    """Return whether it is a layer of its own; what a cut removed is an identity."""
    return not any(True for _ in layer.children()) and not isinstance(layer, nn.Identity)
