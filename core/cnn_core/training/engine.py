"""A run from its configuration to its result, as a stream of events."""

import dataclasses
import logging
import time
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnn_core.augment.catalog import build_augmentation
from cnn_core.backbones.catalog import normalization_warning
from cnn_core.backbones.network import build_network
from cnn_core.config import Experiment
from cnn_core.datasets.prepare import Prepared, prepare
from cnn_core.errors import UserError, first_line
from cnn_core.files import write_atomically
from cnn_core.freezing import apply_freezing, count_parameters, train_mode
from cnn_core.progress import Progress, Remark
from cnn_core.training.advice import divergence_advice, memory_advice
from cnn_core.training.batches import Batches
from cnn_core.training.checkpoint import (
    State,
    checkpoint_path,
    load_checkpoint,
    remove_partial_checkpoints,
)
from cnn_core.training.checks import check_last_batch, check_same_data, check_validation
from cnn_core.training.control import Control
from cnn_core.training.device import (
    Precision,
    determinism,
    device_name,
    resolve_device,
    resolve_precision,
)
from cnn_core.training.events import (
    CheckpointName,
    EndStatus,
    Event,
    Notice,
    Preparing,
    RunFinished,
    RunStarted,
    TestEvaluated,
)
from cnn_core.training.memory import Probe, is_out_of_memory
from cnn_core.training.state import Diverged, Positions
from cnn_core.training.trainer import Trainer
from cnn_core.training.whitening import whiten

_log = logging.getLogger(__name__)

# Seconds between events of one piece of work before the first step.
_PREPARING_INTERVAL_S = 0.25


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Folders of a run: the run's own, the data sets', the decoded pixels'."""

    run_dir: Path
    data_dir: Path
    cache_dir: Path


def stream(
    config: Experiment, control: Control, places: Places, *, device: str = "auto"
) -> Iterator[Event]:
    """Train as configured and yield what happens; always ends in exactly one RunFinished.

    Goes on from ``checkpoints/last.pt`` where the run has one. Failures become the status
    of the last event; their traceback goes to the log of this module.
    """
    started = time.perf_counter()
    session = _Session(config, control, places, device)
    status: EndStatus = "failed"
    error: str | None = None
    mistake = False
    try:
        status = yield from session.run()
    except Diverged as outcome:
        assert session.trainer is not None
        status, error = "diverged", divergence_advice(outcome, session.trainer)
    except UserError as failure:
        error, mistake = str(failure), True
    except Exception as failure:  # noqa: BLE001  (whatever it is, the run has an end and a log)
        _log.exception("the run failed")
        if is_out_of_memory(failure):
            traceback.clear_frames(failure.__traceback__)  # they hold what filled the memory
            error = memory_advice(session.trainer, session.probe)
        else:
            kind, told = type(failure).__name__, first_line(failure)
            error = told if told == kind else f"{kind}: {told}"
    yield RunFinished(
        status=status,
        error=error,
        mistake=mistake,
        epoch=session.epochs_done,
        seconds=time.perf_counter() - started,
    )


