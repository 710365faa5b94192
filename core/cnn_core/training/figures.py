"""Losses and hits of the steps done, left on the device until somebody wants to see them."""

import math
import time

import torch
from torch import Tensor

from cnn_core.training.events import StepsDone
from cnn_core.training.ranks import Ranks
from cnn_core.training.state import Diverged, LoopState


class StepFigures:
    """The figures of an epoch's steps that were not read yet, and the time since the last look.

    Reading waits for the device, so it should be rare.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[int, int, Tensor, Tensor]] = []
        self.restart_clock()

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def age_s(self) -> float:
        """Seconds since the figures were read, or the clock was restarted."""
        return time.perf_counter() - self._read

    def restart_clock(self) -> None:
        """Leave out of the speed what was done since, which was no training."""
        self._read = time.perf_counter()

    def add(
        self, step: int, loss: Tensor, logits: Tensor, targets: Tensor, *, counts: bool = True
    ) -> None:
        """Keep the mean loss () of a batch, and how many of its (N, classes) logits are right.

        Targets are labels (N,), or shares (N, classes) of the classes: then the largest counts.
        Unless it ``counts``, another process keeps the same.
        """
        labels = targets if targets.ndim == 1 else targets.argmax(1)
        correct = (logits.argmax(1) == labels).sum()
        self._steps.append((step, len(logits) if counts else 0, loss, correct))

    def forget(self, step: int) -> None:
        """Drop what is known of a step that is done anew."""
        self._steps = [figures for figures in self._steps if figures[0] != step]

    def read_into(
        self, state: LoopState, lr: float, steps_per_epoch: int, ranks: Ranks
    ) -> StepsDone:
        """Move all processes' figures to the sums of the epoch; return their means.

        There must be some. Raises Diverged where a loss is no number.
        """
        losses = torch.stack([loss for _, _, loss, _ in self._steps]).tolist()
        corrects = torch.stack([correct for *_, correct in self._steps]).tolist()
        own: list[tuple[float, ...]] = [
            (loss * count, count, correct if count else 0)
            for (_, count, *_), loss, correct in zip(self._steps, losses, corrects, strict=True)
        ]
        figures = ranks.sums(own)
        loss_sum, images = 0.0, 0
        for (step, *_), (loss, count, correct) in zip(self._steps, figures, strict=True):
            if not math.isfinite(loss):
                raise Diverged(f"the loss became {loss} at epoch {state.epoch}, step {step}")
            # In the order of the steps: sums must not depend on when this is called.
            state.loss_sum += loss
            state.seen += int(count)
            state.correct += int(correct)
            loss_sum += loss
            images += int(count)
        self._steps.clear()
        seconds = self.age_s
        self.restart_clock()
        state.train_seconds += seconds
        return StepsDone(
            epoch=state.epoch,
            step=state.step,
            steps_per_epoch=steps_per_epoch,
            global_step=state.global_step,
            loss=loss_sum / images,
            lr=lr,
            images_per_s=images / seconds,
        )
