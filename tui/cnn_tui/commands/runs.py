"""runs, show, compare: what is stored."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cnn_tui import completion
from cnn_tui.options import Json, RunName, RunsDir
from cnn_tui.output import (
    age,
    fitting,
    literal,
    narrate,
    percent,
    print_facts,
    print_json,
    print_table,
    seconds,
)

if TYPE_CHECKING:
    from cnn_core.runs.compare import Comparison

STATUS_STYLES = {
    "running": "cyan",
    "paused": "yellow",
    "finished": "green",
    "stopped": "yellow",
    "failed": "red",
    "diverged": "red",
    "interrupted": "magenta",
    "queued": "dim",
}


def runs(
    runs_dir: RunsDir,
    expression: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="EXPR",
            help="Show only runs for which this holds, such as "
            "'status == \"finished\" and best.val_acc > 0.8'.",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="KEY,...",
            help="Sort by these keys; - before a key turns it round: -best.val_acc,name.",
        ),
    ] = "-created",
    as_json: Json = False,
) -> None:
    """List the stored runs, newest first."""
    from cnn_core.runs.index import run_rows
    from cnn_core.runs.select import filter_rows, sort_rows

    rows = run_rows(runs_dir)
    if expression is not None:
        rows = filter_rows(rows, expression)
    rows = sort_rows(rows, sort)
    if as_json:
        print_json(rows)
        return
    if not rows:
        held = f"no run in {runs_dir}" if expression is None else "no run matches"
        narrate(f"{held}; cnn-tui run digits makes one" if expression is None else held)
        return
    columns = ["run", "status", "best val", "test", "epoch", "age", "dataset", "backbone"]
    cells = [_row(row) for row in rows]
    # What does not fit is left out from the right; beside the results, long ids are wrapped.
    shown = max(4, fitting(columns, cells))
    print_table(
        columns[:shown],
        [row[:shown] for row in cells],
        right=["best val", "test", "epoch", "age"],
        fold=["run"],
    )
    if hidden := columns[shown:]:
        narrate(f"no room for {', '.join(hidden)}: widen the terminal, or use --json")


def show(run: RunName, runs_dir: RunsDir, as_json: Json = False) -> None:
    """Show a run: its result, its epochs, its settings and where it is."""
    from cnn_core.runs.compare import setting_text
    from cnn_core.runs.directory import find_run
    from cnn_core.runs.dotted import flatten
    from cnn_core.runs.reader import read_summary

    run_dir = find_run(runs_dir, run)
    summary = read_summary(run_dir)
    if as_json:
        print_json(summary)
        return
    from cnn_tui.wording import result_rows

    print_facts([("id", summary["id"]), *result_rows(summary, str(run_dir)), *_facts(summary)])
    if summary["history"]:
        sys.stdout.write("\n")
        _print_history(summary)
    sys.stdout.write("\n")
    print_facts([(key, setting_text(value)) for key, value in flatten(summary["config"]).items()])


def compare(
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            autocompletion=completion.runs,
            help="Two or more runs.",
            show_default=False,
        ),
    ],
    runs_dir: RunsDir,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV on stdout.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Write a Markdown table on stdout.")
    ] = False,
    as_latex: Annotated[
        bool, typer.Option("--latex", help="Write a LaTeX table (booktabs) on stdout.")
    ] = False,
) -> None:
    """Compare runs: the settings that differ, and their results."""
    from cnn_core.errors import UserError
    from cnn_core.runs.compare import compare as compare_runs
    from cnn_core.runs.directory import find_run
    from cnn_core.runs.reader import read_summary

    if as_json + as_csv + as_markdown + as_latex > 1:
        raise UserError("give one of --json, --csv, --markdown and --latex")
    comparison = compare_runs([read_summary(find_run(runs_dir, item)) for item in references])
    if as_json:
        print_json(comparison.as_dict())
        return
    if as_csv or as_markdown or as_latex:
        text = comparison.as_latex if as_latex else comparison.as_markdown
        sys.stdout.write(comparison.as_csv() if as_csv else text())
        return
    if len(references) < 2:
        raise UserError("give two runs or more; cnn-tui show shows one")
    _print_comparison(comparison)


def _row(row: dict[str, Any]) -> list[Any]:
    return [
        row["id"],
        Text(row["status"], style=STATUS_STYLES[row["status"]]),
        percent(row["best"]["val_acc"]),
        percent(row["test"]["acc"]),
        f"{row['epoch']}/{row['epochs']}",
        age(row["created"]),
        row["dataset"],
        row["backbone"],
    ]


def _print_comparison(comparison: "Comparison") -> None:
    from cnn_core.runs.compare import setting_text

    # Ids are long: numbers stand for them, so that the columns stay narrow.
    heads = [f"#{number}" for number in range(1, len(comparison.ids) + 1)]
    print_facts(zip(heads, comparison.ids, strict=True))
    sys.stdout.write("\n")
    if comparison.settings:
        rows = [[key, *map(setting_text, values)] for key, values in comparison.settings.items()]
        print_table(["setting", *heads], rows, fold=heads)
    else:
        sys.stdout.write("the settings are the same\n")
    sys.stdout.write("\n")
    shown: dict[str, tuple[str, Callable[[Any], str | None]]] = {
        "best_val_acc": ("best validation accuracy", percent),
        "best_epoch": ("best epoch", _grouped),
        "test_acc": ("test accuracy", percent),
        "total_s": ("time", seconds),
        "params_total": ("parameters", _grouped),
        "params_trainable": ("trainable", _grouped),
    }
    results: list[list[Any]] = []
    for key, (label, text) in shown.items():
        best = comparison.best.get(key, [])
        cells = [literal(text(value)) for value in comparison.results[key]]
        for position in best:
            cells[position].stylize("bold green")
            cells[position].append(" *")
        results.append([label, *cells])
    print_table(["result", *heads], results, fold=heads)
    narrate("* best")


def _grouped(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


def _facts(summary: dict[str, Any]) -> list[tuple[str, Any]]:
    split, params = summary["split"], summary["params"]
    facts: list[tuple[str, Any]] = []
    if summary["error"]:
        facts.append(("error", summary["error"]))
    if split["train"] is not None:
        counts = f"{split['train']} train, {split['val']} val, {split['test']} test"
        facts.append(("images", f"{counts}; {split['classes']} classes"))
    if params["total"] is not None:
        facts.append(("parameters", f"{params['total']:,}, {params['trainable']:,} trainable"))
    if summary["device"]:
        facts.append(("device", summary["device"]))
    if summary["tags"]:
        facts.append(("tags", " ".join(summary["tags"])))
    if summary["notes"]:
        facts.append(("notes", summary["notes"]))
    return facts


def _print_history(summary: dict[str, Any]) -> None:
    best = summary["best"]["epoch"]
    rows = []
    for epoch in summary["history"]:
        style = "bold" if epoch["epoch"] == best else ""
        cells = [
            str(epoch["epoch"]),
            _number(epoch["train_loss"]),
            percent(epoch["train_acc"]),
            _number(epoch["val_loss"]),
            percent(epoch["val_acc"]),
            f"{epoch['lr']:.4g}",
            seconds(epoch["seconds"]),
            "best" if epoch["epoch"] == best else "",
        ]
        rows.append([Text(cell if cell is not None else "–", style=style) for cell in cells])
    columns = ["epoch", "train loss", "train acc", "val loss", "val acc", "lr", "time", " "]
    print_table(columns, rows, right=columns[:-1])


def _number(value: Any) -> str | None:
    return None if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
