"""Which parts of a network train, and which stay exactly as they are."""

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from cnn_core.backbones.structure import Network, under
from cnn_core.errors import UserError


def apply_freezing(network: Network, policy: str) -> None:
    """Make exactly the parameters that ``policy`` names not require a gradient.

    ``none``; ``convolutional`` or ``classifier`` (the fully connected layers, the head
    included); ``backbone`` (all but the head); ``first:N`` stages. Raises UserError where the
    network has fewer stages, no convolutions, or nothing is left to train.
    """
    frozen = network.parameters_under(_prefixes(network, policy))
    parameters = dict(network.module.named_parameters())
    if frozen.keys() == parameters.keys():
        raise UserError(f"freeze.policy: {policy!r} freezes the whole network: nothing would train")
    for name, parameter in parameters.items():
        parameter.requires_grad_(name not in frozen)


def _prefixes(network: Network, policy: str) -> list[str]:
    stages = network.stages
    match policy.split(":"):
        case ["none"]:
            return []
        case ["convolutional"]:
            if not network.convolutional:
                raise UserError(
                    "freeze.policy: 'convolutional', and the network has no convolutions; "
                    "'backbone' freezes all but the last layers"
                )
            return list(network.convolutional)
        case ["classifier"]:
            return list(network.classifier)
        case ["backbone"]:
            return [name for stage in stages for name in stage.modules]
        case ["first", count] if int(count) <= len(stages):
            return [name for stage in stages[: int(count)] for name in stage.modules]
        case ["first", _]:
            names = ", ".join(stage.name for stage in stages)
            raise UserError(
                f"freeze.policy: {policy!r}, and the network has {len(stages)} stages ({names})"
            )
    raise ValueError(f"not a freezing policy: {policy!r}")


def unfreeze(network: Network) -> list[nn.Parameter]:
    """Make every parameter require a gradient; return those that did not before."""
    thawed = [p for p in network.module.parameters() if not p.requires_grad]
    for parameter in thawed:
        parameter.requires_grad_(True)
    return thawed


def train_mode(network: Network, *, keep_statistics: bool = False) -> None:
    """Put the network in training mode, but frozen parts in evaluation mode.

    A stage none of whose parameters trains keeps the statistics of its batch norms and skips
    none of its blocks (stochastic depth is there for the training of those blocks). Its dropout
    layers go on: they are noise in what later layers see. A batch norm is also kept where only
    its own parameters are frozen, and with ``keep_statistics`` wherever it is, but in the head.
    """
    network.module.train()
    frozen = [
        name
        for stage in network.stages
        if _is_frozen(network, stage.modules)
        for name in stage.modules
    ]
    for name, layer in network.module.named_modules():
        if isinstance(layer, _DropoutNd):
            continue
        if under(name, frozen) or (
            isinstance(layer, _BatchNorm)
            and (_all_frozen(layer) or (keep_statistics and not under(name, network.head)))
        ):
            layer.training = False


def _all_frozen(layer: nn.Module) -> bool:
    trains = [p.requires_grad for p in layer.parameters()]
    return bool(trains) and not any(trains)


def _is_frozen(network: Network, prefixes: tuple[str, ...]) -> bool:
    parameters = network.parameters_under(prefixes).values()
    return bool(parameters) and not any(p.requires_grad for p in parameters)


def count_parameters(network: Network) -> tuple[int, int]:
    """Return how many parameters there are, and how many of them train."""
    return count(network.module.parameters())


def count(parameters: Iterable[nn.Parameter]) -> tuple[int, int]:
    """Return how many numbers the parameters hold, and how many of them train."""
    sizes = [(p.numel(), p.requires_grad) for p in parameters]
    return sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)
