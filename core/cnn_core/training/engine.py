"""A run from its configuration to its result, as a stream of events."""

import dataclasses
import logging
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import torch
from torch import nn

from cnn_core.config import Experiment
from cnn_core.datasets.prepare import Prepared, prepare
from cnn_core.errors import UserError, first_line
from cnn_core.freezing import count_parameters
from cnn_core.training.advice import divergence_advice, memory_advice
from cnn_core.training.assembly import identity, images_key, network_to_train
from cnn_core.training.batches import Batches
from cnn_core.training.checkpoint import (
    State,
    checkpoint_path,
    load_checkpoint,
    remove_partial_checkpoints,
    save_initial_filters,
)
from cnn_core.training.checks import check_last_batch, check_same_data, check_validation
from cnn_core.training.compiling import training_forward
from cnn_core.training.control import Control
from cnn_core.training.device import (
    Precision,
    arithmetic,
    device_name,
    resolve_device,
    resolve_precision,
)
from cnn_core.training.events import (
    EndStatus,
    Event,
    Notice,
    RunFinished,
    RunStarted,
)
from cnn_core.training.final_test import final_test
from cnn_core.training.memory import Probe, is_out_of_memory
from cnn_core.training.reuse import Reuse
from cnn_core.training.state import Diverged, PartName, Positions
from cnn_core.training.supply import ImageSupply, Output, training_supply
from cnn_core.training.telling import told
from cnn_core.training.trainer import Trainer
from cnn_core.training.views import averaged

_log = logging.getLogger(__name__)


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
            kind, text = type(failure).__name__, first_line(failure)
            error = text if text == kind else f"{kind}: {text}"
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
        self._resumed = False
        self._reuse: Reuse | None = None
        self._notices: list[Notice] = []
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
        with arithmetic(deterministic=train.deterministic, tf32=train.tf32):
            trainer = yield from self._build(data, device, precision)
            if not (yield from self._reuse_features("train", "val")):
                return "stopped"
            yield self._started(trainer, data)
            yield from trainer.train(self._control)
            if not trainer.done:
                return "stopped"
            if len(data.test):
                if not (yield from self._reuse_features("test")):
                    return "stopped"
                yield from final_test(trainer, data, self._places.run_dir)
        return "finished"

    def _prepare(self) -> Generator[Event, None, Prepared | None]:
        """Open the data set; return None where a stop is asked for meanwhile."""
        config, places = self._config, self._places
        work = prepare(config.data, places.data_dir, places.cache_dir)
        return (yield from told(work, self._control))

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
        batches = Batches(
            data.images_NHWC, data.labels, mean=data.mean, std=data.std, device=device
        )
        positions = Positions(*map(torch.from_numpy, (data.train, data.val, data.test)))
        network = yield from network_to_train(
            config,
            len(data.classes),
            batches,
            positions.train,
            device=device,
            from_scratch=checkpoint is None,
        )
        if checkpoint is None:
            unfreezes = config.freeze.unfreeze_at is not None
            save_initial_filters(self._places.run_dir, network, all_train=unfreezes)
        self.probe = Probe(network, batches, positions.train, device=device, precision=precision)
        if checkpoint is not None:
            batch_size = int(checkpoint["progress"]["batch_size"])
        elif config.train.batch_size == "auto":
            batch_size = self.probe.largest_batch_size()
            per_image = self.probe.bytes_per_image() / 2**20
            text = f"batch_size auto: {batch_size} ({per_image:.2f} MiB kept for an image)"
            yield Notice(level="info", text=text)
        else:
            batch_size = config.train.batch_size
        check_last_batch(self.probe, batch_size, len(positions.train), config.train.drop_last)
        images = training_supply(
            batches,
            self._forward(network.module),
            config.augment,
            len(data.classes),
            whole=data.whole,
            image_size=data.images_NHWC.shape[1],
            device=device,
        )
        unchanged = ImageSupply(batches, averaged(network.module, config.augment.test_views))
        self.trainer = trainer = Trainer(
            config,
            network,
            batches=batches,
            positions=positions,
            images={"train": images, "val": unchanged, "test": unchanged},
            device=device,
            precision=precision,
            batch_size=batch_size,
            run_dir=self._places.run_dir,
            identity=identity(config, data),
            notices=self._notices,
        )
        if checkpoint is not None:
            trainer.load(checkpoint)
            self._resumed = True
        if config.freeze.reuse and trainer.frozen:
            self._reuse = Reuse(
                config,
                network,
                train=images,
                evaluation=unchanged,
                images=images_key(config, data),
                cache_dir=self._places.cache_dir / "features",
                device=device,
                precision=precision,
            )
        return trainer

    def _forward(self, module: nn.Module) -> Callable[..., Output]:
        """Return what runs a module in training."""

        def warn(text: str) -> None:
            self._notices.append(Notice(level="warning", text=text))

        return training_forward(module, self._config.train, warn)

    def _reuse_features(self, *parts: PartName) -> Generator[Event, None, bool]:
        """Feed the layers that train from stored features where that is valid.

        Return False where a stop is asked for meanwhile.
        """
        trainer, reuse = self.trainer, self._reuse
        assert trainer is not None
        if reuse is None or not trainer.frozen:
            return True
        for part in parts:
            positions = getattr(trainer.positions, part)
            if part == "train":
                work = reuse.training(positions, self._forward)
            else:
                work = reuse.evaluation(positions)
            supply = yield from told(work, self._control)
            if self._control.stopping:
                return False
            if supply is not None:
                trainer.feed(part, supply)
        return True

    def _started(self, trainer: Trainer, data: Prepared) -> RunStarted:
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
            resumed_epoch=self.epochs_done if self._resumed else None,
            resumed_step=trainer.state.step if self._resumed else None,
        )
