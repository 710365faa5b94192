"""Which part of a network's computation is the same in every epoch, and the rest of it.

The network's graph of calls is traced (torch.fx) and run once, call by call. A call is fixed
where its inputs are, no parameter of it trains, and it neither draws random numbers nor looks at
other images of the batch. What the rest of the network takes from fixed calls are its features.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.utils._python_dispatch import TorchDispatchMode

from cnn_core.backbones.structure import Network, under


@dataclasses.dataclass(frozen=True, slots=True)
class Feature:
    """A tensor that the rest of a network takes; ``shape`` is of one image."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    channels_last: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Division:
    """A network as two: ``rest(*fixed(images_NCHW))`` is what it gives in the mode it was in.

    Both share their parameters, buffers and layers with the network. ``fixed`` returns a tuple of
    tensors, ``features``, whose first dimension is the images.
    """

    fixed: fx.GraphModule
    rest: fx.GraphModule
    features: tuple[Feature, ...]

    @property
    def bytes_per_image(self) -> int:
        """Return the bytes of the features of one image."""
        return sum(torch.Size(f.shape).numel() * f.dtype.itemsize for f in self.features)


def divide_network(network: Network, images_NCHW: Tensor) -> Division | None:
    """Return the network, in its present mode, as a fixed part and the rest.

    ``images_NCHW`` are two or more normalised images to try it on, under the autocast that
    training uses. Returns None where no frozen layer is fixed, or where the parts can't be told
    apart: Python code that depends on values, or parts that share memory.
    """
    graph = _traced(network)
    if graph is None:
        return None
    trial = _Trial(fx.GraphModule(network.module, graph))
    devices = [images_NCHW.device] if images_NCHW.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices):
        trial.run(images_NCHW)
    features = trial.features()
    if features is None or not trial.has_parameters:
        return None
    nodes, values = features
    shared = {value.untyped_storage().data_ptr() for value in values}
    if len(shared) < len(values) or any(len(value) != len(images_NCHW) for value in values):
        return None
    return Division(
        fixed=_fixed_part(network.module, graph, trial.fixed, nodes),
        rest=_rest(network.module, graph, trial.fixed, nodes),
        features=tuple(
            Feature(tuple(value.shape[1:]), value.dtype, _is_channels_last(value))
            for value in values
        ),
    )


def _is_channels_last(value: Tensor) -> bool:
    plain = value.is_contiguous()
    return value.ndim == 4 and not plain and value.is_contiguous(memory_format=torch.channels_last)


_BATCH_STATISTICS = (_BatchNorm, _InstanceNorm)


class _Tracer(fx.Tracer):
    """Traces into modules that have others inside, but for those named ``whole``.

    Layers with statistics of the batch are not traced into either: tracing would change them.
    """

    def __init__(self, whole: tuple[str, ...]) -> None:
        super().__init__()
        self._whole = whole

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether the call is left as it is."""
        return (
            super().is_leaf_module(m, module_qualified_name)
            or next(m.children(), None) is None
            or isinstance(m, _BATCH_STATISTICS)
            or under(module_qualified_name, self._whole)
        )


def _traced(network: Network) -> fx.Graph | None:
    """Return the graph of calls, of whole stages where what is inside them can't be traced."""
    stages = tuple(name for stage in network.stages for name in stage.modules)
    for whole in ((), stages):
        try:
            return _Tracer(whole).trace(network.module)
        except Exception:  # noqa: BLE001 - the network's own code may raise anything
            continue
    return None


class _Unfixed:
    """Stands for the value of a call that is not fixed, and was not made."""


class _Trial(fx.Interpreter):
    """Runs the calls that may be fixed, and finds out which are."""

    def __init__(self, module: fx.GraphModule) -> None:
        # Values are kept until the end: features are picked from them.
        super().__init__(module, garbage_collect_values=False)
        self.fixed: set[fx.Node] = set()
        self.has_parameters = False
        self._of_images: set[fx.Node] = set()

    def run_node(self, n: fx.Node) -> Any:
        """Return the value of a fixed call, or the stand-in for others."""
        inputs = n.all_input_nodes
        if n.op == "placeholder" or any(node in self._of_images for node in inputs):
            self._of_images.add(n)
        if n.op == "output" or not all(node in self.fixed for node in inputs):
            return _Unfixed()
        parameters = list(self._parameters(n))
        if any(p.requires_grad for p in parameters) or self._looks_at_batch(n):
            return _Unfixed()
        with _Watch() as watch:
            value = super().run_node(n)
        if watch.random:
            return _Unfixed()
        self.fixed.add(n)
        self.has_parameters |= bool(parameters) and n.op == "call_module"
        return value

    def features(self) -> tuple[list[fx.Node], list[Tensor]] | None:
        """Return the fixed calls whose values other calls use; None where they can't be kept."""
        nodes = [
            node
            for node in self.module.graph.nodes  # type: ignore[union-attr]
            if node in self.fixed & self._of_images
            and any(user not in self.fixed for user in node.users)
        ]
        values = [self.env[node] for node in nodes]
        given = any(node.op == "placeholder" for node in nodes)
        if given or not all(isinstance(value, Tensor) and value.ndim for value in values):
            return None
        return nodes, values

    def _parameters(self, n: fx.Node) -> Iterator[nn.Parameter]:
        if n.op == "call_module":
            yield from self.fetch_attr(str(n.target)).parameters()
        elif n.op == "get_attr" and isinstance(
            value := self.fetch_attr(str(n.target)), nn.Parameter
        ):
            yield value

    def _looks_at_batch(self, n: fx.Node) -> bool:
        """Return whether a layer takes its statistics from the batch, and notes them."""
        if n.op == "call_module":
            return any(
                layer.training and isinstance(layer, _BATCH_STATISTICS)
                for layer in self.fetch_attr(str(n.target)).modules()
            )
        return (
            n.op == "call_function" and "norm" in str(n.target) and bool(n.kwargs.get("training"))
        )


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notices whether random numbers are drawn."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.random = False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation of torch."""
        if torch.Tag.nondeterministic_seeded in func.tags:
            names = [argument.name for argument in func._schema.arguments]
            given = dict(zip(names, args, strict=False)) | (kwargs or {})
            # Attention is tagged for the dropout that it could do.
            self.random |= "dropout_p" not in names or bool(given.get("dropout_p"))
        return func(*args, **(kwargs or {}))


def _fixed_part(
    module: nn.Module, graph: fx.Graph, fixed: set[fx.Node], features: list[fx.Node]
) -> fx.GraphModule:
    part, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in graph.nodes:
        if node in fixed:
            copies[node] = part.node_copy(node, copies.__getitem__)
    part.output(tuple(copies[node] for node in features))
    return fx.GraphModule(module, part)


def _rest(
    module: nn.Module, graph: fx.Graph, fixed: set[fx.Node], features: list[fx.Node]
) -> fx.GraphModule:
    # Fixed calls that need no image, such as reading a weight, are no features: made again.
    needed: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node not in fixed or any(user in needed for user in node.users):
            needed |= {node} - set(features)
    part, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for number, node in enumerate(features):
        copies[node] = part.placeholder(f"features_{number}")
    for node in graph.nodes:
        if node in needed:
            copies[node] = part.node_copy(node, copies.__getitem__)
    return fx.GraphModule(module, part)
