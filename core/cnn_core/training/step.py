"""One optimizer step: its batches, in pieces that memory holds, and their figures."""

import traceback
from collections.abc import Generator, Iterator, Sequence

from torch import Tensor

from cnn_core.errors import is_out_of_memory
from cnn_core.training.figures import StepFigures
from cnn_core.training.learner import Learner
from cnn_core.training.plan import pieces
from cnn_core.training.ranks import Ranks
from cnn_core.training.shares import Shares
from cnn_core.training.state import LoopState
from cnn_core.training.supply import Inputs, Supply


class BatchTooLargeError(Exception):
    """Memory ran out in a step, which can be done anew in smaller pieces."""


class Step:
    """Takes steps; ``may_halve``: where memory runs out for one, it can be done in pieces."""

    def __init__(
        self,
        learner: Learner,
        shares: Shares,
        figures: StepFigures,
        ranks: Ranks,
        *,
        may_halve: bool,
    ) -> None:
        self._learner, self._shares, self._figures = learner, shares, figures
        self._ranks, self._may_halve = ranks, may_halve

    def load(
        self, state: LoopState, supply: Supply, groups: Sequence[Tensor]
    ) -> Generator[Inputs, None, None]:
        """Return the inputs of all pieces of these steps' positions, one after the other."""
        parts = [part for group in groups for part in _parts(state, group)]
        return supply.load(self._shares.loaded(supply, parts), state.epoch)

    def take(
        self,
        state: LoopState,
        supply: Supply,
        group: Tensor,
        loaded: Iterator[Inputs],
        *,
        steps_per_epoch: int,
    ) -> None:
        """One optimizer step over ``group`` (N,) positions, in batches whose gradients add up.

        Raises BatchTooLargeError, with nothing changed, where smaller pieces may do.
        """
        self._learner.begin_step()
        try:
            self._add_gradients(state, supply, group, loaded)
        except Exception as error:
            if not is_out_of_memory(error) or not self._can_halve(state):
                raise
            traceback.clear_frames(error.__traceback__)  # they hold what filled the memory
            self._figures.forget(state.step + 1)
            raise BatchTooLargeError from None
        self._learner.end_step(
            state.base_lr, global_step=state.global_step, steps_per_epoch=steps_per_epoch
        )
        state.step += 1
        state.global_step += 1

    def _add_gradients(
        self, state: LoopState, supply: Supply, group: Tensor, loaded: Iterator[Inputs]
    ) -> None:
        shares = self._shares
        generator = shares.generator(supply, state.epoch, state.step)
        parts = _parts(state, group)
        for number, part in enumerate(parts, 1):
            inputs, targets = shares.changed(supply, next(loaded), part, generator)
            self._ranks.reducing = number == len(parts)
            weight, counts = shares.weight(len(part), len(group)), shares.counts(len(part))
            logits, loss = self._learner.add_gradients(supply, inputs, targets, weight=weight)
            self._figures.add(state.step + 1, loss, logits, targets, counts=counts)

    def _can_halve(self, state: LoopState) -> bool:
        """Return whether there are pieces to halve, in a process that need not agree on it."""
        large = state.batch_size >> (state.halvings + 1) >= 2
        return self._may_halve and self._ranks.alone and large


def _parts(state: LoopState, group: Tensor) -> list[Tensor]:
    """Return what of a step's positions goes through the network at once."""
    return pieces(group, state.batch_size, state.halvings)
