"""What a user sets for the app (``config.toml``, theirs) and what it remembers (``state.json``).

``config.toml``::

    chart_fps = 2               # most redraws of a chart a second; 0: 4, and 1 over SSH
    graphics = "auto"           # "cells": no Kitty or Sixel pictures; "always": over SSH too
    [keys]
    "runs.new" = "n,ctrl+n"     # keys of a binding, by the id that F1 shows
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from cnn_core import toml_text
from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.files import to_json, write_text_atomically
from cnn_core.locations import expanded

_SMOOTHEST = 0.99


def settings_dir() -> Path:
    """Return the folder of both files: ``CNN_TUI_CONFIG``, or one in the user's config."""
    chosen = os.environ.get("CNN_TUI_CONFIG")
    return expanded(chosen) if chosen else user_config_path("cnn-tui")


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """The user's own file, which the program never writes."""

    chart_fps: float = 0.0
    graphics: str = "auto"
    keys: dict[str, str] = dataclasses.field(default_factory=dict)


def read_config(folder: Path) -> Config:
    """Return what ``config.toml`` sets; UserError names the key that is wrong."""
    path = folder / "config.toml"
    try:
        table = toml_text.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise UserError(f"{printable(path)}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{printable(path)}: not valid TOML: {printable(error)}") from error
    known = [field.name for field in dataclasses.fields(Config)]
    for key, value in table.items():
        if key not in known:
            raise UserError(
                f"{printable(path)}: unknown key {printable(key)!r}{did_you_mean(key, known)}"
            )
        if not _VALID[key](value):
            raise UserError(
                f"{printable(path)}: {key} = {printable(value)!r}, expected {_EXPECTED[key]}"
            )
    return Config(**table)


def _within(value: float, low: float, high: float) -> float:
    """Return the nearest value that is allowed, the lowest for NaN."""
    return min(value, high) if value >= low else low


def _is_fps(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 30


def _is_keys(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(keys, str) for keys in value.values())


_VALID = {
    "chart_fps": _is_fps,
    "graphics": lambda value: value in ("auto", "cells", "always"),
    "keys": _is_keys,
}
_EXPECTED = {
    "chart_fps": "a number from 0 to 30",
    "graphics": '"auto", "cells" or "always"',
    "keys": 'a table such as "runs.new" = "n,ctrl+n"',
}


@dataclasses.dataclass(slots=True)
class State:
    """What the app keeps between starts; ``save`` after a change."""

    theme: str = "cnn-dark"
    sort: str = "-created"
    filter: str = ""
    x_axis: str = "epoch"
    smoothing: float = 0.0
    log_y: bool = False
    sweep_workers: str = ""
    sweep_launcher: str = ""
    launcher: str = "local"
    launch_options: dict[str, str] = dataclasses.field(default_factory=dict)
    hidden_panes: list[str] = dataclasses.field(default_factory=list)
    path: Path | None = None

    @classmethod
    def read(cls, folder: Path) -> "State":
        """Return the state kept in the folder; one that is absent or damaged starts afresh."""
        state = cls(path=folder / "state.json")
        assert state.path is not None
        try:
            kept = json.loads(state.path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return state
        if isinstance(kept, dict):
            for field in dataclasses.fields(cls):
                value = kept.get(field.name)
                if field.name != "path" and type(value) is type(getattr(state, field.name)):
                    setattr(state, field.name, value)
        state.smoothing = _within(state.smoothing, 0.0, _SMOOTHEST)
        return state

    def save(self) -> None:
        """Write the state; raises OSError where the folder can't be written."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = dataclasses.asdict(self)
        del kept["path"]
        write_text_atomically(self.path, to_json(kept, indent=2), sync=False)
