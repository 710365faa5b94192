"""Any file of ours, checked: what kind it is, and all that is wrong with it."""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from cnn_core.config import Experiment
from cnn_core.errors import UserError, printable
from cnn_core.mistake_places import Placed, placed, told_mistakes
from cnn_core.preset_files import parse_toml, read_text
from cnn_core.preset_mistakes import Mistake, mistakes
from cnn_core.search.sweep_config import Sweep
from cnn_core.search.sweep_files import sweep_mistakes
from cnn_core.studies.study_config import Study
from cnn_core.studies.study_mistakes import study_mistakes

Kind: TypeAlias = Literal["preset", "sweep", "study"]

MODELS: dict[Kind, type[BaseModel]] = {"preset": Experiment, "sweep": Sweep, "study": Study}
_FINDERS: dict[Kind, Callable[[Path, dict[str, Any]], list[Mistake]]] = {
    "preset": lambda _, table: mistakes(table),
    "sweep": sweep_mistakes,
    "study": study_mistakes,
}
_NO_KIND = (
    "neither a preset ([data], [model]) nor a sweep (preset, [parameters]) nor a study (title, "
    "[[rows]])"
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A file, its kind (None where it can't be told), and what is wrong with it."""

    path: Path
    kind: Kind | None
    mistakes: list[Placed]
    told: str
    """The mistakes as text, a line each; "" where there are none."""


def check_file(path: Path) -> Checked:
    """Return what is wrong with a preset, a sweep or a study; neither data nor weights are read."""
    try:
        text = _text_of(path)
        table = parse_toml(path, text)
        if (kind := kind_of(table)) is None:
            raise UserError(f"{printable(path)}: {_NO_KIND}")
    except UserError as error:
        return Checked(path, None, [_of_whole(path, str(error))], str(error))
    if found := _FINDERS[kind](path, table):
        return Checked(path, kind, placed(text, found), told_mistakes(path, text, found))
    return Checked(path, kind, [], "")


def _text_of(path: Path) -> str:
    with contextlib.suppress(OSError):  # of a name too long for the disk; reading tells it
        if path.is_dir():
            each = path / "*.toml"
            raise UserError(f"{printable(path)}: a folder; check its files: {printable(each)}")
    return read_text(path)


def kind_of(table: dict[str, Any]) -> Kind | None:
    """Return the kind that has most of a table's keys to itself, None where no kind has any."""
    own = {
        kind: sum(key in fields for key in table)
        for kind, model in MODELS.items()
        if (fields := model.model_fields.keys() - _shared())
    }
    best = max(own, key=lambda kind: own[kind])
    return best if own[best] else None


def _shared() -> set[str]:
    """Return the keys that more than one kind of file has."""
    keys = [key for model in MODELS.values() for key in model.model_fields]
    return {key for key in keys if keys.count(key) > 1}


def _of_whole(path: Path, told: str) -> Placed:
    """Return a mistake of the file as a whole, with the line that its text names."""
    message = told.removeprefix(printable(path)).lstrip(":, ")
    line = re.search(r"\bline (\d+)", message)
    return Placed(Mistake("", message), int(line[1]) if line else None)
