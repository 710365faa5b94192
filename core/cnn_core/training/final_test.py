"""The test at the end of a run."""

from collections.abc import Generator
from pathlib import Path

from torch import Tensor

from cnn_core.datasets.prepare import Prepared
from cnn_core.errors import disk_fault
from cnn_core.files import stamp_of
from cnn_core.training.checkpoint import checkpoint_path, load_checkpoint
from cnn_core.training.control import Control
from cnn_core.training.evaluation import Metrics
from cnn_core.training.events import CheckpointName, Event, Notice, TestEvaluated
from cnn_core.training.predictions import Predictions, predictions_path, save_predictions
from cnn_core.training.ranks import Ranks
from cnn_core.training.trainer import Trainer


def final_test(
    trainer: Trainer, data: Prepared, run_dir: Path, ranks: Ranks, control: Control
) -> Generator[Event, None, None]:
    """Evaluate the last and the best weights once, and keep the best one's logits.

    Raises AbandonedError where the control asks to stop meanwhile.
    """
    last_epoch, best_epoch = trainer.state.epoch - 1, trainer.state.best_epoch
    logits, metrics = trainer.evaluate("test", control)
    yield _tested("last", last_epoch, metrics)
    if best_epoch != last_epoch:
        best = load_checkpoint(run_dir, "best")["model"] if ranks.first else {}
        trainer.network.module.load_state_dict(ranks.from_first(best))
        logits, metrics = trainer.evaluate("test", control)
    if ranks.first:
        try:
            _keep(logits, data, run_dir)
        except OSError as error:  # what was found out is in the log: no reason to fail the run
            path = predictions_path(run_dir, "test", "best")
            text = f"not kept: {disk_fault(error, path)}; cnn-tui evaluate computes them again"
            yield Notice(level="warning", text=f"the test's predictions are {text}")
    yield _tested("best", best_epoch, metrics)


def _keep(logits: Tensor, data: Prepared, run_dir: Path) -> None:
    save_predictions(
        predictions_path(run_dir, "test", "best"),
        Predictions(
            logits.numpy(),
            data.labels[data.test],
            tuple(data.names[position] for position in data.test),
            data.classes,
        ),
        stamp_of(checkpoint_path(run_dir, "best")),
    )


def _tested(name: CheckpointName, epoch: int, metrics: Metrics) -> TestEvaluated:
    return TestEvaluated(
        checkpoint=name, epoch=epoch, acc=metrics.acc, top5=metrics.top5, loss=metrics.loss
    )
