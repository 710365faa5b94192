"""What happens in a run, in words: the same in the terminal and in the app."""

import shlex
from pathlib import Path
from typing import Any

from cnn_core.training.events import (
    EpochFinished,
    Event,
    LearningRateSet,
    Notice,
    Paused,
    RunFinished,
    RunStarted,
    TestEvaluated,
    Unpaused,
)
from cnn_tui.output import percent, seconds


def describe_start(event: RunStarted) -> str:
    """Return the lines at the start of a training."""
    threads = f"{event.threads} {'thread' if event.threads == 1 else 'threads'}"
    where = event.device
    if event.world_size > 1:
        where, threads = f"{event.world_size} processes, the first on {where}", f"{threads} each"
    lines = [
        f"{event.train:,} train, {event.val:,} val and {event.test:,} test images of "
        f"{len(event.classes):,} classes",
        f"{event.params_total:,} parameters, {event.params_trainable:,} of them train",
        f"on {where}, {threads}, {event.precision}, batch size {event.batch_size}",
    ]
    if event.resumed_epoch is not None:
        lines.append(
            f"going on in epoch {event.resumed_epoch + 1}, after step {event.resumed_step}"
        )
    return "\n".join(lines)


def describe_epoch(event: EpochFinished, epochs: int) -> str:
    """Return the figures of an epoch in one line of at most 80 characters."""
    train = f"loss {event.train_loss:.4f} acc {percent(event.train_acc):>7}"
    parts = [f"epoch {event.epoch:>{len(str(epochs))}}/{epochs}", train]
    if event.val_loss is not None:
        parts.append(f"val {event.val_loss:.4f} acc {percent(event.val_acc):>7}")
    parts.append(f"{seconds(event.seconds)}{'  best' if event.best else ''}")
    return "  ".join(parts)


def describe(event: Event) -> str | None:
    """Return a line for an event that has nothing to do with progress, if it deserves one."""
    match event:
        case Notice(level=level, text=text):
            return text if level == "info" else f"{level}: {text}"
        case Paused():
            return "paused; cnn-tui unpause goes on"
        case Unpaused():
            return "going on"
        case LearningRateSet(lr=lr):
            return f"learning rate set to {lr:g}"
        case TestEvaluated():
            top5 = f"  top-5 {percent(event.top5)}" if event.top5 is not None else ""
            return (
                f"test of {event.checkpoint} (epoch {event.epoch})  loss {event.loss:.4f}  "
                f"acc {percent(event.acc)}{top5}"
            )
        case RunFinished(status=status, error=error) if error:
            return f"{status}: {error}"
    return None


def result_rows(summary: dict[str, Any], path: str) -> list[tuple[str, str]]:
    """Return the final table of a run from its summary."""
    best, test, last = summary["best"], summary["test"], summary["test_last"]
    rows = [("status", summary["status"])]
    if best["epoch"] is not None:
        val = percent(best["val_acc"])
        accuracy = f", validation accuracy {val}" if val else ""
        rows.append(("best epoch", f"{best['epoch']} of {summary['epoch']}{accuracy}"))
    if test["acc"] is not None:
        top5 = f", top-5 {percent(test['top5'])}" if test["top5"] is not None else ""
        rows.append(("test accuracy", f"{percent(test['acc'])} (best weights{top5})"))
    if last["acc"] is not None and last["checkpoint"] != test["checkpoint"]:
        rows.append(("", f"{percent(last['acc'])} (last weights)"))
    timing = summary["timing"]
    speed = timing["images_per_s"]
    rate = f", {speed:,.0f} images/s in training" if speed is not None else ""
    rows.append(("time", f"{seconds(timing['total_s'])}{rate}"))
    rows.append(("run", path))
    return rows


def headless_command(run_dir: Path) -> str:
    """Return the command that repeats a run in a terminal."""
    return shlex.join(["cnn-tui", "run", str(run_dir / "config.toml"), "--headless"])
