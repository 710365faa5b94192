"""surface: gradient descent on functions of two variables."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cnn_core.errors import UserError, printable
from cnn_tui import completion
from cnn_tui.options import Json, one_of
from cnn_tui.output import narrate, print_json, print_table, stdout, working
from cnn_tui.surface_choice import options_of, rates_of
from cnn_tui.working import finish

if TYPE_CHECKING:
    from cnn_core.surfaces.descent import Method, Track
    from cnn_core.surfaces.field import Field
    from cnn_core.surfaces.surface import Surface

# Lines that stay below the heat map: the table, and the next prompt.
_BELOW, _FEWEST, _MOST = 9, 8, 40


def surface(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=completion.surfaces,
            help="A surface; without one they are listed.",
            show_default=False,
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="NAME",
            autocompletion=completion.one_of_these("plain", "momentum", "nesterov", "adam"),
            help="plain, momentum, nesterov, adam, or any optimizer of torch.optim, such as "
            "rmsprop; may be repeated. Default: those four.",
        ),
    ] = None,
    rates: Annotated[
        list[str] | None,
        typer.Option(
            "--lr",
            metavar="[METHOD=]RATE",
            help="Learning rate, of all methods or of one; may be repeated. Default: one that "
            "suits the surface, torch's for further optimizers.",
        ),
    ] = None,
    beta: Annotated[
        float, typer.Option("--beta", metavar="B", help="Momentum of momentum and nesterov.")
    ] = 0.9,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="METHOD.KEY=VALUE",
            help="Option of an optimizer, such as adam.amsgrad=true; may be repeated.",
        ),
    ] = None,
    start: Annotated[
        tuple[float, float] | None,
        typer.Option("--start", metavar="X Y", help="Default: a usual one.", show_default=False),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=0, help="Most steps.")] = 3000,
    threshold: Annotated[
        float,
        typer.Option("--gradient-norm", metavar="NORM", help="Stop where the gradient is shorter."),
    ] = 1e-5,
    grid: Annotated[
        int | None,
        typer.Option(
            "--grid",
            metavar="N",
            help="Descend on an image of N x N pixels, bilinear between them; learning rates "
            "and epsilon count pixels then.",
        ),
    ] = None,
    gradient: Annotated[
        Literal["autograd", "numeric"] | None,
        typer.Option(
            "--gradient",
            metavar="autograd|numeric",
            parser=one_of("--gradient", "autograd", "numeric"),
            autocompletion=completion.one_of_these("autograd", "numeric"),
            help="Default: autograd; numeric on an image.",
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            metavar="E",
            help="Step of the numeric gradient. Default: a millionth of the domain; 1 pixel.",
            show_default=False,
        ),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE.png", help="Write a picture.")
    ] = None,
    gif: Annotated[
        Path | None, typer.Option("--gif", metavar="FILE.gif", help="Write a moving one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Descend a function of two variables by several optimizers, side by side."""
    from cnn_core.surfaces.descent import Track, check_start, descend, method_of
    from cnn_core.surfaces.drawing import check_file, save_gif, save_png
    from cnn_core.surfaces.field import field_of
    from cnn_core.surfaces.functions import find_surface
    from cnn_core.surfaces.surface import METHODS

    if name is None:
        _list(as_json)
        return
    chosen = find_surface(name)
    wanted = list(dict.fromkeys(one.casefold() for one in methods or METHODS))
    if not threshold >= 0:
        raise UserError(f"--gradient-norm {threshold:g}: expected 0 or more")
    rate_of = rates_of(rates or (), wanted)
    given = options_of(options or (), wanted)
    field = field_of(chosen, grid, gradient, epsilon)
    for path, suffix in ((png, ".png"), (gif, ".gif")):
        if path is not None:
            check_file(path, suffix)
    at = check_start(chosen, start or chosen.start)
    with working("loading torch"):
        made = [
            method_of(one, chosen, field, lr=rate_of.get(one), beta=beta, options=given.get(one))
            for one in wanted
        ]
    with working("descending"):
        tracks = [
            Track(
                method.name,
                style,
                list(descend(field, method, at, steps=steps, gradient_norm=threshold)),
            )
            for style, method in enumerate(made)
        ]
    if png is not None:
        save_png(png, chosen, tracks, grid=grid)
        narrate(f"wrote {printable(png)}")
    if gif is not None:
        finish(save_gif(gif, chosen, tracks, grid=grid))
        narrate(f"wrote {printable(gif)}")
    if as_json:
        print_json(_document(chosen, field, grid, made, tracks, steps, threshold))
        return
    _show(chosen, grid, made, tracks)


