"""What the table of runs can show of a run, and which of it where there is little room."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from cnn_core.errors import printable
from cnn_core.runs.index import Row
from cnn_tui.charts.glyphs import sparkline
from cnn_tui.output import age, percent, seconds
from cnn_tui.run_choice import tags_of
from cnn_tui.status import STATUS_COLOURS, STATUS_SIGNS

GAP = 2
_BAR_WIDTH = 8
_CURVE_WIDTH = 14
_NAME_WIDTH = 28  # less only where even the first columns don't leave that
_WIDEST = {"name": 48, "id": 60, "tags": 24}


@dataclass(frozen=True, slots=True)
class Moment:
    """What a cell depends on beside its run: Unix seconds, and places in the queue by id."""

    now: float = 0.0
    places: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``key`` sorts it, ``cell`` gives text and the name of a colour ("" for none).

    Columns of a low ``rank`` are shown first. Without a ``width`` (cells) it is as wide as its
    longest text needs.
    """

    title: str
    key: str
    rank: int
    cell: Callable[[Row, Moment], tuple[str, str]]
    width: int = 0
    right: bool = False


def _text(value: object) -> str:
    return "–" if value is None else printable(value)


def _plain(key: str) -> Callable[[Row, Moment], tuple[str, str]]:
    return lambda row, _: (_text(row[key]), "")


def _accuracy(section: str, key: str) -> Callable[[Row, Moment], tuple[str, str]]:
    def cell(row: Row, _: Moment) -> tuple[str, str]:
        value = percent(row[section][key])
        return (value, "") if value is not None else ("–", "muted")

    return cell


def _colour(row: Row) -> str:
    return STATUS_COLOURS[row["status"]]


def _word(row: Row, moment: Moment) -> tuple[str, str]:
    place = moment.places.get(row["id"])
    word = str(row["status"])
    return (word if place is None else f"{word} #{place}"), _colour(row)


def _epochs(row: Row, _: Moment) -> tuple[str, str]:
    return _text(f"{row['epoch']}/{'–' if row['epochs'] is None else row['epochs']}"), ""


def _bar(row: Row, _: Moment) -> tuple[str, str]:
    done, total = row["epoch"], row["epochs"]
    if not isinstance(done, int) or not isinstance(total, int) or total < 1:
        return "", ""
    halves = round(2 * _BAR_WIDTH * min(done / total, 1.0))
    return "━" * (halves // 2) + "╸" * (halves % 2), _colour(row)


def _age(row: Row, moment: Moment) -> tuple[str, str]:
    return age(row["created"], moment.now) or "–", "muted"


def _tags(row: Row, _: Moment) -> tuple[str, str]:
    return _text(", ".join(tags_of(row))), "muted"


COLUMNS = (
    Column("", "status", 0, lambda row, _: (STATUS_SIGNS[row["status"]], _colour(row)), width=1),
    Column("status", "status", 1, _word),
    Column("name", "name", 0, _plain("name")),
    Column(
        "val curve",
        "last.val_acc",
        4,
        lambda row, _: (sparkline(row["val_acc_series"], _CURVE_WIDTH), "muted"),
        width=_CURVE_WIDTH,
    ),
    Column("best val", "best.val_acc", 0, _accuracy("best", "val_acc"), width=8, right=True),
    Column("test", "test.acc", 0, _accuracy("test", "acc"), width=7, right=True),
    Column("epoch", "epoch", 0, _epochs, right=True),
    Column("", "epoch", 0, _bar, width=_BAR_WIDTH),
    Column("age", "created", 0, _age, width=6, right=True),
    Column("data set", "dataset", 2, _plain("dataset")),
    Column("backbone", "backbone", 3, _plain("backbone")),
    Column("freeze", "freeze", 5, _plain("freeze")),
    Column("augmentation", "augmentation", 6, _plain("augmentation")),
    Column(
        "time",
        "timing.total_s",
        7,
        lambda row, _: (seconds(row["timing"]["total_s"]) or "–", ""),
        width=12,
        right=True,
    ),
    Column("tags", "tags", 8, _tags),
    Column("id", "id", 9, lambda row, _: (_text(row["id"]), "muted")),
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A column in the table: it begins at cell ``x`` of the line."""

    column: Column
    x: int
    width: int


def needed_widths(
    rows: Sequence[Row], places: Mapping[str, int], before: Mapping[Column, int]
) -> dict[Column, int]:
    """Return how wide each column would like to be to show these rows whole, and those before.

    A column in which nothing stands is left out, unless it is always shown.
    """
    moment = Moment(places=places)
    widths = {}
    for column in COLUMNS:
        width = column.width
        if not width:
            # Few texts are distinct, but for names: measuring is what takes time.
            texts = {column.cell(row, moment)[0] for row in rows}
            widest = _WIDEST.get(column.key, 18)
            width = min(max(map(cell_len, texts), default=0), widest)
        if width or column.rank == 0 or column in before:
            widths[column] = max(width, cell_len(column.title), before.get(column, 0))
    return widths


def place_columns(needed: Mapping[Column, int], start: int, width: int) -> list[Placed]:
    """Lay out as many columns as fit between the cells ``start`` and ``width``.

    The name yields room to further columns down to a least width, and takes all that is left
    if it needs it.
    """
    name = next(column for column in needed if column.key == "name")
    room = width - start - 1  # for the sign of the order behind the last head
    least = {**needed, name: min(needed[name], _NAME_WIDTH)}
    chosen = {column for column in needed if column.rank == 0}
    used = sum(least[column] + GAP for column in chosen) - GAP
    for column in sorted(needed, key=lambda column: column.rank):
        if column.rank and used + GAP + least[column] <= room:
            chosen.add(column)
            used += GAP + least[column]
        elif column.rank:
            break  # the next one would look as if it came before this one
    least[name] = min(needed[name], max(8, least[name] + room - used))
    placed, x = [], start
    for column in needed:
        if column in chosen:
            placed.append(Placed(column, x, least[column]))
            x += least[column] + GAP
    return placed
