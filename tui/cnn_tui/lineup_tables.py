"""The tables of a comparison as rows of text: the runs, their settings, the summary."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from cnn_core.errors import printable
from cnn_core.figures.palette import curve_rgb
from cnn_core.runs.compare import Comparison, compare, setting_text
from cnn_core.runs.dotted import value_at
from cnn_core.runs.pivot import pivot
from cnn_tui.charts.palette import MARKERS
from cnn_tui.lineup import Entrant, Lineup
from cnn_tui.output import literal, percent, seconds
from cnn_tui.status import STATUS_COLOURS, STATUS_SIGNS

Columns = list[tuple[str, Text]]
Rows = dict[str, list[Text]]

_LONGEST_SETTING = 32
_SHORTEST_NAME = 12
_GAP = 2  # DataTable's padding of a cell, left and right

# Key, header, width, and the width of the screen from which on there is room for it.
_RUN_COLUMNS = (
    ("on", "", 1, 0),
    ("letter", "", 6, 0),
    ("name", "run", 0, 0),
    ("status", "status", 13, 0),
    ("best.val_acc", "val acc", 10, 0),
    ("test.acc", "test acc", 10, 0),
    ("epoch", "epoch", 9, 90),
    ("timing.total_s", "time", 12, 100),
    ("params.trainable", "trainable", 12, 120),
    ("timing.images_per_s", "images/s", 9, 150),
    ("id", "id", 0, 170),
)
SORTABLE = ("letter", "best.val_acc", "test.acc", "timing.total_s")
# The shortest time is no merit of a run that was stopped, or that had fewer epochs.
_BEST = {"best.val_acc": "best_val_acc", "test.acc": "test_acc"}


@dataclass(frozen=True, slots=True)
class Looks:
    """Colours of the theme by their names, such as "success"."""

    colours: Mapping[str, str]
    dark: bool

    def __getitem__(self, name: str) -> str:
        return self.colours.get(name, "")


def letter_text(entrant: Entrant, looks: Looks, *, sample: bool = False) -> Text:
    """Return the run's letter in the colour of its curves, with a sample of them."""
    rgb = curve_rgb(entrant.number, dark=looks.dark)
    style = f"bold rgb({rgb[0]},{rgb[1]},{rgb[2]})" if rgb else "bold"
    marker = MARKERS[entrant.number % len(MARKERS)]
    return Text(f"{entrant.letter} ─{marker}─" if sample else entrant.letter, style)


def run_table(
    lineup: Lineup, baseline: Entrant | None, looks: Looks, width: int
) -> tuple[Columns, Rows]:
    """Return a row for each run by its letter, with as many columns as fit into the width."""
    chosen = [column for column in _RUN_COLUMNS if width >= column[3]]
    entrants = lineup.ordered()
    ids = max((len(entrant.run_dir.name) for entrant in entrants), default=0)
    used = sum(size + _GAP for _, _, size, _ in chosen) + (ids if width >= 170 else 0) + 2
    room = max(width - used, _SHORTEST_NAME)
    compared = lineup.compared()
    comparison = compare([one.document for one in compared if one.document])
    names = _names(entrants, room)
    rows = {}
    for entrant in entrants:
        position = compared.index(entrant) if entrant in compared else None
        best = {
            key
            for key, result in _BEST.items()
            if len(compared) > 1 and position in comparison.best[result]
        }
        row = _run_row(entrant, names[entrant.letter], best, baseline, looks)
        rows[entrant.letter] = [row[key] for key, *_ in chosen]
    return [(key, _header(key, title, lineup)) for key, title, *_ in chosen], rows


def setting_table(
    entrants: Sequence[Entrant], looks: Looks, *, all_settings: bool
) -> tuple[Columns, Rows]:
    """Return a row for each setting that differs, or each setting, with a column for each run."""
    comparison = comparison_of(entrants, all_settings=all_settings)
    columns = [("setting", Text("setting"))]
    columns += [(one.letter, letter_text(one, looks)) for one in entrants]
    rows = {}
    for key, values in comparison.settings.items():
        texts = [printable(setting_text(value) or "–") for value in values]
        differs = len(set(texts)) > 1
        name = Text(key, "bold" if all_settings and differs else "")
        cells = [Text(text, "" if differs else "dim") for text in texts]
        for cell in cells:
            cell.truncate(_LONGEST_SETTING, overflow="ellipsis")
        rows[key] = [name, *cells]
    return columns, rows


