"""evaluate: how good a run's network is, and where it fails."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cnn_core.errors import UserError, printable
from cnn_tui.options import Checkpoint, DataDir, Device, Json, RunName, RunsDir, one_of
from cnn_tui.output import narrate, print_json, working
from cnn_tui.working import finish


def evaluate(
    run: RunName,
    runs_dir: RunsDir,
    data_dir: DataDir,
    split: Annotated[
        Literal["test", "val", "train"],
        typer.Option(
            "--split",
            metavar="test|val|train",
            parser=one_of("--split", "test", "val", "train"),
            help="Part of the data set.",
        ),
    ] = "test",
    checkpoint: Checkpoint = "best",
    images: Annotated[
        int,
        typer.Option(
            "--images",
            metavar="N",
            min=0,
            help="How many confident mistakes to show, and how many uncertain images.",
        ),
    ] = 10,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="FILE.png", help="Draw these images on a sheet."),
    ] = None,
    device: Device = "auto",
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Write the table of classes as CSV on stdout.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how good a run's network is: by class, by confidence, and where it fails.

    Predictions are computed once and kept with the run. --json holds all figures:
    means, every class, the whole confusion matrix, the bins of the calibration,
    the images.
    """
    from cnn_core.runs.directory import find_run
    from cnn_core.runs.reader import read_summary

    if as_json and as_csv:
        raise UserError("give one of --json and --csv")
    run_dir = find_run(runs_dir, run)
    if pictures is not None:
        from cnn_core.inspect.sheet import check_picture_path

        check_picture_path(pictures)
    with working("loading torch"):
        from cnn_core.inspect.document import classes_as_csv, document
        from cnn_core.inspect.evaluation import evaluated, part_images
        from cnn_core.inspect.scores import score
        from cnn_core.locations import cache_dir
        from cnn_tui.evaluation_text import print_evaluation

    places: dict[str, Any] = {"data_dir": data_dir, "cache_dir": cache_dir()}
    predictions = finish(evaluated(run_dir, split, checkpoint, device=device, **places))
    scores = score(predictions)
    if pictures is not None:
        from cnn_core.inspect.mistake_sheet import mistake_sheet
        from cnn_core.inspect.sheet import save_picture

        part = finish(part_images(run_dir, split, **places))
        save_picture(pictures, mistake_sheet(predictions, part, images))
        narrate(f"wrote {printable(pictures)}")
    summary = read_summary(run_dir)
    # Before the end a checkpoint may be older than the best epoch.
    epoch = summary[checkpoint]["epoch"] if summary["status"] == "finished" else None
    if as_json:
        head = {"run": run_dir.name, "split": split, "checkpoint": checkpoint, "epoch": epoch}
        print_json(head | document(predictions, scores, images))
    elif as_csv:
        sys.stdout.write(classes_as_csv(scores))
    else:
        title = [
            ("run", run_dir.name),
            ("weights", checkpoint if epoch is None else f"{checkpoint}, epoch {epoch}"),
            ("images", f"{scores.images:,} of {split}, {len(scores.classes):,} classes"),
        ]
        print_evaluation(title, predictions, scores, images)
