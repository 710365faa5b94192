"""Values of a preset as the text of a form's field, and back."""

import re
from typing import Any

from cnn_core import toml_text
from cnn_core.errors import UserError, printable
from cnn_tui.form_fields import FormField

_SWITCH = {"true": True, "false": False}
_BRACKETS = {"table": ("{", "}"), "tables": ("[", "]"), "words": ("[", "]")}


def to_text(field: FormField, value: Any) -> str:
    """Return the text that ``from_text`` reads as the value; "" stands for the default.

    Choices and switches have no placeholder, so that their default is told.
    """
    if field.kind in ("choice", "switch"):
        return "" if value is None else value if isinstance(value, str) else to_toml_line(value)
    if value == field.default and type(value) is type(field.default):
        return ""
    if isinstance(value, str):
        return value
    if field.kind == "words" and isinstance(value, list):
        plain = ", ".join(str(word) for word in value)
        if value and _words(plain) == value:
            return plain
    return to_toml_line(value)


def from_text(field: FormField, text: str) -> Any:
    """Return the value that a text means, None for the default.

    Text that means nothing valid comes back as it is, for the models to refuse. Raises
    UserError for lists and tables that are not TOML.
    """
    stripped = text.strip()
    if not stripped:
        return None
    match field.kind:
        case "switch":
            return _SWITCH.get(stripped.lower(), stripped)
        case "choice":
            return stripped
        case "text" if isinstance(field.default, bool):
            return _SWITCH.get(stripped.lower(), stripped)
        case "text" | "lines":
            return text
        case "number":
            return _number(stripped)
        case "words" if not stripped.startswith("["):
            return _words(stripped)
    opening, closing = _BRACKETS[field.kind]
    if not stripped.startswith(opening):
        stripped = f"{opening}{stripped}{closing}"
    try:
        return toml_text.parse(f"value = {stripped}")["value"]
    except (ValueError, RecursionError) as error:
        told = re.sub(r" \(at .*\)$", "", str(error))
        raise UserError(f"not valid TOML: {printable(told)}") from error


def to_toml_line(value: Any) -> str:
    """Return a value as TOML on one line; None, which TOML has not, as a dash."""
    return "–" if value is None else toml_text.one_line(value)


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
