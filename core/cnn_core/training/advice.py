"""What to try next when a training ends badly, in one sentence each."""

from cnn_core.training.memory import Probe
from cnn_core.training.state import Diverged
from cnn_core.training.trainer import Trainer


def divergence_advice(outcome: Diverged, trainer: Trainer) -> str:
    """Return the sentence for a loss that is no number."""
    optim, best_epoch = trainer.config.optim, trainer.state.best_epoch
    rate = trainer.optimizer.param_groups[0]["lr"]
    advice = [f"optim.lr={optim.lr / 10:g}"]
    if optim.warmup_epochs == 0 and optim.schedule != "one_cycle":
        advice.append("optim.warmup_epochs=1")
    if optim.clip_norm is None:
        advice.append("optim.clip_norm=1.0")
    kept = f"; best.pt holds epoch {best_epoch}" if best_epoch else ""
    return f"{outcome}, with learning rate {rate:g}; try --set {' or '.join(advice)}{kept}"


def memory_advice(trainer: Trainer | None, probe: Probe | None) -> str:
    """Return the sentence for memory that ran out, with a batch size likely to fit."""
    if trainer is None or probe is None:
        return "out of memory while preparing; free some, or lower data.image_size"
    size, state = trainer.state.batch_size, trainer.state
    trainer.optimizer.zero_grad(set_to_none=True)
    likely = min(probe.likely_batch_size(), max(1, size // 2))
    same = (
        f" --set train.accumulate={-(-size // likely)} for the same step" if likely < size else ""
    )
    return (
        f"out of memory at epoch {state.epoch}, step {state.step + 1} with a batch of {size}; "
        f"likely to fit: --set train.batch_size={likely}{same}"
    )
