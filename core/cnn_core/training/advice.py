"""What to try next when a training ends badly, in one sentence each."""

import contextlib
from pathlib import Path

from cnn_core.errors import CnnTuiError, first_line, shortage
from cnn_core.training.memory import Probe
from cnn_core.training.state import Diverged
from cnn_core.training.trainer import Trainer


def divergence_advice(outcome: Diverged, trainer: Trainer) -> str:
    """Return the sentence for a loss that is no number."""
    optim, best_epoch = trainer.config.optim, trainer.state.best_epoch
    rate = trainer.learner.lr
    advice = [f"optim.lr={optim.lr / 10:g}"]
    if optim.warmup_epochs == 0 and optim.schedule != "one_cycle":
        advice.append("optim.warmup_epochs=1")
    if optim.clip_norm is None:
        advice.append("optim.clip_norm=1.0")
    kept = f"; best.pt holds epoch {best_epoch}" if best_epoch else ""
    return f"{outcome}, with learning rate {rate:g}; try --set {' or '.join(advice)}{kept}"


def memory_advice(trainer: Trainer | None, probe: Probe | None) -> str:
    """Return the sentence for memory that ran out, with a batch size likely to fit.

    Without a probe that is half the size.
    """
    if trainer is None:
        return "out of memory while preparing; free some, or lower data.image_size"
    size, state = trainer.state.batch_size, trainer.state
    where = f"out of memory at epoch {state.epoch}, step {state.step + 1} with a batch of {size}"
    if size == 1:
        return f"{where}; lower data.image_size or take a smaller network"
    trainer.learner.begin_step()
    likely = size // 2
    # Where even the probe does not fit, half is all that can be said.
    if probe is not None:
        with contextlib.suppress(RuntimeError, MemoryError):
            likely = min(likely, probe.likely_batch_size())
    accumulate = trainer.config.train.accumulate * -(-size // likely)
    return (
        f"{where}; likely to fit: --set train.batch_size={likely} "
        f"--set train.accumulate={accumulate} for the same step"
    )


def failure_text(failure: Exception, run_dir: Path) -> str:
    """Return what went wrong, with the kind of an exception that nobody foresaw."""
    if isinstance(failure, CnnTuiError):
        return str(failure)
    if (short := shortage(failure, run_dir)) is not None:
        return short
    kind, text = type(failure).__name__, first_line(failure)
    return text if text == kind else f"{kind}: {text}"
