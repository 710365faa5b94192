"""Write docs/presets.md from the models: ``make pages``."""

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cnn_core.augment.catalog import POLICIES, TRANSFORMS
from cnn_core.backbones.catalog import BACKBONES
from cnn_core.config import Experiment
from cnn_core.datasets.catalog import DATASETS

HEAD = """\
# Preset keys

<!-- Made by docs/presets_reference.py from the models; edit the docstrings there. -->

A preset is a TOML file. Keys that are left out have their defaults; unknown keys, wrong types,
impossible values and impossible combinations are all reported at once. Any key can be changed for
one run: `--set optim.lr=0.1`. `cnn-tui new` writes a preset with comments, and editors complete and
explain all of this by a schema: [editor.md](editor.md).

S1.1 and the like in the notes of shipped presets number the experiments of five published course
reports on image classification; the figures there are what those reports state.
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *sections(Experiment), *_catalogs()]) + "\n"


def sections(model: type[BaseModel]) -> Iterator[str]:
    """Yield the tables of a model's keys: its own, and those of each of its sections."""
    fields = model.model_fields
    sections = {name: field.annotation for name, field in fields.items() if _is_model(field)}
    yield "## Top level\n"
    yield from table({name: fields[name] for name in fields if name not in sections})
    for name, section in sections.items():
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        yield f"\n## [{name}]\n\n{section.__doc__}\n"
        yield from table(section.model_fields)


def _catalogs() -> Iterator[str]:
    yield "\n## Data sets\n\n| name | what it is |\n|---|---|"
    for name in DATASETS.names():
        yield f"| `{name}` | {DATASETS[name].help} |"
    yield "\n## Backbones\n\n`model.options` of each, with defaults.\n"
    families: dict[tuple[str, type[BaseModel]], list[str]] = {}
    for name in BACKBONES.names():
        backbone = BACKBONES[name]
        families.setdefault((backbone.help, backbone.options), []).append(f"`{name}`")
    for (about, options), names in families.items():
        yield f"- {', '.join(names)}: {about}"
        yield from _options(options)
    yield "- `timm:NAME`: any model of timm, with the extra `timm`"
    yield "\n## Transforms\n"
    for name in TRANSFORMS.names():
        transform = TRANSFORMS[name]
        yield f"- `{name}`: {transform.help}"
        yield from _options(transform.options)
    yield "\n## Policies of augmentation\n\nTransforms one after another.\n"
    for name, tables in POLICIES.items():
        yield f"- `{name}`: {', '.join(map(_transform, tables)) or 'nothing'}"


def _transform(table: dict[str, Any]) -> str:
    changed = ", ".join(f"{key} = {value}" for key, value in table.items() if key != "name")
    return f"{table['name']} ({changed})" if changed else str(table["name"])


def _options(model: type[BaseModel]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield f"  - `{key}` ({_default(field)}): {field.description}"


def table(fields: dict[str, FieldInfo]) -> Iterator[str]:
    """Yield a table of keys with their values, defaults and meanings."""
    yield "| key | values | default | meaning |\n|---|---|---|---|"
    for name, field in fields.items():
        cells = (f"`{name}`", _values(field.annotation), _default(field), field.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f'`"{value}"`' for value in get_args(annotation))
    if arguments := get_args(annotation):
        if get_origin(annotation) in (list, dict):
            return "table" if get_origin(annotation) is dict else f"list of {_values(arguments[0])}"
        if hasattr(annotation, "__metadata__"):
            return _values(arguments[0])
        return " or ".join(_values(item) for item in arguments if item is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    names = {str: "text", int: "integer", float: "number", bool: "true, false", Any: "anything"}
    return names.get(annotation, "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "–"
    if isinstance(default, bool):
        return str(default).lower()
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


def _is_model(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


if __name__ == "__main__":
    sys.stdout.write(reference())
