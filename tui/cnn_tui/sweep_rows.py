"""Sweeps and their trials as rows of text."""

import csv
import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cnn_core.runs.dotted import value_at
from cnn_core.runs.tables import csv_cell
from cnn_core.search.sweep_config import Sweep, name_of
from cnn_tui.output import literal, seconds
from cnn_tui.status import STATUS_COLOURS, STATUS_SIGNS
from cnn_tui.sweep_figures import metric_text, scale_of, short_names
from cnn_tui.sweep_starts import Phase
from cnn_tui.sweep_watch import SweepWatch

if TYPE_CHECKING:
    from cnn_core.search.results import SweepResults, TrialRow

Columns = list[tuple[str, Text]]
Rows = dict[str, list[Text]]

_SIGNS = STATUS_SIGNS | {"pruned": "▽", "waiting": "○"}
_COLOURS = STATUS_COLOURS | {"pruned": "warning", "waiting": "secondary"}
_STATES = {
    "in training": ("▶", "primary"),
    "starting": ("○", "secondary"),
    "stopping": ("■", "warning"),
    "not begun": ("○", "secondary"),
    "stopped": ("■", "warning"),
    "done": ("✓", "success"),
    "unreadable": ("✗", "error"),
}
_LONGEST_NAME, _LONGEST_VALUE = 60, 20
_WIDE = 110
_GAP = 2  # DataTable's padding of a cell, left and right


def state_text(watch: SweepWatch, phase: Phase | None, colours: Mapping[str, str]) -> Text:
    """Return the state of a sweep with its sign; ``phase`` is that of this app's process for it."""
    state: str = watch.state
    if watch.error:
        state = "unreadable"
    elif phase is not None and watch.state != "done":
        state = watch.state if phase == "starting" and watch.training else phase
    sign, colour = _STATES[state]
    dots = "…" if state == phase else ""
    return Text(f"{sign} {state}{dots}", colours.get(colour, ""))


def sweep_table(
    watches: Iterable[SweepWatch],
    phases: Mapping[str, Phase | None],
    colours: Mapping[str, str],
    width: int,
) -> tuple[Columns, Rows]:
    """Return a row for each sweep by its name."""
    titles = ["sweep", "state", "ended", "best", "metric", "keys", "sampler"]
    if width < _WIDE:
        titles = titles[:5]
    rows = {}
    for watch in watches:
        cells = {
            "sweep": _cut(watch.name, _LONGEST_NAME if width >= _WIDE else 30),
            "state": state_text(watch, phases.get(watch.name), colours),
        }
        if watch.error is None and watch.folder is not None and watch.results is not None:
            sweep, best = watch.folder.sweep, watch.results.best
            metric = sweep.search.metric
            cells |= {
                "ended": Text(f"{watch.results.ended}/{watch.results.wanted}"),
                "best": Text(metric_text(metric, best.value if best else None) or "–"),
                "metric": Text(metric),
                "keys": _cut(", ".join(short_names(list(sweep.parameters)).values()), 40),
                "sampler": Text(sweep.search.sampler),
            }
        rows[watch.name] = [cells.get(title, Text()) for title in titles]
    return [(title, Text(title)) for title in titles], rows


def sort_keys(sweep: Sweep) -> dict[str, str]:
    """Return what trials can be sorted by, with its title."""
    return {
        "number": "number",
        "value": sweep.search.metric,
        "status": "status",
        **short_names(list(sweep.parameters)),
        "epoch": "epoch",
        "time": "time",
    }


def sorted_trials(sweep: Sweep, trials: Sequence["TrialRow"], sort: str) -> list["TrialRow"]:
    """Return the trials in the order of a key, ``-key`` for the largest first; unknown last."""
    key = sort.removeprefix("-")

    def value(trial: "TrialRow") -> Any:
        if key in sweep.parameters:
            if key not in trial.params:
                return None
            place = scale_of(sweep.parameters[key]).place(trial.params[key])
            return None if math.isnan(place) else place
        row = trial.row or {}
        return {
            "number": trial.number,
            "value": trial.value,
            "status": trial.status,
            "epoch": row.get("epoch"),
            "time": value_at(row, "timing.total_s"),
        }.get(key)

    known = [(value(trial), trial) for trial in trials]
    told = [pair for pair in known if pair[0] is not None and pair[0] == pair[0]]
    told.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
    return [trial for _, trial in told] + [
        trial for found, trial in known if found is None or found != found
    ]


