"""The command that trains what a form holds, without the form."""

import shlex
from typing import Any

from cnn_core.config import Experiment
from cnn_core.errors import UserError
from cnn_core.locations import default_data_dir, default_runs_dir
from cnn_core.preset_files import load_experiment
from cnn_tui.field_text import to_toml_line
from cnn_tui.form import Form
from cnn_tui.workplace import Workplace


def headless_command(form: Form, workplace: Workplace) -> str:
    """Return ``cnn-tui run … --headless`` with what differs from the source as ``--set``.

    Raises UserError while there are mistakes, and where the source can't be changed into this
    by ``--set``.
    """
    wanted = _flat(form.experiment())
    given = _flat(load_experiment(form.source.reference))
    changed = {key: value for key, value in wanted.items() if value != given.get(key)}
    if unset := [key for key, value in changed.items() if value is None]:
        raise UserError(
            f"no --set takes {', '.join(unset)} back: save this as a preset, then copy its command"
        )
    words = ["cnn-tui", "run", form.source.reference]
    for key, value in changed.items():
        words += ["--set", f"{key}={to_toml_line(value)}"]
    for option, place, default in (
        ("--runs-dir", workplace.runs_dir, default_runs_dir()),
        ("--data-dir", workplace.data_dir, default_data_dir()),
    ):
        if place != default:
            words += [option, str(place)]
    if workplace.device != "auto":
        words += ["--device", workplace.device]
    return shlex.join([*words, "--headless"])


def _flat(experiment: Experiment) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in experiment:
        if hasattr(value, "model_dump"):
            flat |= {f"{key}.{name}": item for name, item in value.model_dump().items()}
        else:
            flat[key] = value
    return flat
