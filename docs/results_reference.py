"""Write docs/results.md from what ``cnn-tui reproduce`` has written to docs/results.

``make pages``; the figures themselves come from the runs:
``cnn-tui reproduce S3 --reduced --out docs/results/S3`` trains what is missing of them, and
``--budget 0`` only writes them again.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli

from cnn_core.runs.tables import markdown_text, to_markdown
from cnn_core.studies.tables import study_notes, study_table

RESULTS = Path(__file__).parent / "results"

HEAD = """\
# Results

<!-- Made by docs/results_reference.py from docs/results/; edit the text there. -->

Five published course reports on image classification define what this program must make easy.
Their rows are studies that come with it, and one command trains them again:

    cnn-tui reproduce                              the studies
    cnn-tui reproduce S1                           all rows of one; Ctrl-C, and again to go on
    cnn-tui reproduce S1 --only S1.4 --seeds 1     one row, one training
    cnn-tui reproduce S1 --reduced --budget 60     as for a machine without a GPU, for an hour
    cnn-tui reproduce S1 --budget 0                only the tables, from the runs that are there

It writes `table.md`, `table.csv`, `table.tex`, `results.json` and a picture of each row's curves.
Runs are ordinary ones, with the study and the row as tags; whoever has trained the same settings
before has trained a part of it.

What follows was trained on two CPU cores without a GPU, so most rows are smaller than in the
reports: the last column of a table says how (`--reduced`). Such figures can't be compared with the
reports' as numbers, only in their order. "Ours" is the mean, ± the sample standard deviation where
there are several trainings; accuracies of the best weights by validation.
"""


def main() -> None:
    """Write the page to stdout."""
    remarks = tomli.loads((RESULTS / "remarks.toml").read_text())
    parts = [HEAD]
    for folder in sorted(path.parent for path in RESULTS.glob("*/results.json")):
        document = json.loads((folder / "results.json").read_bytes())
        parts += _study(document, folder, remarks)
    sys.stdout.write("\n".join(parts))


def _study(document: dict[str, Any], folder: Path, remarks: dict[str, str]) -> Iterator[str]:
    name = document["study"]
    yield f"## {name}: {markdown_text(document['title'])}\n"
    yield to_markdown(study_table(document))
    notes = [*map(markdown_text, study_notes(document)), *_remarks(document, remarks)]
    yield "".join(f"- {note}\n" for note in notes)
    for row in document["rows"]:
        for figure in ("val_acc", "train_loss"):
            picture = folder / f"{row['id']}-{figure}.png"
            if picture.exists() and len(row["arms"]) > 1:
                link = f"results/{folder.name}/{picture.name}"
                yield f"![{markdown_text(row['what'])}: {figure}]({link})\n"


def _remarks(document: dict[str, Any], remarks: dict[str, str]) -> Iterator[str]:
    """Yield what is written by hand of the study's rows, which is Markdown."""
    for row in document["rows"]:
        if row["id"] in remarks:
            yield f"{row['id']}: {remarks[row['id']]}"


if __name__ == "__main__":
    main()
