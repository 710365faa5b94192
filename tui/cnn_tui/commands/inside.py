"""filters, features: what a run's network has learnt to see."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_tui.options import Checkpoint, DataDir, Device, Json, RunName, RunsDir, Split
from cnn_tui.output import narrate, percent, print_json, print_table, working
from cnn_tui.working import finish

if TYPE_CHECKING:
    from cnn_core.datasets.index import Images
    from cnn_core.inspect.evaluation import Part
    from cnn_core.inspect.filters import Filters
    from cnn_core.inspect.sheet import Tile
    from cnn_core.inspect.trained import Trained
    from cnn_core.progress import Progress, Remark

# Input channels, and feature maps of a layer, that are shown at most.
_CHANNELS, _MAPS = 8, 64
_BEST = 3

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE.png", help="The picture to write.")
]


def filters(
    run: RunName,
    runs_dir: RunsDir,
    out: Out = None,
    layer: Annotated[
        str | None,
        typer.Option("--layer", metavar="NAME", help="A convolution; default: the first."),
    ] = None,
    checkpoint: Checkpoint = "best",
    compare: Annotated[
        bool | None,
        typer.Option(
            "--compare/--no-initial",
            help="With or without the filters from before the training, beside those after it; "
            "default: with, where the run has kept them.",
            show_default=False,
        ),
    ] = None,
    channels: Annotated[
        bool,
        typer.Option(
            "--channels", help=f"Also the filters for each input channel, the first {_CHANNELS}."
        ),
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List the convolutions instead, and draw nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Draw the filters of a convolution, before and after the training.

    Mid-grey is 0. Filters for red, green and blue are shown in colour, others as
    the mean over their input channels.
    """
    from cnn_core.runs.directory import find_run

    run_dir = find_run(runs_dir, run)
    if listed:
        _list_convolutions(run_dir, checkpoint, as_json)
        return
    if as_json:
        raise UserError("--json goes with --list; the filters are a picture")
    path = _checked(out)
    with working("loading torch"):
        from cnn_core.inspect.filter_sheet import filter_sheet
        from cnn_core.inspect.filters import filters_of
        from cnn_core.inspect.sheet import save_picture
        from cnn_core.training.checkpoint import initial_path

    found = filters_of(run_dir, checkpoint, layer)
    states = [(f"{found.layer}, {checkpoint} weights", found.weights_OIHW)]
    if compare or (compare is None and initial_path(run_dir).exists()):
        before = filters_of(run_dir, "initial", found.layer)
        states.insert(0, (f"{found.layer}, before training", before.weights_OIHW))
        if before.weights_OIHW.any():
            narrate(f"training moved the weights by {percent(_moved(before, found))} of their norm")
    elif compare is None:
        narrate(f"{run_dir.name} has not kept its filters from before the training")
    count, inputs, height, width = found.weights_OIHW.shape
    shown = min(inputs, _CHANNELS) if channels else 0
    save_picture(path, filter_sheet(states, range(shown)))
    if 0 < shown < inputs:
        narrate(f"the first {shown} of {inputs} input channels are shown")
    narrate(
        f"wrote {printable(path)}: {printable(found.layer)}, {count} filters of "
        f"{width}x{height} for {inputs} channels"
    )


def features(
    run: RunName,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="An image file, or the name of an image of the run's data set, in --split.",
            show_default=False,
        ),
    ],
    runs_dir: RunsDir,
    data_dir: DataDir,
    out: Out = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="A layer, as cnn-tui summary names it; may be repeated. "
            "Default: the first and the last convolution.",
        ),
    ] = None,
    attention: Annotated[
        bool,
        typer.Option("--grad-cam", help="Also where in the image it sees the predicted class."),
    ] = False,
    wanted: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="Grad-CAM for this class instead."),
    ] = None,
    split: Split = "test",
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
) -> None:
    """Draw what the layers of a network make of an image, and where it looks.

    Of a layer with many feature maps those with the greatest mean are shown. The
    image is cut and scaled as the run's images were.
    """
    from cnn_core.runs.directory import find_run

    run_dir = find_run(runs_dir, run)
    path = _checked(out)
    with working("loading torch and the weights"):
        from cnn_core.inspect.layers import default_layers
        from cnn_core.inspect.map_sheet import map_sheet
        from cnn_core.inspect.maps import feature_maps
        from cnn_core.inspect.sheet import save_picture
        from cnn_core.inspect.trained import load_trained

        trained = load_trained(run_dir, checkpoint, device=device)
    label = None if wanted is None else _label(trained, wanted)
    pixels_HWC = finish(_image(trained, image, split, data_dir))
    maps = feature_maps(trained, pixels_HWC, layers or default_layers(trained))
    tiles, told = _seen(trained, pixels_HWC, image, label, attention=attention)
    save_picture(path, map_sheet(tiles, maps, _MAPS))
    narrate(told)
    for name, maps_CHW in maps.items():
        if len(maps_CHW) > _MAPS:
            narrate(f"{name}: the {_MAPS} strongest of {len(maps_CHW)} maps are shown")
    narrate(f"wrote {printable(path)}")


