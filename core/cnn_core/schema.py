"""JSON Schemas of presets, sweeps and studies, made from the models, for editors.

What can be loaded they accept. They find unknown keys and names, wrong types and values out of
range; values that don't go together the models alone find. Editors of TOML know drafts up to 7;
taplo completes no keys beside an ``allOf``, shows no help beside an ``anyOf`` or a ``$ref``, and
looks into no ``if``: so there is none of the first, and keys and help stand outside of the others.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from cnn_core.augment.catalog import POLICIES, TRANSFORMS
from cnn_core.backbones.catalog import BACKBONES, NoOptions
from cnn_core.backbones.timm_names import PREFIX
from cnn_core.checking import Kind
from cnn_core.config import FREEZING_POLICIES, Experiment
from cnn_core.datasets.catalog import DATASETS
from cnn_core.search.sweep_config import METRICS, Sweep
from cnn_core.shipped import shipped_presets
from cnn_core.studies.study_config import COUNTED, TRAINED, Study

Schema: TypeAlias = dict[str, Any]

_TIMM = {"type": "string", "pattern": rf"^{PREFIX}[A-Za-z0-9_]+([.]|$)"}


def schema_of(kind: Kind) -> Schema:
    """Return the JSON Schema of a kind of file."""
    match kind:
        case "preset":
            return _preset()
        case "sweep":
            return _sweep()
        case "study":
            return _study()


def _preset() -> Schema:
    made = _made(Experiment, "Preset of cnn-tui")
    parts = made["definitions"]
    parts["Data"]["properties"]["dataset"]["enum"] = DATASETS.names()
    _name_backbones(parts["Model"], parts)
    _offer(parts["Model"], "weights", ["none", "imagenet"])
    policy = parts["Freeze"]["properties"]["policy"]
    _either(policy, {"enum": [*FREEZING_POLICIES]}, {"pattern": "^first:[1-9][0-9]*$"})
    parts["Augment"]["properties"]["policy"]["enum"] = [*POLICIES]
    parts["Augment"]["properties"]["transforms"]["items"] = _transform(parts)
    return made


def _sweep() -> Schema:
    made = _made(Sweep, "Sweep of cnn-tui", _preset())
    _may_lack_name(made)
    _offer(made, "preset", [*shipped_presets()])
    made["properties"]["set"] |= _settings(made, lambda key: key, lambda _, table: table)
    made["properties"]["parameters"] |= _settings(
        made, lambda key: _parameter(made, key), lambda key, table: _parameter(made, key, table)
    )
    made["definitions"]["Search"]["properties"]["metric"]["enum"] = [*METRICS]
    return made


def _study() -> Schema:
    made = _made(Study, "Study of cnn-tui", _preset())
    _may_lack_name(made)
    parts = made["definitions"]
    _name_backbones(parts["Layers"], parts)
    arm, row = parts["Arm"]["properties"], parts["Row"]["properties"]
    _offer(parts["Arm"], "preset", [*shipped_presets()])
    _offer(parts["Arm"], "sweep", [*shipped_presets("sweeps")])
    arm["reported"]["propertyNames"] = {"enum": sorted({*TRAINED, *COUNTED})}
    row["figures"]["items"]["enum"] = [*TRAINED]
    settings = _settings(made, lambda key: key, lambda section, _: section)
    for owner in (arm["set"], arm["reduced"], row["reduced"], made["properties"]["reduced"]):
        owner |= settings
    return made


class _Generator(GenerateJsonSchema):
    """Leaves out null, which TOML has not, and titles, which would repeat the keys."""

    schema_dialect = "http://json-schema.org/draft-07/schema#"

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if isinstance(made.get("default", {}), dict | None):  # of tables, each key tells its own
            made.pop("default", None)
        return made

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False


def _made(model: type[BaseModel], title: str, preset: Schema | None = None) -> Schema:
    """Return a model's schema, with the definitions of a preset's if its keys are named there."""
    plain = model.model_json_schema(
        schema_generator=_Generator, ref_template="#/definitions/{model}"
    )
    parts = plain.pop("$defs", {})
    if preset is not None:
        parts |= preset["definitions"] | {"Experiment": {"properties": preset["properties"]}}
    for part in (plain, *parts.values()):
        for key in part.get("properties", {}).values():
            if "anyOf" in key and "description" in key:
                _either(key, *key["anyOf"])
    head = {"$schema": _Generator.schema_dialect, "title": title}
    return (
        head
        | {key: value for key, value in plain.items() if key != "title"}
        | {"definitions": parts}
    )


def _may_lack_name(made: Schema) -> None:
    """Let the name be left out: the file's own stands in for it."""
    made["required"].remove("name")


