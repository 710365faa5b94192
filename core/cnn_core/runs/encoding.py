"""Documents of a run as bytes of JSON, and their numbers back again."""

from typing import Any

from cnn_core.files import to_json

# The sections of a summary that hold only numbers; elsewhere "NaN" may be somebody's name.
_NUMERIC = ("best", "last", "test", "test_last", "timing", "history")
NON_FINITE = ("NaN", "Infinity", "-Infinity")


def json_bytes(value: Any) -> bytes:
    """Return the value as one line of JSON in UTF-8, without the newline.

    A file name that is not UTF-8 reaches us with lone surrogates; these become JSON escapes.
    """
    return to_json(value).encode(errors="backslashreplace")


def restore_numbers(document: dict[str, Any]) -> dict[str, Any]:
    """Return a summary read from JSON with "NaN" and "±Infinity" as floats again."""
    return {key: _numbers(item) if key in _NUMERIC else item for key, item in document.items()}


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, str) and value in NON_FINITE else value
