"""TensorBoard's event files, by its own writer: neither TensorFlow nor torch is imported."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from cnn_core.tracking.points import Point
from cnn_core.tracking.tracker import Tracked
from cnn_core.training.events import EndStatus

# Ends the names of our files, so that no others are ever removed.
_SUFFIX = ".cnn-tui"
_FLUSH_S = 5


class TensorBoardTracker:
    """Writes one event file of a run, in place of those that it wrote before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, run: Tracked) -> None:
        """Open the file, and write the settings as text and as hyperparameters."""
        for old in own_files(self._folder):
            old.unlink()
        self._writer = EventFileWriter(
            str(self._folder), flush_secs=_FLUSH_S, filename_suffix=_SUFFIX
        )
        self._write(_text("config", f"```toml\n{run.config}\n```"), 0, run.created)
        facts = {"notes": run.notes, "tags": ", ".join(run.tags), **run.facts}
        for name, text in facts.items():
            if text:
                self._write(_text(name, text), 0, run.created)
        settings = {key: _scalar(value) for key, value in run.settings.items()}
        hparams = hparams_pb(settings, trial_id=run.run_id, start_time_secs=run.created)
        self._write(hparams, 0, run.created)

    def log(self, points: Sequence[Point]) -> None:
        """Write points; whoever reads the file sees them within seconds."""
        for point in points:
            value = Summary.Value(tag=point.name, simple_value=point.value)
            self._write(Summary(value=[value]), point.step, point.time)

    def close(self, status: EndStatus | None, time: float) -> None:
        """Write how the run ended, and all that is not on the disk yet."""
        self._write(_text("status", status or "interrupted"), 0, time)
        self._writer.close()

    def _write(self, summary: Any, step: int, time: float) -> None:
        self._writer.add_event(Event(wall_time=time, step=step, summary=summary))


def own_files(folder: Path) -> list[Path]:
    """Return the event files in a folder that were written here."""
    return sorted(folder.glob(f"events.out.tfevents.*{_SUFFIX}"))


def _text(tag: str, text: str) -> Any:
    """Return a summary that TensorBoard shows as Markdown, from which it takes active parts."""
    content = text.encode(errors="backslashreplace")
    tensor = TensorProto(
        dtype=DT_STRING,
        string_val=[content],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])


def _scalar(value: Any) -> bool | int | float | str:
    if isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, ensure_ascii=False)
