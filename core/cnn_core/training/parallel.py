"""A network on several processes: one gradient, one set of statistics."""

from collections.abc import Callable, Generator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from cnn_core.backbones.structure import Network
from cnn_core.config import Train
from cnn_core.training.compiling import training_forward
from cnn_core.training.events import Notice
from cnn_core.training.memory import Probe
from cnn_core.training.ranks import Ranks
from cnn_core.training.supply import Output

_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Forwards:
    """What runs modules in training: compiled where that is wanted, in parallel where it can be."""

    def __init__(
        self, train: Train, probe: Probe, ranks: Ranks, warn: Callable[[str], None]
    ) -> None:
        self._train, self._probe, self._ranks, self._warn = train, probe, ranks, warn
        self._parallel: list[Parallel] = []

    def __call__(self, module: nn.Module) -> Callable[..., Output]:
        """Return what runs a module."""
        if self._ranks.alone:
            return self._compiled(module)
        leaves_out = self._probe.leaves_out_parameters
        forward = Parallel(module, self._ranks, compiled=self._compiled, leaves_out=leaves_out)
        self._parallel.append(forward)
        return forward

    def renew(self) -> None:
        """Take note that other parameters train from now on."""
        for forward in self._parallel:
            forward.renew()

    def _compiled(self, module: nn.Module) -> Callable[..., Output]:
        return training_forward(module, self._train, self._warn)


class Parallel:
    """Runs a module whose gradients become the means of all processes', added up on the way back.

    While ``ranks.reducing`` is not set they stay this process's. The wrapper is made at the first
    call, from what trains then: ``renew`` it where that changes.
    """

    def __init__(
        self,
        module: nn.Module,
        ranks: Ranks,
        *,
        compiled: Callable[[nn.Module], Callable[..., Output]],
        leaves_out: Callable[[], bool],
    ) -> None:
        """``leaves_out`` tells whether a parameter that trains takes no part in a step."""
        self._module, self._ranks = module, ranks
        self._compiled, self._leaves_out = compiled, leaves_out
        self._wrapper: DistributedDataParallel | None = None
        self._forward: Callable[..., Output] = module

    def __call__(self, *inputs: torch.Tensor) -> Output:
        """Return the module's output."""
        if self._wrapper is None:
            self._wrapper = DistributedDataParallel(
                self._module,
                gradient_as_bucket_view=True,
                find_unused_parameters=self._leaves_out(),
            )
            # Statistics are agreed on when they are used: see mean_statistics.
            self._wrapper.broadcast_buffers = False
            self._forward = self._compiled(self._wrapper)
        self._wrapper.require_backward_grad_sync = self._ranks.reducing
        return self._forward(*inputs)

    def renew(self) -> None:
        """Take note that other parameters train from now on."""
        self._wrapper = None


def share_network(
    network: Network, batch_size: int, device: torch.device, ranks: Ranks
) -> Generator[Notice, None, int]:
    """Make the network ready for several processes; return how many images each needs of a batch.

    Tells of what makes the run another one than that of one process.
    """
    if ranks.alone:
        return 1
    smallest = 1 if share_statistics(network.module, device) else 2
    if batch_size < smallest * ranks.size:
        text = (
            f"train.batch_size = {batch_size} is too small for {ranks.size} processes: "
            "each of them computes all of it"
        )
        yield Notice(level="warning", text=text)
    elif smallest == 2 and any(
        isinstance(layer, _BatchNorm) and layer.training for layer in network.module.modules()
    ):
        text = (
            "on CPUs batch norm takes its statistics from each process's share of a batch, "
            f"{batch_size // ranks.size} images of {batch_size}: losses are near those of one "
            "process, not the same"
        )
        yield Notice(level="info", text=text)
    return smallest


def share_statistics(module: nn.Module, device: torch.device) -> bool:
    """Let batch norms take their statistics from all processes' images; return whether they do.

    They can on a GPU only. The names in the state dict stay the same.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        return True
    if device.type != "cuda":
        return False
    if all(type(layer) in _PLAIN for layer in layers):
        nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
    else:  # timm's have an activation inside, which torch's own function would drop
        from timm.layers.norm_act import convert_sync_batchnorm

        convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
    return True


def mean_statistics(module: nn.Module, ranks: Ranks) -> None:
    """Give the batch norms that note statistics the mean of what all processes noted."""
    noted = [
        values
        for layer in module.modules()
        if isinstance(layer, _BatchNorm) and layer.training and layer.running_mean is not None
        for values in (layer.running_mean, layer.running_var)
        if values is not None and not isinstance(layer, nn.SyncBatchNorm)
    ]
    if ranks.alone or not noted:
        return
    total = torch.cat(noted)
    ranks.add_up(total)
    total /= ranks.size
    means = torch.split(total, [len(values) for values in noted])
    for values, mean in zip(noted, means, strict=True):
        values.copy_(mean)
