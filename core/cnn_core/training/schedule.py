"""The learning rate as a function of the position in training.

Positions are in epochs from the start, a float: 1.5 is the middle of the second epoch.
"""

import math

from cnn_core.config import Optim


def lr_factor(optim: Optim, *, step: int, steps_per_epoch: int, epochs: int) -> float:
    """Return the factor on ``optim.lr`` for the optimizer step ``step`` (from 0).

    - step: ``gamma`` to the number of whole ``step_size`` epochs done, as torch's StepLR.
    - cosine: half a cosine from 1 to 0, per step (Loshchilov and Hutter, "SGDR", 2017, eq. 5).
    - linear: straight from 1 to 0, per step.
    - one_cycle: torch's OneCycleLR with its defaults, cosine up over 30 % of the steps from
      1/25, then down to 1/250,000 (Smith and Topin, "Super-Convergence", 2018).
    - plateau: 1; ``PlateauState`` holds its factor, which depends on what was measured.

    A warm-up multiplies this by a line from 1/n to 1 over its n steps; cosine and linear start
    after it.
    """
    warmup = round(optim.warmup_epochs * steps_per_epoch)
    total = epochs * steps_per_epoch
    factor = (step + 1) / warmup if step < warmup else 1.0
    match optim.schedule:
        case "step":
            assert optim.step_size is not None
            factor *= optim.gamma ** (step // steps_per_epoch // optim.step_size)
        case "cosine":
            factor *= _cosine(1, 0, max(0, step - warmup) / max(1, total - warmup))
        case "linear":
            factor *= 1 - max(0, step - warmup) / max(1, total - warmup)
        case "one_cycle":
            peak = 0.3 * total - 1
            if step < peak:
                factor *= _cosine(1 / 25, 1, step / peak)
            else:
                factor *= _cosine(1, 1 / 250_000, (step - peak) / max(1, total - 1 - peak))
        case "constant" | "plateau":
            pass
    return factor


class PlateauState:
    """Factor that falls by ``gamma`` after ``step_size`` epochs without better val_acc.

    As torch's ReduceLROnPlateau(mode="max", threshold=0), except that patience counts the
    epochs without improvement that bring the decay, not those tolerated before it.
    """

    def __init__(self, optim: Optim) -> None:
        self._optim = optim
        self.factor = 1.0
        self.best = -math.inf
        self.epochs_without_better = 0

    def epoch_done(self, val_acc: float) -> None:
        """Take the validation accuracy of an epoch."""
        if self._optim.schedule != "plateau":
            return
        assert self._optim.step_size is not None
        if val_acc > self.best:
            self.best, self.epochs_without_better = val_acc, 0
            return
        self.epochs_without_better += 1
        if self.epochs_without_better >= self._optim.step_size:
            self.factor *= self._optim.gamma
            self.epochs_without_better = 0

    def state_dict(self) -> dict[str, float]:
        """Return what a checkpoint must keep."""
        return {
            "factor": self.factor,
            "best": self.best,
            "epochs_without_better": self.epochs_without_better,
        }

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a checkpoint."""
        self.factor, self.best = state["factor"], state["best"]
        self.epochs_without_better = int(state["epochs_without_better"])


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
