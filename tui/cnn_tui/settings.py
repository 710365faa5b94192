r"""What a user sets (``config.toml``, theirs) and what the app remembers (``state.json``).

``config.toml``::

    chart_fps = 2               # most redraws of a chart a second; 0: 4, and 1 over SSH
    graphics = "auto"           # "cells": no Kitty or Sixel pictures; "always": over SSH too
    [keys]
    "runs.new" = "n,ctrl+n"     # keys of a binding, by the id that F1 shows
    [notify]                    # when a run or a sweep has ended
    bell = true
    command = "notify-send \"$CNN_TUI_NAME\" \"$CNN_TUI_STATUS\""
    webhook = "https://hooks.example.org/…"
    on = ["finished", "failed", "diverged", "stopped"]
"""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from cnn_core import toml_text
from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.files import to_json, write_text_atomically
from cnn_core.locations import expanded
from cnn_tui.notify import ENDS, Notify, host_of

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
    notify: Notify = dataclasses.field(default_factory=Notify)


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
    _check(path, table, "", Config)
    if "notify" in table:
        _check(path, table["notify"], "notify.", Notify)
        given = table["notify"]
        table["notify"] = Notify(**given | {"on": tuple(given.get("on", ENDS))})
    return Config(**table)


def _check(path: Path, table: dict[str, Any], section: str, owner: type) -> None:
    """Raise UserError unless all keys are fields of the owner and their values are valid."""
    known = [field.name for field in dataclasses.fields(owner)]
    for key, value in table.items():
        where = f"{section}{key}"
        if key not in known:
            near = did_you_mean(key, known)
            raise UserError(f"{printable(path)}: unknown key {printable(where)!r}{near}")
        if not _VALID[where](value):
            # A webhook's address is a secret, and one with a mistake may be so too.
            given = "" if where == "notify.webhook" else f" = {printable(value)!r},"
            raise UserError(f"{printable(path)}: {where}{given} expected {_EXPECTED[where]}")


def _within(value: float, low: float, high: float) -> float:
    """Return the nearest value that is allowed, the lowest for NaN."""
    return min(value, high) if value >= low else low


def _is_fps(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 30


def _is_keys(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(keys, str) for keys in value.values())


def _is_webhook(value: Any) -> bool:
    try:
        return isinstance(value, str) and (value == "" or bool(host_of(value)))
    except ValueError:
        return False


_VALID: dict[str, Callable[[Any], bool]] = {
    "chart_fps": _is_fps,
    "graphics": lambda value: value in ("auto", "cells", "always"),
    "keys": _is_keys,
    "notify": lambda value: isinstance(value, dict),
    "notify.bell": lambda value: isinstance(value, bool),
    "notify.command": lambda value: isinstance(value, str) and "\0" not in value,
    "notify.webhook": _is_webhook,
    "notify.on": lambda value: isinstance(value, list) and all(item in ENDS for item in value),
}
_EXPECTED = {
    "chart_fps": "a number from 0 to 30",
    "graphics": '"auto", "cells" or "always"',
    "keys": 'a table such as "runs.new" = "n,ctrl+n"',
    "notify": "a table with bell, command, webhook, on",
    "notify.bell": "true or false",
    "notify.command": "a command of the shell",
    "notify.webhook": "an address such as https://hooks.example.org/…, without a password",
    "notify.on": f"a list of some of {', '.join(ENDS)}",
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
