"""A run directory being trained: lock it, stream the training, write what happens."""

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from cnn_core.backbones.catalog import BACKBONES
from cnn_core.backbones.network import build_network
from cnn_core.backbones.structure import Network
from cnn_core.backbones.weights import weights_file
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import open_index
from cnn_core.datasets.split import divide
from cnn_core.errors import UserError, first_line, printable
from cnn_core.files import to_json, write_text_atomically
from cnn_core.freezing import apply_freezing
from cnn_core.locations import cache_dir
from cnn_core.made_once import size_text
from cnn_core.preset_files import load_experiment, to_toml
from cnn_core.regular_files import read_regular
from cnn_core.runs.directory import create_run
from cnn_core.runs.environment import describe_environment
from cnn_core.runs.mirror import Mirrors
from cnn_core.runs.queue import Queue
from cnn_core.runs.requests import take_requests
from cnn_core.runs.writer import RunWriter
from cnn_core.tracking.tracker import check_trackers
from cnn_core.training.checks import check_validation
from cnn_core.training.control import Control, RequestKind
from cnn_core.training.device import resolve_device, resolve_precision
from cnn_core.training.engine import Places, stream
from cnn_core.training.events import Event, Notice, RunFinished, RunStarted
from cnn_core.training.ranks import ALONE, PeersLostError, Ranks

_FLOAT32_BYTES = 4
_log = logging.getLogger(__name__)


def new_run(runs_dir: Path, experiment: Experiment) -> Path:
    """Create the directory of a queued run and return it."""
    return create_run(runs_dir, experiment.name, to_toml(experiment), describe_environment())


def check_startable(experiment: Experiment, data_dir: Path, device: str | None) -> None:
    """Raise the UserError that training would end with, before anything is written.

    Looks for the device, the trackers' packages, the file of weights, the data set, a possible
    split, and builds the network without memory; weights and pixels are not read, nor are weights
    downloaded.
    """
    if device is not None:
        resolve_precision(experiment.train.precision, resolve_device(device))
    check_trackers(experiment.tracking)
    if experiment.model.weights not in ("none", "imagenet"):
        weights_file(BACKBONES[experiment.model.backbone], experiment.model.weights)
    index = open_index(experiment.data, data_dir)
    if len(index.classes) < 2:
        raise UserError(
            f"data set {experiment.data.dataset!r} in {printable(index.root)}: only the class "
            f"'{printable(index.classes[0])}', expected two or more to tell apart"
        )
    split = divide(index, experiment.data, cache_dir())
    check_validation(experiment, len(split.val))
    assert experiment.data.image_size is not None
    network = build_network(
        experiment.model.model_copy(update={"weights": "none"}),
        classes=len(index.classes),
        image_size=experiment.data.image_size,
        device="meta",
    )
    apply_freezing(network, experiment.freeze.policy)
    _check_memory(network)


def _check_memory(network: Network) -> None:
    """Raise UserError where the network's weights alone are more than the machine's memory."""
    needed = _FLOAT32_BYTES * sum(weight.numel() for weight in network.module.parameters())
    memory = psutil.virtual_memory().total
    if needed > memory:
        raise UserError(
            f"model: the weights of this network take {size_text(needed)}, and this machine has "
            f"{size_text(memory)} of memory; lower model.options or model.head_hidden"
        )


def train_run(
    run_dir: Path,
    control: Control,
    *,
    data_dir: Path,
    cache_dir: Path,
    device: str = "auto",
    ranks: Ranks = ALONE,
) -> Iterator[Event]:
    """Train a queued run, or go on with one, and yield its events once they are written.

    From then on it waits in no queue. Raises UserError if another process writes this run. If the
    caller stops iterating, the run is left as interrupted and can be resumed; so it is where
    PeersLostError is raised, as another of the processes that train it together is gone. Of those
    the first one writes; the others need not see the folder.
    """
    experiment = load_experiment(run_dir / "config.toml") if ranks.first else None
    experiment = ranks.from_first(experiment)
    assert experiment is not None
    places = Places(run_dir=run_dir, data_dir=data_dir, cache_dir=cache_dir)
    if not ranks.first:
        yield from stream(experiment, control, places, device=device, ranks=ranks)
        return
    mirrors = Mirrors(run_dir, experiment.tracking)
    with RunWriter(run_dir) as writer, _logging_to(writer), mirrors:
        Queue(run_dir.parent).discard(run_dir.name)
        control.listen(lambda: _requests(run_dir))
        for event in _logged(stream(experiment, control, places, device=device, ranks=ranks)):
            if isinstance(event, RunFinished):
                mirrors.settle()
            for failure in mirrors.failures():
                notice = Notice(level="warning", text=failure)
                writer.write(notice)
                yield notice
            writer.write(event)
            if isinstance(event, RunStarted):
                _complete_environment(run_dir, event)
                mirrors.start()
            yield event


def _logged(events: Iterator[Event]) -> Iterator[Event]:
    """Yield the events; log why the line to another process is torn."""
    try:
        yield from events
    except PeersLostError as error:
        _log.warning("%s: %s", error, first_line(error.__cause__ or error))
        raise


def _requests(run_dir: Path) -> Iterable[tuple[RequestKind, float | None]]:
    return [(request.kind, request.value) for request in take_requests(run_dir)]


def _complete_environment(run_dir: Path, event: RunStarted) -> None:
    """Add what is known only once training starts; results depend on all of it."""
    path = run_dir / "environment.json"
    try:
        environment = dict(json.loads(read_regular(path)))
    except (OSError, ValueError, TypeError):  # damaged since: what holds now is better than none
        environment = describe_environment()
    environment |= {
        "device": event.device,
        "threads": event.threads,
        "world_size": event.world_size,
        "precision": event.precision,
        "dataset_fingerprint": event.dataset_fingerprint,
    }
    write_text_atomically(path, to_json(environment, indent=2))


class _RunLog(logging.Handler):
    """Sends what the core logs, tracebacks of failures, to the run's log.txt."""

    def __init__(self, writer: RunWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record."""
        try:
            self._writer.log(self.format(record))
        except OSError:  # a full disk must not hide the failure that is being told
            self.handleError(record)


@contextlib.contextmanager
def _logging_to(writer: RunWriter) -> Iterator[None]:
    handler, logger = _RunLog(writer), logging.getLogger("cnn_core")
    logger.addHandler(handler)
    # The user gets one sentence; Python's last-resort handler would print the traceback too.
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)