def _list(as_json: bool) -> None:
    from cnn_core.surfaces.functions import SURFACES

    if as_json:
        print_json([_facts(one) for one in SURFACES.values()])
        return
    rows = [
        (
            one.name,
            one.title,
            f"{one.domain.x_low:g} … {one.domain.x_high:g}",
            f"{one.domain.y_low:g} … {one.domain.y_high:g}",
            None if one.lowest is None else f"{one.lowest:.6g}",
            len(one.minima),
            one.source,
        )
        for one in SURFACES.values()
    ]
    columns = ("surface", "title", "x", "y", "lowest", "minima", "source")
    print_table(columns, rows, right=("lowest", "minima"), fold=("source",))


def _show(
    surface: "Surface", grid: int | None, methods: Sequence["Method"], tracks: Sequence["Track"]
) -> None:
    from cnn_tui.surface_text import COLUMNS, RIGHT, row_of

    if sys.stdout.isatty():
        _print_map(surface, grid, tracks)
    rows = [
        row_of(surface, method, track.steps[-1])
        for method, track in zip(methods, tracks, strict=True)
    ]
    print_table(COLUMNS, rows, right=RIGHT, fold=("ended",))


def _print_map(surface: "Surface", grid: int | None, tracks: Sequence["Track"]) -> None:
    from rich.segment import Segment, Segments

    from cnn_tui.surface_cells import SurfaceCells

    console = stdout()
    rows = min(max(console.height - _BELOW - len(tracks), _FEWEST), _MOST, console.width // 2)
    coloured = console.color_system is not None and not console.no_color
    cells = SurfaceCells(surface, grid, 2 * rows, rows, colour=coloured)
    for track in tracks:
        cells.extend(track.style, track.steps)
    first = tracks[0].steps[0]
    cells.put_start(first.x, first.y)
    for row in range(rows):
        console.print(Segments([*cells.row(row), Segment.line()]), end="")


def _facts(surface: "Surface") -> dict[str, Any]:
    box = surface.domain
    return {
        "name": surface.name,
        "title": surface.title,
        "domain": {"x": [box.x_low, box.x_high], "y": [box.y_low, box.y_high]},
        "minima": surface.minima,
        "lowest": surface.lowest,
        "start": surface.start,
        "source": surface.source,
    }


def _document(
    surface: "Surface",
    field: "Field",
    grid: int | None,
    methods: Sequence["Method"],
    tracks: Sequence["Track"],
    steps: int,
    threshold: float,
) -> dict[str, Any]:
    first = tracks[0].steps[0]
    return {
        "surface": _facts(surface),
        "grid": grid,
        "gradient": field.gradient,
        "epsilon": field.epsilon if field.gradient == "numeric" else None,
        "start": [first.x, first.y],
        "steps": steps,
        "gradient_norm": threshold,
        "descents": [
            {
                "method": method.name,
                "lr": method.lr,
                "options": method.options,
                "steps": track.steps[-1].step,
                "ended": track.steps[-1].ending,
                "to_minimum": surface.distance(track.steps[-1].x, track.steps[-1].y),
                "path": [
                    {"x": at.x, "y": at.y, "value": at.value, "gradient_norm": at.gradient_norm}
                    for at in track.steps
                ],
            }
            for method, track in zip(methods, tracks, strict=True)
        ],
    }
