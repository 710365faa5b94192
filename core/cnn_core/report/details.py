"""The tables of a run that explain its results: data, network, environment."""

from typing import Any

from cnn_core.report.blocks import Block, Folded, Words
from cnn_core.report.material import Absent, Material
from cnn_core.runs.dotted import flatten, value_at
from cnn_core.runs.tables import Table
from cnn_core.summary import Summary

MOST_OPEN = 20
"""Rows of a table of classes that are seen without asking."""

_IMAGES = "{:,} train, {:,} validation and {:,} test images of {:,} classes."
# A folder and a user are of no use to who reads a report, and may be private.
_ENVIRONMENT = {
    "device": "device",
    "threads": "threads",
    "precision": "precision",
    "host": "host",
    "platform": "platform",
    "cpus": "CPUs",
    "python": "Python",
    "git.commit": "git commit",
    "git.dirty": "uncommitted changes",
    "dataset_fingerprint": "data set's fingerprint",
}


def split_blocks(one: Material) -> list[Block]:
    """Return how many images of each class each part has."""
    if isinstance(one.split, Absent):
        blocks: list[Block] = []
        counts = [one.summary["split"][key] for key in ("train", "val", "test", "classes")]
        if None not in counts:
            blocks.append(Words(_IMAGES.format(*counts)))
        return [*blocks, missing("The images of each class are not known", one.split)]
    rows = [
        [str(row.label), row.name, *(f"{n:,}" for n in (row.train, row.val, row.test)),
         f"{row.train + row.val + row.test:,}"]
        for row in one.split
    ]  # fmt: skip
    totals = [sum(getattr(row, part) for row in one.split) for part in ("train", "val", "test")]
    rows.append(["", "all", *(f"{total:,}" for total in [*totals, sum(totals)])])
    last = len(rows) - 1
    table = Table(
        ["label", "class", "train", "val", "test", "all"],
        [list(row) for row in rows],
        frozenset({0, 2, 3, 4, 5}),
        frozenset((last, column) for column in range(1, 6)),
    )
    return [
        Words(_IMAGES.format(*totals, len(one.split))),
        folded_if_long("Images of each class", table, len(one.split)),
    ]


def layer_blocks(one: Material) -> list[Block]:
    """Return the stages of the network, and its layers on request."""
    made = one.layers
    if isinstance(made, Absent):
        return [missing("The layers are not known", made)]
    return [
        Words(
            f"{made.total:,} parameters, {made.trainable:,} of them train. For one image: input "
            f"{made.input_mb:.2f} MB, forward and backward {made.forward_backward_mb:.2f} MB, "
            f"parameters {made.params_mb:.2f} MB (as torchsummary reckons them)."
        ),
        Table(
            ["stage", "output", "parameters", "trainable"],
            [
                [row.name, _shape(row.output_shape), f"{row.parameters:,}", f"{row.trainable:,}"]
                for row in made.stages
            ],
            frozenset({2, 3}),
        ),
        Folded("All layers", (_layers(made),)),
    ]


def environment_table(one: Material) -> Block:
    """Return where and with what the run was made."""
    known = {title: value_at(one.environment, key) for key, title in _ENVIRONMENT.items()}
    versions = one.environment.get("versions")
    known |= flatten(versions) if isinstance(versions, dict) else {}
    rows: list[list[str | None]] = [
        [title, _text(value)] for title, value in known.items() if value is not None
    ]
    if not rows:
        return Words("Where the run was made is not known: no environment.json.", missing=True)
    return Table(["", ""], rows)


def folded_if_long(title: str, table: Table, rows: int) -> Block:
    """Return the table, or a title to open it by."""
    return Folded(title, (table,)) if rows > MOST_OPEN else table


def missing(what: str, absent: Absent) -> Words:
    """Return the sentence that stands for what can't be had."""
    return Words(f"{what}: {absent.reason}", missing=True)


def _layers(made: Summary) -> Table:
    return Table(
        ["layer", "type", "output", "parameters", "trainable"],
        [
            [row.name, row.type, _shape(row.output_shape), f"{row.parameters:,}",
             f"{row.trainable:,}"]
            for row in made.layers
        ],
        frozenset({3, 4}),
    )  # fmt: skip


def _shape(sides: tuple[int, ...]) -> str:
    return " × ".join(map(str, sides[1:])) or "–"


def _text(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
