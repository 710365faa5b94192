"""A run from its configuration to its result, as a stream of events."""

import dataclasses
import logging
import time
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path

import torch

from cnn_core.backbones.structure import Network
from cnn_core.config import Experiment
from cnn_core.datasets.prepare import Prepared
from cnn_core.errors import UserError, is_out_of_memory
from cnn_core.freezing import count_parameters
from cnn_core.training.advice import divergence_advice, failure_text, memory_advice
from cnn_core.training.assembly import identity, images_key, network_to_train, weights_and_data
from cnn_core.training.batches import Batches
from cnn_core.training.checkpoint import (
    State,
    has_checkpoint,
    load_furthest,
    remove_partial_checkpoints,
    save_initial_filters,
)
from cnn_core.training.checks import (
    check_same_data,
    check_same_everywhere,
    check_validation,
    settle_batch_size,
)
from cnn_core.training.control import Control
from cnn_core.training.device import (
    Precision,
    arithmetic,
    device_name,
    resolve_device,
    resolve_precision,
)
from cnn_core.training.evaluation import AbandonedError
from cnn_core.training.events import (
    EndStatus,
    Event,
    Notice,
    RunFinished,
    RunStarted,
)
from cnn_core.training.final_test import final_test
from cnn_core.training.insisting import insisted
from cnn_core.training.memory import Probe
from cnn_core.training.parallel import Forwards, share_network
from cnn_core.training.ranks import ALONE, PeerFailedError, PeersLostError, Ranks
from cnn_core.training.reuse import Reuse
from cnn_core.training.shared_control import shared
from cnn_core.training.state import Diverged, PartName, Positions
from cnn_core.training.supply import ImageSupply, training_supply
from cnn_core.training.telling import told_together
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
    config: Experiment,
    control: Control,
    places: Places,
    *,
    device: str = "auto",
    ranks: Ranks = ALONE,
) -> Iterator[Event]:
    """Train as configured and yield what happens; always ends in exactly one RunFinished.

    Goes on from ``checkpoints/last.pt`` where the run has one. Failures become the status
    of the last event; their traceback goes to the log of this module. Of several processes all
    stream the same run, and the first one writes checkpoints and predictions. Raises
    PeersLostError where another one is gone.
    """
    started = time.perf_counter()
    session = _Session(config, control, places, device, ranks)
    status: EndStatus = "failed"
    error: str | None = None
    mistake = False
    try:
        with ranks.hearing():
            status = yield from session.run()
    except Diverged as outcome:
        assert session.trainer is not None
        status, error = "diverged", divergence_advice(outcome, session.trainer)
    except PeersLostError:
        raise
    except PeerFailedError as failure:
        error, mistake = str(failure), failure.mistake
    except UserError as failure:
        error, mistake = str(failure), True
        ranks.announce(error, mistake=True)
    except Exception as failure:  # noqa: BLE001  (whatever it is, the run has an end and a log)
        _log.exception("the run failed")
        if is_out_of_memory(failure):
            traceback.clear_frames(failure.__traceback__)  # they hold what filled the memory
            error = memory_advice(session.trainer, session.probe if ranks.alone else None)
        else:
            error = failure_text(failure, places.run_dir)
        ranks.announce(error, mistake=False)
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
        self,
        config: Experiment,
        control: Control,
        places: Places,
        device_wanted: str,
        ranks: Ranks,
    ) -> None:
        self._config, self._control, self._places = config, control, places
        self._device_wanted, self._ranks = device_wanted, ranks
        self._resumed = False
        self._reuse: Reuse | None = None
        self._forwards: Forwards | None = None
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
        check_same_everywhere(data, self._ranks)
        check_validation(self._config, len(data.val))
        if self._ranks.first:
            remove_partial_checkpoints(self._places.run_dir)
        torch.manual_seed(self._config.seed)  # dropout draws from the global generator
        with arithmetic(deterministic=train.deterministic, tf32=train.tf32):
            trainer = yield from self._build(data, device, precision)
            if not (yield from self._reuse_features("train", "val")):
                return "stopped"
            yield self._started(trainer, data)
            yield from trainer.train(shared(self._control, self._ranks))
            if not trainer.done:
                return "stopped"
            if len(data.test):
                if not (yield from self._reuse_features("test")):
                    return "stopped"
                try:
                    run_dir, control = self._places.run_dir, self._control
                    yield from final_test(trainer, data, run_dir, self._ranks, control)
                except AbandonedError:
                    return "stopped"
        return "finished"

    def _prepare(self) -> Generator[Event, None, Prepared | None]:
        """Get weights and data set; return None where a stop is asked for meanwhile."""
        places = self._places
        scratch = self._ranks.from_first(
            not self._ranks.first or not has_checkpoint(places.run_dir)
        )
        work = weights_and_data(
            self._config, places.data_dir, places.cache_dir, from_scratch=scratch
        )
        return (yield from told_together(work, self._control, self._ranks))

    def _last_checkpoint(self) -> State | None:
        state = load_furthest(self._places.run_dir) if self._ranks.first else None
        return self._ranks.from_first(state)

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
        if checkpoint is None and self._ranks.first:
            yield from self._keep_initial(network)
        train, ranks = positions.train, self._ranks
        self.probe = probe = Probe(network, batches, train, device, precision, ranks)
        batch_size = yield from settle_batch_size(config, checkpoint, probe, len(train))
        smallest_share = yield from share_network(network, batch_size, device, ranks)
        self._forwards = forwards = Forwards(config.train, probe, ranks, self._warn)
        images = training_supply(
            batches,
            forwards(network.module),
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
            ranks=ranks,
            smallest_share=smallest_share,
            unfrozen=forwards.renew,
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

    def _keep_initial(self, network: Network) -> Generator[Event, None, None]:
        """Keep the filters as they are before the first step."""
        run_dir, all_train = self._places.run_dir, self._config.freeze.unfreeze_at is not None

        def attempt() -> tuple[Event, ...]:
            save_initial_filters(run_dir, network, all_train=all_train)
            return ()

        yield from insisted(attempt, "the first checkpoint", run_dir, self._control)

    def _warn(self, text: str) -> None:
        self._notices.append(Notice(level="warning", text=text))

    def _reuse_features(self, *parts: PartName) -> Generator[Event, None, bool]:
        """Feed the layers that train from stored features where that is valid.

        Return False where a stop is asked for meanwhile.
        """
        trainer, reuse, forwards = self.trainer, self._reuse, self._forwards
        assert trainer is not None
        assert forwards is not None
        if reuse is None or not trainer.frozen:
            return True
        for part in parts:
            positions = getattr(trainer.positions, part)
            if part == "train":
                work = reuse.training(positions, forwards)
            else:
                work = reuse.evaluation(positions)
            supply = yield from told_together(work, self._control, self._ranks)
            if self._ranks.any(self._control.stopping):
                return False
            if self._ranks.every(supply is not None) and supply is not None:
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
            world_size=self._ranks.size,
        )
