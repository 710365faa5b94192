"""What came of a study so far: one document, from which tables and figures are made."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnn_core.config import Experiment, Model
from cnn_core.runs.dotted import Document, value_at
from cnn_core.runs.reader import read_summary
from cnn_core.studies.earlier import Earlier
from cnn_core.studies.matching import ENDED, Runs, fingerprint
from cnn_core.studies.plan import PlannedArm
from cnn_core.studies.study_config import Layers, Study

_HISTORY = ("epoch", "train_loss", "train_acc", "val_loss", "val_acc")


def collect(
    study: Study,
    arms: Sequence[PlannedArm],
    runs_dir: Path,
    why_not: Mapping[str, str],
    earlier: Earlier | None = None,
) -> Document:
    """Return what the runs of a folder tell of a study whose arms these are.

    ``why_not`` tells by the name of an arm why it can't be trained here; ``earlier`` serves where
    no run has ended here. Figures are those of a run's summary by dotted key; accuracies are
    fractions.
    """
    runs = Runs(runs_dir)
    earlier = earlier or Earlier()
    why_not = {**earlier.why_not, **why_not}
    rows = [
        {
            "id": row.id,
            "what": row.what,
            "claim": row.claim,
            "command": row.command,
            "arms": [
                _of_layers(arm, arm.layers)
                if arm.layers is not None
                else _of_runs(arm, runs, runs_dir, why_not.get(arm.name), earlier)
                for arm in arms
                if arm.row.id == row.id
            ],
        }
        for row in study.rows
    ]
    return {"study": study.name, "title": study.title, "rows": rows}


def spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Return mean and sample standard deviation, None for a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def values_of(arm: Document, figure: str) -> list[float]:
    """Return what the trainings of an arm that ended give for a figure."""
    found = [run["figures"].get(figure) for run in arm["runs"]]
    return [value for value in found if value is not None]


def _of_layers(arm: PlannedArm, layers: Layers) -> Document:
    from cnn_core.backbones.network import build_network  # with torch, which tables do without
    from cnn_core.summary import summarize

    network = build_network(
        Model(backbone=layers.backbone, options=layers.options),
        classes=layers.classes,
        image_size=layers.image_size,
        device="meta",
    )
    counted = summarize(network, image_size=layers.image_size).as_dict()
    figures = {figure: counted[figure] for figure in arm.reported or ("total", "params_mb")}
    return _arm(arm, None, [{"status": "counted", "figures": figures, "history": []}])


def _of_runs(
    arm: PlannedArm,
    runs: Runs,
    runs_dir: Path,
    why_not: str | None,
    earlier: Earlier,
) -> Document:
    found = []
    for experiment in arm.experiments:
        row = runs.of(experiment)
        known = earlier.trainings.get(fingerprint(experiment))
        if known is not None and (row is None or row["status"] not in ENDED):
            found.append(known)
        elif row is not None and (row["epoch"] or row["status"] in ENDED):
            found.append(_run(arm, experiment, read_summary(runs_dir / row["id"])))
        elif row is not None and row["error"]:
            why_not = why_not or row["error"]
    return _arm(arm, why_not if not found else None, found)


def _run(arm: PlannedArm, experiment: Experiment, summary: Document) -> Document:
    wanted = dict.fromkeys([*arm.reported, *arm.row.figures])
    ended = summary["status"] == "finished"
    return {
        "id": summary["id"],
        "seed": value_at(summary, "config.seed"),
        "settings": fingerprint(experiment),
        "status": summary["status"],
        "epoch": summary["epoch"],
        "epochs": summary["epochs"],
        "device": summary["device"],
        "total_s": summary["timing"]["total_s"],
        "figures": {figure: value_at(summary, figure) for figure in wanted} if ended else {},
        "history": [{key: epoch[key] for key in _HISTORY} for epoch in summary["history"]],
    }


def _arm(arm: PlannedArm, why_not: str | None, runs: list[Document]) -> Document:
    return {
        "label": arm.label,
        "preset": arm.preset,
        "changed": arm.changed,
        "reported": arm.reported,
        "wanted": max(1, len(arm.experiments)),
        # Tables go to others, whose home is elsewhere.
        "why_not": why_not and why_not.replace(str(Path.home()), "~"),
        "runs": runs,
    }