def _offer(owner: Schema, key: str, names: list[str]) -> None:
    """Let editors complete names, and the key take any other text."""
    _either(owner["properties"][key], {"enum": names}, {"type": "string"})


def _either(key: Schema, *choices: Schema) -> None:
    """Let a key be one of several things, each with the key's help."""
    key["anyOf"] = [{"description": key["description"]} | choice for choice in choices]


def _name_backbones(owner: Schema, parts: Schema) -> None:
    """Let ``backbone`` be a known one, and ``options`` those of that one."""
    backbone = owner["properties"]["backbone"]
    _either(backbone, {"enum": BACKBONES.names()}, _TIMM)
    families: dict[type[BaseModel], list[str]] = {}
    for name in BACKBONES.names():
        families.setdefault(BACKBONES[name].options, []).append(name)
    known: list[tuple[type[BaseModel], Schema]] = [
        *((options, {"enum": names}) for options, names in families.items()),
        (NoOptions, _TIMM),
    ]
    owner |= _cases(
        "backbone",
        [
            (names, {"properties": {"options": _defined(options, parts)}})
            for options, names in known
        ],
    )


def _transform(parts: Schema) -> Schema:
    """Return the schema of a transform: a table with a name and that one's options."""
    cases = []
    for name in TRANSFORMS.names():
        transform = TRANSFORMS[name]
        options = _made(transform.options, "")["properties"]
        parts[f"transform_{name}"] = {
            "description": transform.help,
            "properties": {"name": {"const": name}, **options},
            "additionalProperties": False,
        }
        cases.append(({"const": name}, {"$ref": f"#/definitions/transform_{name}"}))
    known = {"enum": TRANSFORMS.names(), "description": "Name of the transform."}
    whole = {"type": "object", "required": ["name"], "properties": {"name": known}}
    return whole | _cases("name", cases)


def _cases(key: str, cases: Sequence[tuple[Schema, Schema]]) -> Schema:
    """Return what holds for the first of the values that a key has: if, else if, and so on."""
    made: Schema = {}
    for value, then in reversed(cases):
        rest = {"else": made} if made else {}
        made = {"if": {"properties": {key: value}, "required": [key]}, "then": then} | rest
    return made


def _defined(model: type[BaseModel], parts: Schema) -> Schema:
    """Return a reference to a model's schema, which is put among the definitions."""
    made = _made(model, model.__name__)
    parts[model.__name__] = {
        key: value for key, value in made.items() if key not in ("$schema", "title", "definitions")
    }
    return {"$ref": f"#/definitions/{model.__name__}"}


def _settings(
    made: Schema,
    entry: Callable[[Schema], Schema],
    whole: Callable[[Schema, Schema], Schema],
) -> Schema:
    """Return the schema of a table whose keys are a preset's, dotted or in tables of their own.

    ``entry`` makes the schema of what a key is given from that of its value; ``whole`` makes that
    of a section's name from the section's schema and that of a table of its keys.
    """
    tops: Schema = {}
    dotted: Schema = {}
    deeper = {"^options[.].": entry({})}
    for name, field in made["definitions"]["Experiment"]["properties"].items():
        if "$ref" not in field:
            tops[name] = entry({"$ref": f"#/definitions/Experiment/properties/{name}"})
            continue
        part = field["$ref"].removeprefix("#/definitions/")
        keys = {
            key: entry({"$ref": f"#/definitions/{part}/properties/{key}"})
            for key in made["definitions"][part]["properties"]
        }
        if "options" in keys:
            inner = {"type": "object", "additionalProperties": entry({})}
            keys["options"] = whole({"type": "object"}, inner)
        dotted |= {f"{name}.{key}": value for key, value in keys.items()}
        tops[name] = whole(field, _closed(keys, deeper if "options" in keys else None))
    return _closed(tops | dotted, {"^model[.]options[.].": entry({})})


def _closed(properties: Schema, patterns: Schema | None = None) -> Schema:
    others = {"patternProperties": patterns} if patterns else {}
    return {"type": "object", "properties": properties, "additionalProperties": False} | others


def _parameter(made: Schema, key: Schema, table: Schema | None = None) -> Schema:
    """Return the schema of what a sweep says of a key: values that the key takes, or a range.

    Of a section it may be a ``table`` of such keys instead.
    """
    keys = made["definitions"]["Parameter"]["properties"]
    said = {name: {"$ref": f"#/definitions/Parameter/properties/{name}"} for name in keys}
    said["values"] = keys["values"] | {"items": key}
    if table is None:
        return _closed(said)
    return table | {"properties": table.get("properties", {}) | said}
