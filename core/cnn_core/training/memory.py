"""How many images a step can take."""

import copy
import traceback
from collections.abc import Callable
from typing import TypeVar

import psutil
import torch
from torch import Tensor, nn

from cnn_core.backbones.structure import Network
from cnn_core.errors import is_out_of_memory
from cnn_core.memory_ledger import MemoryLedger
from cnn_core.training.batches import Batches
from cnn_core.training.device import Precision, autocast
from cnn_core.training.loss import logits_and_loss
from cnn_core.training.ranks import Ranks

# Gradients of activations live beside the activations for a while. Measured peaks of a CPU step
# are 1.04 to 1.23 times what autograd keeps (AlexNet, VGG16 and ResNet18 at 224 pixels, the seed
# networks at 32 with 256 images or more). The rest is margin for workspaces, which weigh most in
# small batches, where it does not matter: 1.57 times for 64 images of the ConvNet.
_PEAK_FACTOR = 1.5
# Share of the free memory of a host that a batch found by "auto" may take.
_HOST_SHARE = 0.5
# A step of more takes a host long, and whoever asks for a stop waits for its end.
_HOST_MOST = 256

Result = TypeVar("Result")


def in_halves(
    compute: Callable[[tuple[Tensor, ...]], Result], inputs: tuple[Tensor, ...]
) -> list[Result]:
    """Return what ``compute`` gives for inputs (N, ...), in order: of all, or where memory runs
    out of each half, and so on. Raises what says so where one image is too many.
    """
    try:
        return [compute(inputs)]
    except Exception as error:
        if not is_out_of_memory(error) or len(inputs[0]) == 1:
            raise
        traceback.clear_frames(error.__traceback__)  # they hold what filled the memory
    middle = len(inputs[0]) // 2
    halves = (tuple(x[:middle] for x in inputs), tuple(x[middle:] for x in inputs))
    return [result for half in halves for result in in_halves(compute, half)]


class Probe:
    """Trial steps on a copy of the network; the network and random state stay untouched."""

    def __init__(
        self,
        network: Network,
        batches: Batches,
        positions: Tensor,
        device: torch.device,
        precision: Precision,
        ranks: Ranks,
    ) -> None:
        self._ranks = ranks
        self._network, self._batches, self._positions = network, batches, positions
        self._device, self._precision = device, precision

    def bytes_per_image(self) -> float:
        """Return the bytes that one more image takes at the most during the forward pass.

        With most layers trained that is what autograd keeps until the backward pass; with most
        of them frozen, what the largest layers hold meanwhile.
        """
        small, large = (self._forward_bytes(n) for n in (2, 4))
        return max(1.0, (large - small) / 2)

    def likely_batch_size(self) -> int:
        """Return the largest power of two that memory should hold, from the bytes of an image."""
        free = self._free_bytes()
        state = 3 * sum(p.numel() * 4 for p in self._network.module.parameters() if p.requires_grad)
        fitting = (free - state) / (_PEAK_FACTOR * self.bytes_per_image())
        return _power_of_two_below(int(min(max(fitting, 1), len(self._positions))))

    def largest_batch_size(self) -> int:
        """Return the largest power of two, at most the training set, that fits.

        On a GPU it is tried; on a host, where trying would swap, it is reckoned for half of
        the free memory, and at most 256. For several processes it is what fits in each of them,
        times their number.
        """
        size, most = self.likely_batch_size(), len(self._positions) // self._ranks.size
        if self._device.type == "cuda":
            while size > 1 and not self._fits(size):
                size //= 2
            while 2 * size <= most and self._fits(2 * size):
                size *= 2
        else:
            size = min(size, _HOST_MOST)
        size = min(size, _power_of_two_below(max(most, 1)))
        return -int(self._ranks.largest([-size])[0]) * self._ranks.size

    def leaves_out_parameters(self) -> bool:
        """Return whether a parameter that trains takes no part in a step."""
        module = copy.deepcopy(self._network.module)
        self._loss(module, 2).backward()  # type: ignore[no-untyped-call]
        return any(p.requires_grad and p.grad is None for p in module.parameters())

    def takes_one_image(self) -> bool:
        """Return whether a batch of one image trains: batch norm may need a second value."""
        try:
            self._loss(copy.deepcopy(self._network.module), 1)
        except ValueError:  # of torch.nn.functional.batch_norm
            return False
        return True

    def _free_bytes(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            return torch.cuda.mem_get_info(self._device)[0]
        return _HOST_SHARE * psutil.virtual_memory().available / self._ranks.local_size

    def _forward_bytes(self, count: int) -> int:
        module = copy.deepcopy(self._network.module)  # batch norm would count the trial
        ledger = MemoryLedger()
        with ledger:
            self._loss(module, count)
        return ledger.peak

    def _fits(self, count: int) -> bool:
        try:
            self._loss(copy.deepcopy(self._network.module), count).backward()  # type: ignore[no-untyped-call]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        finally:
            torch.cuda.empty_cache()
        return True

    def _loss(self, module: nn.Module, count: int) -> Tensor:
        devices = [self._device] if self._device.type == "cuda" else []
        repeated = self._positions[torch.arange(count) % len(self._positions)]
        with torch.random.fork_rng(devices):
            images_NCHW = self._batches.normalize(self._batches.pixels(repeated))
            with autocast(self._device, self._precision):
                output = module(images_NCHW)
            return logits_and_loss(self._network, output, self._batches.labels(repeated))[1]


def _power_of_two_below(count: int) -> int:
    return 1 << (count.bit_length() - 1)
