"""Values of nested documents by dotted keys: ``best.val_acc``."""

from typing import Any

Document = dict[str, Any]


def value_at(document: Document, key: str, default: Any = None) -> Any:
    """Return the value at a dotted key, ``default`` where a part of the key is absent."""
    value: Any = document
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def flatten(document: Document, prefix: str = "") -> Document:
    """Return ``{dotted key: leaf}``; lists are leaves, empty tables vanish."""
    leaves: Document = {}
    for key, value in document.items():
        if isinstance(value, dict):
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves
