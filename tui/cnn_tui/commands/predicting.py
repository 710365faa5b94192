"""predict: what trained networks say of image files."""

import dataclasses
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_core.errors import CnnTuiError, printable
from cnn_core.progress import Progress, Remark
from cnn_tui import completion
from cnn_tui.options import Checkpoint, Device, Json, RunName, RunsDir
from cnn_tui.output import narrate, percent, print_json, print_table, working
from cnn_tui.working import finish

if TYPE_CHECKING:
    from cnn_core.inspect.predict import Answer, Unreadable
    from cnn_core.inspect.trained import Trained

_BEST = 5


def predict(
    run: RunName,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE",
            help="Image files, or folders of them, searched to the bottom.",
            show_default=False,
        ),
    ],
    runs_dir: RunsDir,
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="RUN",
            autocompletion=completion.runs,
            help="Another run, to average its probabilities with; may be repeated.",
        ),
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Tell the most probable classes of any images.

    They are prepared as the run's own images were. Files that can't be read are
    told, the others predicted, and the exit code is 1.
    """
    from cnn_core.datasets.image_files import named_images
    from cnn_core.runs.directory import find_run

    run_dirs = [find_run(runs_dir, reference) for reference in (run, *(others or ()))]
    files = named_images(images)
    with working("loading torch and the weights"):
        from cnn_core.inspect.trained import load_trained

        networks = [load_trained(run_dir, checkpoint, device=device) for run_dir in run_dirs]
    found = finish(_found(networks, files))
    if as_json:
        print_json(_document(networks, found))
    elif found.answers:
        columns = ["image", "class", "probability", "then"]
        print_table(columns, map(_row, found.answers), right=["probability"], fold=columns)
    if count := len(found.unreadable):
        narrate(f"{count:,} of {len(files):,} images could not be read")
        raise typer.Exit(CnnTuiError.exit_code)


@dataclasses.dataclass(slots=True)
class _Best:
    """The most probable classes of a file: names and probabilities."""

    file: Path
    classes: list[tuple[str, float]]


@dataclasses.dataclass(slots=True)
class _Found:
    answers: list[_Best] = dataclasses.field(default_factory=list)
    unreadable: list["Unreadable"] = dataclasses.field(default_factory=list)


def _found(
    networks: Sequence["Trained"], files: Sequence[Path]
) -> Generator[Progress | Remark, None, _Found]:
    from cnn_core.inspect.predict import Unreadable, predict

    found, names = _Found(), networks[0].classes
    for done, answer in enumerate(predict(networks, files), start=1):
        if isinstance(answer, Unreadable):
            found.unreadable.append(answer)
            yield Remark(f"{printable(answer.file)}: {printable(answer.why)}", warning=True)
        else:
            found.answers.append(_best(answer, names))
        yield Progress("predicting", done, len(files))
    return found


def _best(answer: "Answer", names: Sequence[str]) -> _Best:
    return _Best(answer.file, [(names[label], share) for label, share in answer.best(_BEST)])


def _row(answer: _Best) -> list[str | None]:
    (name, share), *others = answer.classes
    then = ", ".join(f"{name} {percent(share)}" for name, share in others)
    return [str(answer.file), name, percent(share), then]


def _document(networks: Sequence["Trained"], found: _Found) -> dict[str, object]:
    return {
        "runs": [
            {"id": one.run_dir.name, "checkpoint": one.checkpoint, "epoch": one.epoch}
            for one in networks
        ],
        "images": [
            {
                "image": str(answer.file),
                "top": [{"class": name, "probability": share} for name, share in answer.classes],
            }
            for answer in found.answers
        ],
        "failed": [{"image": str(one.file), "why": one.why} for one in found.unreadable],
    }