def summary_table(entrants: Sequence[Entrant]) -> tuple[Columns, Rows]:
    """Return a row for each data set with the best run of each backbone."""
    made = pivot([one.document for one in entrants if one.document])
    columns = [("dataset", Text("data set"))]
    columns += [(backbone, literal(backbone)) for backbone in made.backbones]
    rows = {}
    for dataset in made.datasets:
        rows[dataset] = [literal(dataset)]
        for backbone in made.backbones:
            cell = made.cells.get((dataset, backbone))
            if cell is None:
                rows[dataset].append(Text("–", "dim"))
                continue
            val, test = percent(cell.val_acc), percent(cell.test_acc)
            parts = [f"val {val}" if val else "", f"test {test}" if test else ""]
            known = "  ".join(part for part in parts if part) or "–"
            count = f"  {cell.runs} {'run' if cell.runs == 1 else 'runs'}"
            rows[dataset].append(Text.assemble(known, (count, "dim")))
    return columns, rows


def comparison_of(entrants: Sequence[Entrant], *, all_settings: bool = False) -> Comparison:
    """Return the comparison of runs that are readable."""
    documents = [one.document for one in entrants if one.document]
    return compare(documents, all_settings=all_settings)


def _run_row(
    entrant: Entrant, name: Text, best: set[str], baseline: Entrant | None, looks: Looks
) -> dict[str, Text]:
    document = entrant.document or {}
    status = document.get("status", "")
    shown_status = Text(
        f"{STATUS_SIGNS.get(status, '')} {status}", looks[STATUS_COLOURS.get(status, "")]
    )
    if entrant.error:
        shown_status = Text("✗ unreadable", looks["error"])
    row = {
        "on": Text("●" if entrant.shown else "○"),
        "letter": letter_text(entrant, looks, sample=True),
        "name": name,
        "status": shown_status,
        "best.val_acc": _accuracy(entrant, "best.val_acc", baseline),
        "test.acc": _accuracy(entrant, "test.acc", baseline),
        "epoch": Text(f"{document.get('epoch', '–')}/{document.get('epochs') or '–'}"),
        "timing.total_s": literal(seconds(value_at(document, "timing.total_s"))),
        "params.trainable": _number(value_at(document, "params.trainable")),
        "timing.images_per_s": _number(value_at(document, "timing.images_per_s")),
        "id": literal(entrant.run_dir.name),
    }
    for key in best:
        row[key].append(" *")
        row[key].stylize(f"bold {looks['success']}")
    if not entrant.shown:
        for cell in row.values():
            cell.stylize("dim")
    return row


def _accuracy(entrant: Entrant, key: str, baseline: Entrant | None) -> Text:
    value = value_at(entrant.document or {}, key)
    base = value_at(baseline.document or {}, key) if baseline else None
    if entrant is baseline or value is None or base is None:
        return literal(percent(value))
    return Text(f"{100 * (value - base):+.2f} pp")


def _number(value: float | None) -> Text:
    return Text("–" if value is None else f"{value:,.0f}")


def _names(entrants: Sequence[Entrant], room: int) -> dict[str, Text]:
    """Return the runs' names by letter, cut to the room; namesakes with the ends of their ids."""
    names = {}
    for one in entrants:
        names[one.letter] = str((one.document or {}).get("name", one.run_dir.name))
    counts = Counter(names.values())
    texts = {}
    for one in entrants:
        ending = Text(f" …{one.run_dir.name[-4:]}", "dim")
        shared = counts[names[one.letter]] > 1
        text = literal(names[one.letter])
        text.truncate(room - (ending.cell_len if shared else 0), overflow="ellipsis")
        texts[one.letter] = text + ending if shared else text
    return texts


def _header(key: str, title: str, lineup: Lineup) -> Text:
    if key != lineup.sort_key or key == "letter":
        return Text(title)
    return Text(f"{title} {'▼' if lineup.descending else '▲'}")
