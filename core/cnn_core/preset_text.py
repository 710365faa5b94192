"""Presets as files that people edit: each key below its help, the others named."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cnn_core import toml_text
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import resolved_image_size
from cnn_core.errors import UserError, printable
from cnn_core.locations import expanded

_WIDTH = 100
# Between the words of a key and its default, which stay on one line.
_TIE = "\N{NO-BREAK SPACE}"


def preset_path(text: str) -> Path:
    """Return the path meant; UserError for one that no preset can have."""
    path = expanded(text.strip())
    if path.suffix != ".toml":
        raise UserError("expected the path of a file that ends in .toml")
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {printable(path.parent)}")
    if path.is_dir():
        raise UserError(f"{printable(path)} is a folder")
    return path


def changed_keys(experiment: Experiment) -> dict[str, Any]:
    """Return a preset's table without what is at its default; it loads as the same experiment."""
    table = experiment.model_dump(exclude_defaults=True, exclude_none=True)
    data = experiment.data
    if data.image_size == resolved_image_size(data.model_copy(update={"image_size": None})):
        del table["data"]["image_size"]
    return table


def commented(table: dict[str, Any]) -> str:
    """Return a preset's table as TOML, in which comments tell help and further keys.

    Comments and lists are wrapped at 100 characters. Expects a table without mistakes.
    """
    sections = {
        name: field.annotation
        for name, field in Experiment.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    tops = {key: field for key, field in Experiment.model_fields.items() if key not in sections}
    lines = [*_keys(tops, table)]
    for name, section in sections.items():
        lines += ["", *_comment(section.__doc__ or ""), f"[{name}]"]
        lines += _keys(section.model_fields, table.get(name, {}))
    return "\n".join(lines) + "\n"


def _keys(fields: dict[str, FieldInfo], table: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the keys that a table sets, and a comment that names the others."""
    for key, field in fields.items():
        if key in table:
            yield from _comment(field.description or "")
            yield from _assignment(key, table[key])
    others = [_with_default(key, field) for key, field in fields.items() if key not in table]
    if others:
        told = _comment(f"Further keys and their defaults: {', '.join(others)}")
        yield from (line.replace(_TIE, " ") for line in told)


def _assignment(key: str, value: Any) -> Iterator[str]:
    line = f"{key} = {toml_text.one_line(value)}"
    if len(line) <= _WIDTH or not isinstance(value, list):
        yield line
        return
    yield f"{key} = ["
    yield from (f"    {toml_text.one_line(item)}," for item in value)
    yield "]"


def _with_default(key: str, field: FieldInfo) -> str:
    """Return a key with its default, or in words what stands for it; alone where it is nothing."""
    default = field.get_default(call_default_factory=True)
    if default is not None:
        return f"{key} = {toml_text.one_line(default)}".replace(" ", _TIE)
    told = re.search(r"default: ([^.;]+)", field.description or "")
    return f"{key} ({told[1]})".replace(" ", _TIE) if told else key


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
