"""JSON Schemas of presets, sweeps and studies, made from the models, for editors.

Of draft 7, which editors know best. What can be loaded they accept. They find unknown keys and
names, wrong types and values out of range; values that don't go together the models alone find.
"""

from collections.abc import Callable
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
from cnn_core.preset_files import shipped_presets
from cnn_core.search.sweep_config import METRICS, Sweep
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
    policy["anyOf"] = [{"enum": [*FREEZING_POLICIES]}, {"pattern": "^first:[1-9][0-9]*$"}]
    parts["Augment"]["properties"]["policy"]["enum"] = [*POLICIES]
    parts["Augment"]["properties"]["transforms"]["items"] = _transform(parts)
    return made


def _sweep() -> Schema:
    made = _made(Sweep, "Sweep of cnn-tui", _preset())
    _may_lack_name(made)
    _offer(made, "preset", [*shipped_presets()])
    made["properties"]["set"] |= _settings(made, lambda key: key, lambda _, table: table)
    made["properties"]["parameters"] |= _settings(made, _parameter, _parameter_or)
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
    owner["properties"][key]["anyOf"] = [{"enum": names}, {"type": "string"}]


def _name_backbones(owner: Schema, parts: Schema) -> None:
    """Let ``backbone`` be a known one, and ``options`` those of that one."""
    backbone = owner["properties"]["backbone"]
    backbone["anyOf"] = [{"enum": BACKBONES.names()}, {"pattern": _TIMM["pattern"]}]
    families: dict[type[BaseModel], list[str]] = {}
    for name in BACKBONES.names():
        families.setdefault(BACKBONES[name].options, []).append(name)
    known: list[tuple[type[BaseModel], Schema]] = [
        *((options, {"enum": names}) for options, names in families.items()),
        (NoOptions, _TIMM),
    ]
    owner["allOf"] = [
        _if("backbone", names, {"properties": {"options": _defined(options, parts)}})
        for options, names in known
    ]


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
        cases.append(_if("name", {"const": name}, {"$ref": f"#/definitions/transform_{name}"}))
    known = {"enum": TRANSFORMS.names(), "description": "Name of the transform."}
    return {"type": "object", "required": ["name"], "properties": {"name": known}, "allOf": cases}


def _if(key: str, value: Schema, then: Schema) -> Schema:
    return {"if": {"properties": {key: value}, "required": [key]}, "then": then}


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
        tops[name] = whole(field, _closed(keys, deeper if "options" in keys else {}))
    return _closed(tops | dotted, {"^model[.]options[.].": entry({})})


def _closed(properties: Schema, patterns: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": False,
    }


def _parameter(key: Schema) -> Schema:
    """Return the schema of what a sweep says of a key: values that the key takes, or a range."""
    parameter = {"$ref": "#/definitions/Parameter"}
    return {"allOf": [parameter, {"properties": {"values": {"items": key}}}]} if key else parameter


def _parameter_or(key: Schema, table: Schema) -> Schema:
    """Return the schema of a parameter where the table tells values or a range, else the other."""
    told = [{"required": [one]} for one in ("values", "low", "type")]
    return {"if": {"type": "object", "anyOf": told}, "then": _parameter(key), "else": table}
