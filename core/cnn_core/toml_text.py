"""TOML as it is read everywhere here."""

from typing import Any

import tomli

_BEYOND = 2**63


def parse(text: str) -> dict[str, Any]:
    """Return the table that a text holds; ValueError, or RecursionError, where it is not TOML.

    Whole numbers beyond 64 bits are refused, as TOML 1.0 has it: written in hexadecimal they could
    have more digits than Python prints.
    """
    table = tomli.loads(text)
    _check(table)
    return table


def _check(value: Any) -> None:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner)
    elif isinstance(value, int) and not -_BEYOND <= value < _BEYOND:
        raise ValueError(f"a whole number of {value.bit_length()} bits, where TOML ends at 64")
