"""TOML as it is read everywhere here."""

from typing import Any

import tomli

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


def _check(value: Any) -> None:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner)
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise ValueError(f"a whole number of {value.bit_length()} bits, where TOML ends at 64")
