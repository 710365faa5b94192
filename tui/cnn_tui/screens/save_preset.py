"""Asks where to save a preset, and saves it there."""

import re
from pathlib import Path

from textual.widgets import Input, Static

from cnn_core.config import Experiment
from cnn_core.errors import UserError, printable
from cnn_core.files import write_text_atomically
from cnn_core.preset_files import to_toml
from cnn_core.preset_text import preset_path
from cnn_tui.output import literal, sentence
from cnn_tui.screens.dialogs import Prompt


class SavePreset(Prompt):
    """Returns the path that was written; a file that exists is replaced by a second enter."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__("Save as a preset", default_path(experiment.name))
        self._experiment = experiment
        self._asked: Path | None = None

    def on_input_changed(self) -> None:
        """Ask again about another file."""
        self._asked = None

    def action_accept(self) -> None:
        """Write the file, unless there is one already that the user was not asked about."""
        try:
            path = preset_path(self.query_one(Input).value)
            if path.exists() and self._asked != path:
                self._asked = path
                raise UserError(f"{printable(path)} exists; enter again replaces it")
            write_text_atomically(path, to_toml(self._experiment))
        except (UserError, OSError) as error:
            self.query_one(".dialog-error", Static).update(literal(sentence(error)))
        else:
            self.dismiss(str(path))


def default_path(name: str) -> str:
    """Return presets/NAME.toml where there is a folder presets, else NAME.toml."""
    file = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "experiment"
    return str(Path("presets" if Path("presets").is_dir() else "", f"{file}.toml"))
