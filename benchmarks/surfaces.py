"""Descents of a surface from many starts: ``python benchmarks/surfaces.py schaffer2 --grid 256``.

Starts are drawn evenly from the inner 80 % of the domain, the same for every method. *Reached* are
descents that end within 0.3 of a global minimum; *lowest* is the lowest value met on the way, and
*moved* how far the end lies from the start, both as medians.
"""

import argparse
import dataclasses
import statistics

import numpy as np

from cnn_core.surfaces.descent import descend, method_of
from cnn_core.surfaces.field import Field, field_of
from cnn_core.surfaces.functions import find_surface
from cnn_core.surfaces.surface import METHODS, Box, Surface

NEAR = 0.3


def main() -> None:
    """Print a row for each method and learning rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("surface")
    parser.add_argument("--half", type=float, help="half the domain's side, around the origin")
    parser.add_argument("--grid", type=int, help="pixels along an edge of an image; default: none")
    parser.add_argument("--lr", type=float, nargs="+", default=[None])
    parser.add_argument("--method", nargs="+", default=METHODS[:3])
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1000)
    args = parser.parse_args()
    surface = find_surface(args.surface)
    if args.half:
        box = Box(-args.half, args.half, -args.half, args.half)
        surface = dataclasses.replace(surface, domain=box)
    field = field_of(surface, args.grid)
    print("| method | lr | reached | at rest | left | steps run out | lowest | moved |")
    print("|---|---|---|---|---|---|---|---|")
    for lr in args.lr:
        for name in args.method:
            print(row(surface, field, name, lr, starts(surface, args.starts), args.steps))


def starts(surface: Surface, count: int) -> list[tuple[float, float]]:
    """Return the starts."""
    box = surface.domain
    shares = np.random.default_rng(0).uniform(0.1, 0.9, (count, 2))
    return [(box.x_low + a * box.side, box.y_low + b * box.side) for a, b in shares]


def row(
    surface: Surface,
    field: Field,
    name: str,
    lr: float | None,
    begun: list[tuple[float, float]],
    steps: int,
) -> str:
    """Return a row of the table."""
    method = method_of(name, surface, field, lr=lr)
    paths = [list(descend(field, method, start, steps=steps)) for start in begun]
    ends = [path[-1] for path in paths]
    ended = [
        sum(end.ending == ending for end in ends)
        for ending in ("gradient small", "left the domain", "steps run out")
    ]
    away = [surface.distance(end.x, end.y) for end in ends]
    reached = sum(one is not None and one < NEAR for one in away)
    lowest = [min(step.value for step in path if step.value == step.value) for path in paths]
    moved = [float(np.hypot(end.x - x, end.y - y)) for end, (x, y) in zip(ends, begun, strict=True)]
    figures = [reached, *ended]
    shares = " | ".join(f"{100 * figure / len(begun):.0f} %" for figure in figures)
    return (
        f"| {name} | {method.lr:.3g} | {shares} | {statistics.median(lowest):.4f} | "
        f"{statistics.median(moved):.2f} |"
    )


if __name__ == "__main__":
    main()
