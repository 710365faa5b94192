"""What there is to start from: presets, shipped and the user's own, and data sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_core.datasets.catalog import DATASETS, state_of
from cnn_core.errors import UserError
from cnn_core.preset_files import read_table, shipped_presets

# A folder of many other TOML files would make a list that helps nobody.
_MOST_OWN = 50


@dataclass(frozen=True, slots=True)
class PresetLine:
    """A preset in a list; ``reference`` is what the command line takes."""

    reference: str
    dataset: str
    backbone: str
    notes: str


def list_presets(folder: Path) -> list[PresetLine]:
    """Return the shipped presets, then those in ``folder/presets`` and ``folder``.

    Files are taken for presets if they have a [data] and a [model]; others are passed over.
    """
    shipped = shipped_presets()
    lines = [_line(name, read_table(path)) for name, path in shipped.items()]
    known = {path.resolve() for path in shipped.values()}
    own = [path for place in (folder / "presets", folder) for path in sorted(place.glob("*.toml"))]
    for path in own[:_MOST_OWN]:
        if path.resolve() not in known:
            try:
                table = read_table(path)
            except UserError:
                continue
            if isinstance(table.get("data"), dict) and isinstance(table.get("model"), dict):
                lines.append(_line(str(path.relative_to(folder)), table))
    return lines


def _line(reference: str, table: dict[str, Any]) -> PresetLine:
    return PresetLine(
        reference,
        str(table["data"].get("dataset", "")),
        str(table["model"].get("backbone", "")),
        str(table.get("notes", "")),
    )


def dataset_states(data_dir: Path) -> dict[str, str]:
    """Return for each data set "here", "missing" or "unusable"; "" where data.root decides."""
    return {
        name: "" if name == "folder" else state_of(name, data_dir)[0] for name in DATASETS.names()
    }
