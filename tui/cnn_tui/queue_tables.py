"""The tables of the queue as rows of text: what trains, and what waits."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from cnn_core.runs.index import Row
from cnn_tui.output import literal, percent, seconds
from cnn_tui.queue_reader import QueueLook
from cnn_tui.status import STATUS_COLOURS, STATUS_SIGNS

Columns = list[tuple[str, Text]]
Rows = dict[str, list[Text]]

_NOW = ("status", "run", "data set", "backbone", "epoch", "val acc", "left", "trained")
_WAITING = ("", "run", "data set", "backbone", "freeze", "epochs", "so far", "starts")
_WIDE = 110
_HIDDEN_WHEN_NARROW = ("data set", "backbone", "freeze", "epochs")
_LONGEST_NAME = 32


def live_table(
    look: QueueLook, here: str | None, colours: Mapping[str, str], width: int
) -> tuple[Columns, Rows]:
    """Return a row for each run that trains; ``here`` is the id of this process's."""
    rows = {}
    for row in look.live:
        status, left = row["status"], look.left_s.get(row["id"])
        rows[row["id"]] = [
            Text(f"{STATUS_SIGNS[status]} {status}", colours.get(STATUS_COLOURS[status], "")),
            _name(row),
            literal(row["dataset"]),
            literal(row["backbone"]),
            Text(f"{row['epoch']}/{row['epochs'] or '–'}"),
            literal(percent(row["best"]["val_acc"])),
            Text("–" if left is None else f"about {seconds(left)}"),
            Text("here" if row["id"] == here else "elsewhere", "dim"),
        ]
    return _fitted(_NOW, rows, width)


def waiting_table(look: QueueLook, before: str | None, width: int) -> tuple[Columns, Rows]:
    """Return a row for each run that waits; ``before`` is the id of the run they wait for.

    When the first of them starts is known from that run; how long the others take is not.
    """
    rows = {}
    for place, row in enumerate(look.waiting):
        left = look.left_s.get(before) if before is not None else None
        first = "next" if left is None else f"in about {seconds(left)}"
        starts = "" if before is None else "after the one above" if place else first
        was = "" if row["status"] == "queued" else f"{row['status']} at epoch {row['epoch']}"
        rows[row["id"]] = [
            Text(f"{place + 1}", "dim"),
            _name(row),
            literal(row["dataset"]),
            literal(row["backbone"]),
            literal(row["freeze"]),
            literal(row["epochs"]),
            Text(was),
            Text(starts, "dim"),
        ]
    return _fitted(_WAITING, rows, width)


def _fitted(titles: Sequence[str], rows: Rows, width: int) -> tuple[Columns, Rows]:
    """Return the columns for which there is room."""
    hidden = _HIDDEN_WHEN_NARROW if width < _WIDE else ()
    kept = [index for index, title in enumerate(titles) if title not in hidden]
    columns = [(titles[index], Text(titles[index])) for index in kept]
    return columns, {key: [cells[index] for index in kept] for key, cells in rows.items()}


def _name(row: Row) -> Text:
    name = literal(row["name"])
    name.truncate(_LONGEST_NAME, overflow="ellipsis")
    return name.append(f" …{row['id'][-4:]}", "dim")