def _checked(out: Path | None) -> Path:
    """Return where the picture goes, before anything is computed for it."""
    from cnn_core.inspect.sheet import check_picture_path

    if out is None:
        raise UserError("give the picture's name: --out FILE.png")
    check_picture_path(out)
    return out


def _moved(before: "Filters", after: "Filters") -> float:
    """Return how far the weights are from where they were, as a share of what they were."""
    from numpy.linalg import norm

    start = before.weights_OIHW
    return float(norm(after.weights_OIHW - start) / norm(start))


def _list_convolutions(run_dir: Path, checkpoint: Literal["best", "last"], as_json: bool) -> None:
    with working("loading torch"):
        from cnn_core.inspect.filters import convolution_weights

        found = convolution_weights(run_dir, checkpoint)
    shapes = {name: list(weights.shape) for name, weights in found.items()}
    if as_json:
        print_json([{"layer": name, "shape": shape} for name, shape in shapes.items()])
    elif shapes:
        rows = [(name, *shape[:2], f"{shape[3]}x{shape[2]}") for name, shape in shapes.items()]
        columns = ["layer", "filters", "channels", "size"]
        print_table(columns, rows, right=columns[1:], fold=["layer"])
    else:
        narrate(f"run {run_dir.name}: its network has no convolution")


def _label(trained: "Trained", name: str) -> int:
    if name not in trained.classes:
        near = printable(did_you_mean(name, trained.classes))
        raise UserError(f"--class: unknown class '{printable(name)}'{near}")
    return trained.classes.index(name)


def _image(
    trained: "Trained", image: str, split: "Part", data_dir: Path
) -> Generator["Progress | Remark", None, "Images"]:
    """Return the pixels (S,S,3) of a file, else of the run's image of this name."""
    from cnn_core.datasets.decode import Corrupt, decode
    from cnn_core.inspect.evaluation import part_images
    from cnn_core.locations import cache_dir

    shown = printable(image)
    if Path(image).is_file():
        found = decode(Path(image), image, trained.image_size, trained.resize)
        if isinstance(found, Corrupt):
            raise UserError(f"{shown}: {printable(found.why)}")
        return found
    try:
        part = yield from part_images(
            trained.run_dir, split, data_dir=data_dir, cache_dir=cache_dir()
        )
    except UserError as error:
        raise UserError(f"{shown}: no such file; as for the run's own images, {error}") from error
    pixels_HWC = part.find(image)
    if pixels_HWC is None and image in part.data.names:
        position = part.data.names.index(image)
        other = next(n for n in ("train", "val", "test") if position in getattr(part.data, n))
        raise UserError(f"{shown}: not among the images of {split}; try --split {other}")
    if pixels_HWC is None:
        raise UserError(
            f"{shown}: no such file, nor an image of that name among the {len(part.names):,} of "
            f"{split}{printable(did_you_mean(image, part.names))}"
        )
    return pixels_HWC


def _seen(
    trained: "Trained", pixels_HWC: "Images", image: str, label: int | None, *, attention: bool
) -> tuple[list["Tile"], str]:
    """Return the image with its most probable classes, Grad-CAM if wanted, and both in words."""
    import numpy as np

    from cnn_core.inspect.attention import attention_layer, grad_cam, overlaid
    from cnn_core.inspect.predict import ask
    from cnn_core.inspect.sheet import Tile

    shares = ask(trained, [pixels_HWC])[0]
    best = np.argsort(-shares, kind="stable")[:_BEST].tolist()
    lines = [f"{trained.classes[place]} {percent(shares[place])}" for place in best]
    told = f"{image}: {', '.join(lines)}"
    tiles = [Tile(pixels_HWC, (Path(image).name, *lines))]
    if attention or label is not None:
        label = best[0] if label is None else label
        layer, name = attention_layer(trained), trained.classes[label]
        heat_HW = grad_cam(trained, pixels_HWC, label, layer)
        tiles.append(Tile(overlaid(pixels_HWC, heat_HW), (f"Grad-CAM: {name}", f"at {layer}")))
        if not heat_HW.any():
            told += f"\nGrad-CAM: nothing in the image speaks for {name} at {layer}"
    return tiles, told
