"""Study files on the disk: find, read and check them."""

import contextlib
from pathlib import Path
from typing import Any

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.locations import expanded
from cnn_core.preset_files import parse_toml, read_text, shipped_presets, told_mistakes
from cnn_core.preset_mistakes import clipped, model_mistakes
from cnn_core.studies.study_config import Study


def shipped_studies() -> dict[str, Path]:
    """Return the studies that come with the program, by name, sorted."""
    folder = next(iter(shipped_presets().values())).parent / "studies"
    return {path.stem: path for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem)}


def find_study(reference: str) -> Path:
    """Return the file of a study given by path or shipped name; UserError if there is none."""
    path = expanded(reference)
    with contextlib.suppress(OSError):  # a name too long for the disk is no file
        if path.is_file():
            return path
    shipped = shipped_studies()
    if reference in shipped:
        return shipped[reference]
    raise UserError(
        f"no study '{clipped(printable(reference))}': neither a file nor a shipped one"
        f"{did_you_mean(path.stem, shipped)}"
    )


def load_study(path: Path) -> Study:
    """Return a study; all mistakes of the file are raised at once, as one UserError.

    What its settings make wrong in a preset is told when that is planned.
    """
    text = read_text(path)
    table: dict[str, Any] = parse_toml(path, text)
    table.setdefault("name", path.stem)
    if found := model_mistakes(Study, table):
        raise UserError(told_mistakes(path, text, found))
    return Study.model_validate(table)