class _Session:
    """One sitting of a run: from opening the data to the test, or to the stop."""

    def __init__(
        self, config: Experiment, control: Control, places: Places, device_wanted: str
    ) -> None:
        self._config, self._control, self._places = config, control, places
        self._device_wanted = device_wanted
        self.trainer: Trainer | None = None
        self.probe: Probe | None = None

    @property
    def epochs_done(self) -> int:
        """Number of whole epochs trained."""
        return self.trainer.state.epoch - 1 if self.trainer else 0

    def run(self) -> Generator[Event, None, EndStatus]:
        """Prepare, train, test."""
        train = self._config.train
        device = resolve_device(self._device_wanted)
        precision = resolve_precision(train.precision, device)
        data = yield from self._prepare()
        if data is None:
            return "stopped"
        check_validation(self._config, len(data.val))
        remove_partial_checkpoints(self._places.run_dir)
        torch.manual_seed(self._config.seed)  # dropout draws from the global generator
        with determinism(train.deterministic):
            trainer = yield from self._build(data, device, precision)
            yield from trainer.train(self._control)
            if not trainer.done:
                return "stopped"
            yield from self._test(trainer, data)
        return "finished"

    def _prepare(self) -> Generator[Event, None, Prepared | None]:
        """Open the data set; return None where a stop is asked for meanwhile."""
        work = prepare(self._config.data, self._places.data_dir, self._places.cache_dir)
        shown, due = "", 0.0
        while True:
            try:
                item = next(work)
            except StopIteration as end:
                data: Prepared = end.value
                return data
            match item:
                case Progress(what, done, total):
                    # Work on a million images tells of itself thousands of times a second.
                    if what != shown or done == total > 0 or time.monotonic() >= due:
                        shown, due = what, time.monotonic() + _PREPARING_INTERVAL_S
                        yield Preparing(what=what, done=done, total=total)
                case Remark(text, warning):
                    yield Notice(level="warning" if warning else "info", text=text)
            if self._control.stopping:
                work.close()
                return None

    def _last_checkpoint(self) -> State | None:
        if not checkpoint_path(self._places.run_dir, "last").exists():
            return None
        return load_checkpoint(self._places.run_dir, "last")

    def _build(
        self, data: Prepared, device: torch.device, precision: Precision
    ) -> Generator[Event, None, Trainer]:
        """Put network, data and optimizer together, as they were if there is a checkpoint."""
        config = self._config
        checkpoint = self._last_checkpoint()
        if checkpoint is not None:
            yield from check_same_data(checkpoint, data)
        assert config.data.image_size is not None
        # A checkpoint holds every weight: going on needs no file of others.
        weights = config.model.weights if checkpoint is None else "none"
        network = build_network(
            config.model.model_copy(update={"weights": weights}),
            classes=len(data.classes),
            image_size=config.data.image_size,
            seed=config.seed,
        )
        if network.loaded:
            fresh = not any(
                name in network.loaded for name in network.parameters_under(network.head)
            )
            head = "; the head starts fresh" if fresh else ""
            text = f"{len(network.loaded)} tensors loaded from weights = {weights!r}{head}"
            yield Notice(level="info", text=text)
            if warning := normalization_warning(config.model, config.data.normalize):
                yield Notice(level="warning", text=warning)
        apply_freezing(network, config.freeze.policy)
        train_mode(network, keep_statistics=config.freeze.keep_statistics)
        network.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        batches = Batches(
            data.images_NHWC, data.labels, mean=data.mean, std=data.std, device=device
        )
        positions = Positions(
            *(torch.from_numpy(part) for part in (data.train, data.val, data.test))
        )
        if checkpoint is None:
            whiten(network, batches, positions.train)
        self.probe = Probe(network, batches, positions.train, device=device, precision=precision)
        if checkpoint is not None:
            batch_size = int(checkpoint["progress"]["batch_size"])
        elif config.train.batch_size == "auto":
            batch_size = self.probe.largest_batch_size()
            per_image = self.probe.bytes_per_image() / 2**20
            yield Notice(
                level="info",
                text=f"batch_size auto: {batch_size} ({per_image:.2f} MiB kept for an image)",
            )
        else:
            batch_size = config.train.batch_size
        check_last_batch(self.probe, batch_size, len(positions.train), config.train.drop_last)
        self.trainer = trainer = Trainer(
            config,
            network,
            batches=batches,
            positions=positions,
            augmentation=build_augmentation(config.augment, len(data.classes)),
            device=device,
            precision=precision,
            batch_size=batch_size,
            run_dir=self._places.run_dir,
            identity=_identity(config, data),
        )
        if checkpoint is not None:
            trainer.load(checkpoint)
        if config.train.compile:
            trainer.compile()
        yield self._started(trainer, data, resumed=checkpoint is not None)
        return trainer

    def _started(self, trainer: Trainer, data: Prepared, *, resumed: bool) -> RunStarted:
        total, trainable = count_parameters(trainer.network)
        return RunStarted(
            device=device_name(trainer.device),
            threads=torch.get_num_threads(),
            precision=trainer.precision,
            batch_size=trainer.state.batch_size,
            epochs=self._config.train.epochs,
            steps_per_epoch=trainer.steps_per_epoch,
            params_total=total,
            params_trainable=trainable,
            train=len(data.train),
            val=len(data.val),
            test=len(data.test),
            classes=data.classes,
            dataset_fingerprint=data.fingerprint,
            resumed_epoch=self.epochs_done if resumed else None,
            resumed_step=trainer.state.step if resumed else None,
        )

    def _test(self, trainer: Trainer, data: Prepared) -> Generator[Event, None, None]:
        """Evaluate the last and the best weights once, and keep the best one's logits."""
        if not len(data.test):
            return
        last_epoch, best_epoch = trainer.state.epoch - 1, trainer.state.best_epoch
        logits, metrics = trainer.evaluate(trainer.positions.test)
        yield _tested("last", last_epoch, metrics)
        if best_epoch != last_epoch:
            best = load_checkpoint(self._places.run_dir, "best")
            trainer.network.module.load_state_dict(best["model"])
            logits, metrics = trainer.evaluate(trainer.positions.test)
        folder = self._places.run_dir / "predictions"
        folder.mkdir(exist_ok=True)
        write_atomically(
            folder / "test.npz",
            lambda file: np.savez(
                file,
                logits=logits.numpy(),
                labels=data.labels[data.test],
                names=np.array([data.names[position] for position in data.test]),
                classes=np.array(data.classes),
            ),
        )
        yield _tested("best", best_epoch, metrics)


def _tested(name: CheckpointName, epoch: int, metrics: Any) -> TestEvaluated:
    return TestEvaluated(
        checkpoint=name, epoch=epoch, acc=metrics.acc, top5=metrics.top5, loss=metrics.loss
    )


def _identity(config: Experiment, data: Prepared) -> dict[str, Any]:
    """Return what a checkpoint tells whoever uses its weights: labels and preprocessing."""
    return {
        "config": config.model_dump(),
        "classes": list(data.classes),
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
        "dataset_fingerprint": data.fingerprint,
    }
