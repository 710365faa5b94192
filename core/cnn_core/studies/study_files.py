"""Study files on the disk: find, read and check them."""

from pathlib import Path
from typing import Any

from cnn_core.errors import UserError
from cnn_core.mistake_places import told_mistakes
from cnn_core.preset_files import find_shipped, parse_toml, read_text
from cnn_core.preset_mistakes import model_mistakes
from cnn_core.shipped import shipped_presets
from cnn_core.studies.study_config import Study


def shipped_studies() -> dict[str, Path]:
    """Return the studies that come with the program, by name, sorted."""
    return shipped_presets("studies")


def find_study(reference: str) -> Path:
    """Return the file of a study given by path or shipped name; UserError if there is none."""
    return find_shipped(reference, "studies", "study")


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
