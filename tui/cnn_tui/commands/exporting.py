"""export: a run for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from cnn_core.errors import UserError
from cnn_core.export.formats import FileFormat
from cnn_core.tracking import TrackerName
from cnn_tui import completion
from cnn_tui.options import Checkpoint, DataDir, Json, RunName, RunsDir, one_of
from cnn_tui.output import print_facts, print_json, working
from cnn_tui.working import finish

if TYPE_CHECKING:
    from cnn_core.export.files import ExportedFile
    from cnn_core.training.events import CheckpointName

_FILES, _TRACKERS = get_args(FileFormat), get_args(TrackerName)


def export(
    run: RunName,
    runs_dir: RunsDir,
    data_dir: DataDir,
    to: Annotated[
        Literal["onnx", "safetensors", "torchscript", "tensorboard", "mlflow"],
        typer.Option(
            "--format",
            metavar="FORMAT",
            parser=one_of("--format", *_FILES, *_TRACKERS),
            autocompletion=completion.one_of_these(*_FILES, *_TRACKERS),
            help=f"The network: {', '.join(_FILES)}. The curves: {', '.join(_TRACKERS)}.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The file; a folder of runs for tensorboard, the URI of a store for mlflow, "
            "which need none.",
        ),
    ] = None,
    checkpoint: Checkpoint = "best",
    as_json: Json = False,
) -> None:
    """Write a run's network for other programs, or its curves for other trackers.

    A network's file is written only if its logits are the run's, but for rounding.
    """
    from cnn_core.runs.directory import find_run

    if to == "tensorboard" or to == "mlflow":
        if checkpoint != "best":
            raise UserError(f"--checkpoint chooses weights; --format {to} has none")
        _export_curves(find_run(runs_dir, run), to, out, as_json=as_json)
        return
    if out is None:
        raise UserError(f"--format {to} needs --out FILE")
    _export_network(
        find_run(runs_dir, run), to, Path(out), checkpoint, data_dir=data_dir, as_json=as_json
    )


def _export_curves(
    run_dir: Path, tracker: TrackerName, place: str | None, *, as_json: bool
) -> None:
    from cnn_core.export.curves import export_curves

    made = finish(export_curves(run_dir, tracker, place))
    if as_json:
        document = {"format": tracker, "place": made.place, "points": made.points}
        print_json({"run": run_dir.name, **document})
        return
    print_facts([(tracker, made.place), ("points", f"{made.points:,} of {run_dir.name}")])


def _export_network(
    run_dir: Path,
    file_format: FileFormat,
    path: Path,
    checkpoint: "CheckpointName",
    *,
    data_dir: Path,
    as_json: bool,
) -> None:
    from cnn_core.export.formats import check_target
    from cnn_core.locations import cache_dir

    check_target(path, file_format)
    with working("loading torch"):
        from cnn_core.export.files import export_network

    made = finish(
        export_network(
            run_dir, file_format, path, checkpoint, data_dir=data_dir, cache_dir=cache_dir()
        )
    )
    if as_json:
        print_json({"run": run_dir.name, "checkpoint": checkpoint, **_document(made)})
        return
    found = made.comparison
    same = "equal logits"
    if found.difference:
        same = (
            f"logits differ by at most {found.difference:.1e}, the largest is {found.largest:.1f}"
        )
    facts = [
        (file_format, str(made.path)),
        ("size", f"{made.bytes / 1e6:,.1f} MB"),
        ("weights", f"{checkpoint} of {run_dir.name}, epoch {made.epoch}"),
        ("compared", f"{same}; on {found.images} {found.what}"),
    ]
    if made.opset is not None:
        facts.insert(2, ("opset", str(made.opset)))
    print_facts(facts)


def _document(made: "ExportedFile") -> dict[str, object]:
    found = made.comparison
    return {
        "format": made.format,
        "path": str(made.path),
        "bytes": made.bytes,
        "epoch": made.epoch,
        "opset": made.opset,
        "compared": {
            "images": found.images,
            "of": found.what,
            "largest_difference": found.difference,
            "largest_logit": found.largest,
        },
    }
