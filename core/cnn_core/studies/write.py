"""A study's document, tables and figures as files in a folder."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cnn_core.errors import UserError, printable
from cnn_core.figures.chart import chart_figure
from cnn_core.figures.curves import Curve, View
from cnn_core.figures.files import figure_bytes
from cnn_core.files import to_json, write_atomically
from cnn_core.runs.dotted import Document
from cnn_core.runs.tables import markdown_text, to_latex, to_markdown
from cnn_core.studies.earlier import RESULTS
from cnn_core.studies.tables import study_csv, study_notes, study_table

_CHARTS = {"val_acc": ("validation accuracy (%)", 100.0), "train_loss": ("training loss", 1.0)}


def write_study(document: Document, folder: Path) -> list[Path]:
    """Write results.json, table.md, .csv and .tex, and the curves of each row; return all.

    Each file is replaced whole. Raises UserError where they can't be written.
    """
    table = study_table(document)
    texts = {
        RESULTS: to_json(document, indent=1) + "\n",
        "table.md": f"{to_markdown(table)}\n{_items(study_notes(document))}",
        "table.csv": study_csv(document),
        "table.tex": to_latex(table),
    }
    files = {name: text.encode(errors="backslashreplace") for name, text in texts.items()}
    files |= dict(study_figures(document))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(folder / name, partial(_put, content))
    except OSError as error:
        raise UserError(f"{printable(folder)}: can't be written: {error.strerror}") from error
    return [folder / name for name in files]


def _items(notes: list[str]) -> str:
    return "".join(f"- {markdown_text(note)}\n" for note in notes)


def _put(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def study_figures(document: Document) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a picture for each row and figure: its arms' curves overlaid."""
    for row in document["rows"]:
        for figure, (title, scale) in _CHARTS.items():
            curves = [
                curve
                for style, arm in enumerate(row["arms"])
                if (curve := _mean_curve(arm, figure, style, scale)) is not None
            ]
            if curves:
                view = View(x_label="epoch", y_label=title)
                drawn = chart_figure(curves, view, f"{row['id']}: {row['what']}", legend="below")
                yield f"{row['id']}-{figure}.png", figure_bytes(drawn, "png")


def _mean_curve(arm: Document, figure: str, style: int, scale: float) -> Curve | None:
    """Return the mean over an arm's trainings, as far as all of them have come."""
    histories = [
        {epoch["epoch"]: epoch[figure] for epoch in run["history"] if epoch[figure] is not None}
        for run in arm["runs"]
    ]
    histories = [history for history in histories if history]
    if not histories:
        return None
    epochs = sorted(set.intersection(*(set(history) for history in histories)))
    means = [float(np.mean([history[epoch] for history in histories])) for epoch in epochs]
    label = arm["label"] or arm["preset"]
    return Curve(label, np.array(epochs, float), scale * np.array(means), style)
