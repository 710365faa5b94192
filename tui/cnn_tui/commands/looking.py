"""summary, split, preview: what a preset will train, before it does."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cnn_core.errors import UserError, printable
from cnn_tui import completion
from cnn_tui.network_text import stage_state, step_parts
from cnn_tui.options import DataDir, Json, PresetName, Settings
from cnn_tui.output import narrate, print_json, print_table, working

if TYPE_CHECKING:
    from cnn_core.config import Experiment
    from cnn_core.step_memory import StepMemory
    from cnn_core.summary import Summary

# Side in pixels that small images are enlarged to about.
_TILE = 128


def summary(
    settings: Settings,
    data_dir: DataDir,
    preset: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET",
            autocompletion=completion.presets,
            help="A preset file or the name of a shipped one.",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            autocompletion=completion.backbones,
            help="A backbone, instead of a preset.",
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option("--classes", metavar="N", min=1, help="Number of classes of the last layer."),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", metavar="PIXELS", min=1, help="Side of the images."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="N",
            min=1,
            max=1_000_000,
            help="Images the memory is reckoned for; default: the preset's batch, else 1.",
        ),
    ] = None,
    freeze: Annotated[
        str | None,
        typer.Option(
            "--freeze",
            metavar="POLICY",
            autocompletion=completion.one_of_these(
                "none", "convolutional", "classifier", "backbone"
            ),
            help="With --backbone, what is frozen: none, backbone, convolutional, classifier or "
            "first:N stages.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the layers of a network: output shapes, parameters, memory of a training step."""
    if (preset is None) == (backbone is None):
        raise UserError("give a preset or --backbone NAME, one of the two")
    from cnn_core.config import Freeze, Model, Optim, Train

    if preset is not None:
        from cnn_core.datasets.catalog import count_classes
        from cnn_core.preset_files import load_experiment

        if freeze is not None:
            raise UserError(f"--freeze goes with --backbone: --set freeze.policy={freeze}")
        experiment = load_experiment(preset, settings)
        model, policy = experiment.model, experiment.freeze.policy
        optim, train = experiment.optim, experiment.train
        _tell_of(experiment)
        classes = classes or count_classes(experiment.data, data_dir)
        image_size = image_size or experiment.data.image_size
    else:
        from cnn_core.backbones.catalog import BACKBONES

        assert backbone is not None
        if settings:
            raise UserError("--set changes a preset; there is none with --backbone")
        model, policy = Model(backbone=backbone), freeze or "none"
        if wrong := Freeze.model_construct(policy=policy).impossible():
            raise UserError(f"--freeze: {wrong[0][1]}")
        optim, train = Optim(), Train(batch_size=1)
        classes = classes or 1000
        image_size = image_size or BACKBONES[backbone].facts().image_size
    assert image_size is not None
    if batch_size is None:
        batch_size = 1 if train.batch_size == "auto" else train.batch_size
    from cnn_core.backbones.network import build_network
    from cnn_core.freezing import apply_freezing
    from cnn_core.step_memory import step_memory
    from cnn_core.summary import summarize

    network = build_network(
        model.model_copy(update={"weights": "none"}),
        classes=classes,
        image_size=image_size,
        device="meta",
    )
    apply_freezing(network, policy)
    made = summarize(network, image_size=image_size, batch_size=batch_size)
    step = step_memory(
        network,
        image_size=image_size,
        batch_size=batch_size,
        optim=optim,
        accumulate=train.accumulate,
    )
    if as_json:
        document = {"batch_size": batch_size, "optimizer": optim.name, "freeze": policy}
        print_json(made.as_dict() | document | {"step_memory": step.as_dict()})
        return
    _print_layers(made)
    _print_step(step, optim.name)
    _print_totals(made)


def split(preset: PresetName, settings: Settings, data_dir: DataDir, as_json: Json = False) -> None:
    """Show how many images of each class train, validate and test."""
    from cnn_core.datasets.catalog import open_index
    from cnn_core.datasets.split import divide, split_table
    from cnn_core.preset_files import load_experiment

    experiment = load_experiment(preset, settings)
    index = open_index(experiment.data, data_dir)
    divided = divide(index, experiment.data)
    rows = split_table(index, divided)
    totals = {"train": len(divided.train), "val": len(divided.val), "test": len(divided.test)}
    if as_json:
        print_json(
            {
                "dataset": experiment.data.dataset,
                "classes": len(rows),
                "totals": totals,
                "rows": [
                    {
                        "label": row.label,
                        "name": row.name,
                        "train": row.train,
                        "val": row.val,
                        "test": row.test,
                    }
                    for row in rows
                ],
            }
        )
        return
    columns = ["label", "class", "train", "val", "test", "total"]
    cells: list[list[Any]] = [
        [row.label, row.name, row.train, row.val, row.test, row.train + row.val + row.test]
        for row in rows
    ]
    total = [f"{len(rows)} classes", *totals.values(), sum(totals.values())]
    cells.append([Text(""), *(Text(str(cell), style="bold") for cell in total)])
    print_table(columns, cells, right=["label", "train", "val", "test", "total"])
    counts = [row.train for row in rows]
    if min(counts) and max(counts) >= 5 * min(counts):
        narrate(
            f"note: the largest class trains on {max(counts)} images, the smallest on "
            f"{min(counts)}: accuracy will hide the small ones"
        )