def trial_table(
    sweep: Sweep,
    results: "SweepResults",
    *,
    sort: str,
    marked: Collection[int],
    colours: Mapping[str, str],
    width: int,
) -> tuple[Columns, Rows]:
    """Return a row for each trial by its number, in the order of ``sort``.

    Without epochs and times where there is no room for them.
    """
    titles = sort_keys(sweep)
    first, last = ("number", "value", "status"), ("epoch", "time")
    keys = [*first, *(key for key in titles if key not in first)]
    columns = [("mark", Text(" ")), *((key, _title(titles[key], key, sort)) for key in keys)]
    rows = {}
    for trial in sorted_trials(sweep, results.trials, sort):
        cells = _trial_cells(sweep, trial, colours)
        cells["mark"] = Text("●" if trial.number in marked else " ")
        if results.best is not None and trial.number == results.best.number:
            cells["value"].append(" *")
            cells["value"].stylize(f"bold {colours.get('success', '')}".strip())
        rows[str(trial.number)] = [cells.get(key, Text("–", "dim")) for key, _ in columns]
    texts = zip(*rows.values(), [title for _, title in columns], strict=True)
    if sum(max(cell.cell_len for cell in column) + _GAP for column in texts) > width:
        columns = [column for column in columns if column[0] not in last]
        rows = {number: cells[: len(columns)] for number, cells in rows.items()}
    return columns, rows


def head_text(watch: SweepWatch, phase: Phase | None, colours: Mapping[str, str]) -> Text:
    """Return two lines: how far the sweep is and how it searches; the best and its values."""
    state = state_text(watch, phase, colours)
    if watch.error:
        return Text.assemble(state, "  ", literal(watch.error))
    if watch.folder is None or watch.results is None:
        return Text("reading…")
    sweep, results = watch.folder.sweep, watch.results
    search = sweep.search
    counts = results.counts()
    told = [f"{results.ended} of {results.wanted} ended"]
    told += [f"{counts[status]} {status}" for status in _TOLD if counts.get(status)]
    pruner = "" if search.pruner == "none" else f", {search.pruner}"
    way = "" if search.maximizes else ", less is better"
    told += [f"{search.metric}{way}", f"{search.sampler}{pruner}"]
    text = Text.assemble(state, "  ", " · ".join(told), " · ")
    text.append_text(literal(watch.folder.base.get("name", "")))
    text.append("\n")
    best = results.best
    if best is None:
        return text.append("no trial has finished yet", "dim")
    text.append("best ").append(metric_text(search.metric, best.value), "bold")
    text.append(f"  trial {best.number}: ")
    short = short_names(list(sweep.parameters))
    values = [f"{short[key]} {_value(best.params.get(key))}" for key in sweep.parameters]
    return text.append_text(literal(", ".join(values)))


def importance_text(shares: Mapping[str, float], width: int, colours: Mapping[str, str]) -> Text:
    """Return a bar and a percentage for each parameter."""
    from cnn_tui.charts.glyphs import bar

    size = min(max(map(len, shares), default=0), max(width // 3, 8))
    lines = []
    for key, share in shares.items():
        name = _cut(key, size)
        name.append(" " * (size - name.cell_len))
        drawn = bar(share, 1.0, max(min(width - size - 8, 60), 4))
        drawn.stylize(colours.get("primary", ""))
        lines.append(Text.assemble(name, f"{share:>5.0%} ", drawn))
    return Text("\n").join(lines)


def trials_csv(sweep: Sweep, results: "SweepResults") -> str:
    """Return a line for each trial under a header, every digit."""
    keys = list(sweep.parameters)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    metric = sweep.search.metric
    writer.writerow(["trial", *keys, "status", metric, "epoch", "epochs", "seconds", "run"])
    for trial in results.trials:
        row = trial.row or {}
        facts = [row.get("epoch"), row.get("epochs"), value_at(row, "timing.total_s"), trial.run]
        values = [trial.params.get(key) for key in keys]
        cells = [trial.number, *values, trial.status, trial.value, *facts]
        writer.writerow(map(csv_cell, cells))
    return text.getvalue()


_TOLD = (
    *("running", "paused", "interrupted", "queued", "waiting"),
    *("failed", "diverged", "pruned", "stopped"),
)


def _trial_cells(sweep: Sweep, trial: "TrialRow", colours: Mapping[str, str]) -> dict[str, Text]:
    row = trial.row or {}
    sign, colour = _SIGNS.get(trial.status, ""), _COLOURS.get(trial.status, "")
    cells = {
        "number": Text(f"{trial.number}"),
        "value": Text(metric_text(sweep.search.metric, trial.value) or "–"),
        "status": Text(f"{sign} {trial.status}", colours.get(colour, "")),
        "epoch": Text(f"{row['epoch']}/{row['epochs'] or '–'}" if row else "–"),
        "time": literal(seconds(value_at(row, "timing.total_s"))),
    }
    return cells | {key: _cut(_value(value), _LONGEST_VALUE) for key, value in trial.params.items()}


def _value(value: Any) -> str:
    """Return a parameter's value in few digits: draws have more than anybody reads."""
    return f"{value:.4g}" if isinstance(value, float) else name_of(value)


def _title(title: str, key: str, sort: str) -> Text:
    name = "#" if key == "number" else title
    turned = {key: " ▲", f"-{key}": " ▼"}.get(sort, "")
    text = _cut(name, _LONGEST_VALUE)
    return text.append(turned)


def _cut(text: str, size: int) -> Text:
    cut = literal(text)
    cut.truncate(size, overflow="ellipsis")
    return cut
