"""TOML as it is read everywhere here, and values of it on one line."""

from typing import Any

import tomli
import tomli_w

# Python refuses to print numbers of more than 4300 digits, unless it is told otherwise.
_MOST_BITS = 10_000


def parse(text: str) -> dict[str, Any]:
    """Return the table that a text holds; ValueError, or RecursionError, where it is not TOML.

    Whole numbers with more digits than can be printed, which may be written in hexadecimal, are
    refused; others beyond the 64 bits of TOML 1.0 are left to those who know the key.
    """
    table = tomli.loads(text)
    _check(table)
    return table


def one_line(value: Any) -> str:
    """Return a value as TOML on one line, lists and tables too."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(key)} = {one_line(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(one_line, value))}]"
    return tomli_w.dumps({"v": value}).strip().removeprefix("v = ")


def _key(key: str) -> str:
    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")


def _check(value: Any) -> None:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner)
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise ValueError(f"a whole number of {value.bit_length()} bits, where TOML ends at 64")
