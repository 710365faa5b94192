"""What there is to choose from: presets, shipped and the user's own, data sets, backbones."""

from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from cnn_core.backbones.catalog import BACKBONES
from cnn_core.backbones.timm_names import PREFIX, timm_names
from cnn_core.datasets.catalog import state_of
from cnn_core.errors import UserError
from cnn_core.preset_files import read_table
from cnn_core.shipped import shipped_presets
from cnn_tui.form_fields import FormField, choices

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
    """Return the shipped presets and those in ``folder/presets`` and ``folder``, by data set.

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
    return sorted(lines, key=attrgetter("dataset", "reference"))


def _line(reference: str, table: dict[str, Any]) -> PresetLine:
    return PresetLine(
        reference,
        str(table["data"].get("dataset", "")),
        str(table["model"].get("backbone", "")),
        str(table.get("notes", "")),
    )


def offers(field: FormField, data_dir: Path) -> list[tuple[str, str]]:
    """Return the values of a choice with a line about each; data sets tell whether they are here.

    That looks into the data folder, and may take a second.
    """
    if field.key != "data.dataset":
        return choices(field)
    # The images of `folder` are wherever data.root says.
    states = {
        name: "" if name == "folder" else state_of(name, data_dir)[0] for name in field.values
    }
    return [(name, f"{states[name]:8}  {about}") for name, about in choices(field)]


@dataclass(frozen=True, slots=True)
class BackboneLine:
    """A backbone in a list; of timm's models only the name is known without building them."""

    name: str
    parameters: int | None = None
    top1: float | None = None
    place: str | None = None
    """Where its ImageNet weights are, None where it has none or that is not known."""
    help: str = ""


def list_backbones() -> list[BackboneLine]:
    """Return the shipped backbones, then the models of timm, if it is installed.

    That looks for files of weights and reads timm's files, and may take some tenths of a second.
    """
    lines = []
    for name in BACKBONES.names():
        backbone = BACKBONES[name]
        weights = backbone.weights.get("imagenet")
        lines.append(
            BackboneLine(
                name,
                backbone.facts().parameters,
                weights.top1 if weights else None,
                weights.place() if weights else None,
                backbone.help,
            )
        )
    return lines + [BackboneLine(f"{PREFIX}{name}") for name in timm_names()]