def preview(
    preset: PresetName,
    settings: Settings,
    data_dir: DataDir,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.png", help="The picture.", show_default=False)
    ],
    images: Annotated[
        int, typer.Option("--images", metavar="N", min=1, max=100, help="How many training images.")
    ] = 6,
    draws: Annotated[
        int,
        typer.Option(
            "--draws", metavar="N", min=1, max=100, help="How many random changes of each."
        ),
    ] = 4,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Another number takes other images.")
    ] = 0,
) -> None:
    """Draw training images, before and after the random changes of training.

    Only these few images are decoded.
    """
    from cnn_core.datasets.catalog import open_index, resolved_image_size
    from cnn_core.datasets.split import divide
    from cnn_core.inspect.sheet import Tile, check_picture_path, save_picture, sheet
    from cnn_core.preset_files import load_experiment

    check_picture_path(out)
    experiment = load_experiment(preset, settings)
    data = experiment.data
    index = open_index(data, data_dir)
    split = divide(index, data)
    with working("loading torch"):
        from cnn_core.training.samples import samples, some_pictures

    pictures = some_pictures(index, split.train, data, images, seed)
    tiles = []
    for sample in samples(pictures, experiment.augment, index.classes, draws, seed):
        tiles.append(Tile(sample.before_HWC, (sample.label,)))
        tiles += [
            Tile(image_HWC, (label,))
            for image_HWC, label in zip(sample.after_NHWC, sample.after_labels, strict=True)
        ]
    size = resolved_image_size(data)
    # Pixels as whole multiples of themselves, where they are few.
    side = min(size * max(_TILE // size, 1), 2 * _TILE)
    title = f"{experiment.name}: as stored, then as trained on"
    save_picture(out, sheet(tiles, columns=1 + draws, side=side, title=title))
    narrate(f"wrote {printable(out)}")


def _tell_of(experiment: "Experiment") -> None:
    """Say what the figures of a preset do not."""
    from cnn_core.backbones.catalog import normalization_warning

    if warning := normalization_warning(experiment.model, experiment.data.normalize):
        narrate(f"warning: {warning}")
    if experiment.train.batch_size == "auto":
        narrate(
            'train.batch_size = "auto" is found at the start of the run: the memory is that of one '
            "image, unless --batch-size says otherwise"
        )
    if experiment.freeze.unfreeze_at is not None:
        narrate(
            f"from epoch {experiment.freeze.unfreeze_at} on everything trains, which takes more "
            "memory than this"
        )


def _print_layers(made: "Summary") -> None:
    layers = [
        [row.name, row.type, str(list(row.output_shape)), f"{row.parameters:,}"]
        for row in made.layers
    ]
    print_table(
        ["name", "layer (type)", "output shape", "parameters"], layers, right=["parameters"]
    )
    sys.stdout.write("\n")
    stages = [
        [
            row.name,
            str(list(row.output_shape)) if row.output_shape else None,
            f"{row.parameters:,}",
            f"{row.trainable:,}",
            stage_state(row),
        ]
        for row in made.stages
    ]
    print_table(
        ["stage", "output shape", "parameters", "trainable", "state"],
        stages,
        right=["parameters", "trainable"],
    )
    sys.stdout.write("\n")


def _print_step(step: "StepMemory", optimizer: str) -> None:
    images = f"{step.batch_size:,} image" + ("s" if step.batch_size > 1 else "")
    rows = [
        [name, f"{size / 2**20:,.2f} MB", remark]
        for name, size, remark in step_parts(step, optimizer)
    ]
    print_table([f"step of {images}", "memory", ""], rows, right=["memory"])
    sys.stdout.write("\n")


def _print_totals(made: "Summary") -> None:
    totals = [
        ["total parameters", f"{made.total:,}"],
        ["trainable", f"{made.trainable:,}"],
        ["not trainable", f"{made.frozen:,}"],
        ["input", f"{made.input_mb:.2f} MB"],
        ["forward/backward", f"{made.forward_backward_mb:.2f} MB"],
        ["parameters", f"{made.params_mb:.2f} MB"],
        ["estimated total", f"{made.total_mb:.2f} MB"],
    ]
    print_table(["by torchsummary's convention", "sum"], totals, right=["sum"])
