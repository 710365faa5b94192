"""Which rows of each batch a process works on, and what is drawn for them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cnn_core.training.batches import Batches
from cnn_core.training.plan import derived_seed
from cnn_core.training.ranks import Ranks
from cnn_core.training.supply import Inputs, Supply


class Shares:
    """Shares a run's batches out to its processes, so that a step is that of one process.

    A batch with less than ``smallest`` images for each is too small to be shared out: all
    processes work on the whole of it, to the same result, of which the first one's counts.
    """

    def __init__(self, ranks: Ranks, batches: Batches, seed: int, smallest: int) -> None:
        self._ranks, self._batches, self._seed = ranks, batches, seed
        self._smallest = smallest

    def rows(self, count: int) -> slice:
        """Return which of a batch's ``count`` images this process works on."""
        return self._ranks.rows(count) if self._shared(count) else slice(0, count)

    def counts(self, count: int) -> bool:
        """Return whether this process's figures of such a batch go into the run's."""
        return self._ranks.first or self._shared(count)

    def weight(self, count: int, step: int) -> float:
        """Return what the mean loss of its rows weighs in a step of ``step`` images.

        With the mean of the processes' gradients every image of the step weighs the same.
        """
        if not self._shared(count):
            return count / step
        rows = self.rows(count)
        images: int = rows.stop - rows.start
        return self._ranks.size * images / step

    def loaded(self, supply: Supply, parts: Sequence[Tensor]) -> list[Tensor]:
        """Return the positions to load of each batch: all of it where draws are for all."""
        if supply.drawn_together:
            return list(parts)
        return [part[self.rows(len(part))] for part in parts]

    def changed(
        self, supply: Supply, inputs: Inputs, part: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor]:
        """Return this process's rows of a batch of ``part`` positions, changed at random."""
        rows = self.rows(len(part))
        if self._ranks.alone or not supply.drawn_together:
            return supply.changed(inputs, self._batches.labels(part[rows]), generator)
        inputs, targets = supply.changed(inputs, self._batches.labels(part), generator)
        return tuple(values[rows] for values in inputs), targets[rows]

    def generator(self, supply: Supply, epoch: int, step: int) -> torch.Generator:
        """Return what a step's random changes are drawn from; seed the generator of dropout.

        That one goes its own way in a process alone, and is in the checkpoint. Of several it is
        seeded for each step, so that a run goes on alike on as many of them.
        """
        ranks, key = self._ranks, (self._seed, epoch, step)
        if ranks.size > 1:
            torch.manual_seed(derived_seed(*key, ranks.rank, 1))
        apart = ranks.size > 1 and not supply.drawn_together
        seed = derived_seed(*key, ranks.rank) if apart else derived_seed(*key)
        return torch.Generator().manual_seed(seed)

    def _shared(self, count: int) -> bool:
        return count >= self._smallest * self._ranks.size
