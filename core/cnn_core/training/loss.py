"""The loss of a training step."""

from torch import Tensor
from torch.nn import functional as F

from cnn_core.backbones.structure import Network


def logits_and_loss(
    network: Network,
    output: Tensor | tuple[Tensor, ...],
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return the logits (N, classes) and the mean cross-entropy in nats.

    ``targets`` are labels (N,), or shares of the classes (N, classes) where images were mixed.
    ``output`` is the network's in training mode: where it has auxiliary classifiers their losses
    are added, each times the weight of ``network.auxiliary`` (Szegedy et al. 2015, page 6).
    """

    def cross_entropy(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), targets, label_smoothing=label_smoothing)

    if isinstance(output, Tensor):
        return output, cross_entropy(output)
    assert network.auxiliary is not None  # others return logits alone
    logits, *others = output
    side = sum(cross_entropy(other) for other in others)
    return logits, cross_entropy(logits) + network.auxiliary.weight * side
