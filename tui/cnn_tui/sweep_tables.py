"""What a sweep has found, as text."""

from rich.text import Text

from cnn_core.search.results import SweepReader, SweepResults, document
from cnn_core.search.sweep_config import name_of
from cnn_tui.commands.runs import STATUS_STYLES
from cnn_tui.output import print_facts, print_json, print_table, seconds


def show(reader: SweepReader, results: SweepResults, *, as_json: bool) -> None:
    """Print what a sweep has found, or all of it as JSON."""
    if as_json:
        print_document(reader)
    else:
        print_result(reader, results)


def print_document(reader: SweepReader) -> None:
    """Print the sweep as one JSON document."""
    print_json(document(reader))


def print_trials(reader: SweepReader, results: SweepResults) -> None:
    """Print a line for each trial."""
    keys = list(reader.folder.sweep.parameters)
    metric = reader.folder.sweep.search.metric
    print_table(
        ["#", *keys, "status", "epoch", metric, "time", "run"],
        [
            [
                str(trial.number),
                *(name_of(trial.params[key]) if key in trial.params else None for key in keys),
                Text(trial.status, style=STATUS_STYLES.get(trial.status, "")),
                f"{trial.row['epoch']}/{trial.row['epochs']}" if trial.row else None,
                figure(trial.value),
                seconds(trial.row["timing"]["total_s"]) if trial.row else None,
                trial.run,
            ]
            for trial in results.trials
        ],
        right=["#", *keys, "epoch", metric, "time"],
        fold=["run"],
    )


def print_result(reader: SweepReader, results: SweepResults) -> None:
    """Print how far the sweep is, the best trial and what matters."""
    counts = [f"{count} {status}" for status, count in results.counts().items()]
    facts = [
        ("sweep", reader.folder.sweep.name),
        ("trials", f"{', '.join(counts) or 'none'} of {results.wanted}"),
    ]
    if best := results.best:
        metric = reader.folder.sweep.search.metric
        values = ", ".join(f"{key} = {name_of(value)}" for key, value in best.params.items())
        facts += [
            ("best", f"trial {best.number}: {metric} {figure(best.value)}"),
            ("with", values),
            ("run", str(best.run)),
        ]
    if shares := reader.importance():
        facts.append(("matters", ", ".join(f"{key} {share:.0%}" for key, share in shares.items())))
    failed = [trial for trial in results.trials if trial.status == "failed"]
    if failed:
        facts.append(("failed", f"trial {failed[0].number}: {failed[0].error}"))
    print_facts(facts)


def figure(value: float | None) -> str | None:
    """Return a metric as text."""
    return None if value is None else f"{value:.4f}"
