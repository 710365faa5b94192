"""What a run is called and described by, changed at any time."""

from collections.abc import Sequence
from pathlib import Path

import tomli_w

from cnn_core.config import LONGEST_NAME
from cnn_core.errors import UserError, printable
from cnn_core.files import write_text_atomically
from cnn_core.runs.reader import CONFIG, read_config_table
from cnn_core.runs.writer import refresh_summary


def set_labels(
    run_dir: Path,
    *,
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
) -> None:
    """Change those labels of a run that are given; its id stays.

    config.toml is where they are kept. summary.json follows at once, or, of a run that some
    process writes, when that saves it next; readers see the change at once either way.

    Raises UserError for a name that is empty or too long, text that is not Unicode, a folder
    that is no run, and one that can't be written.
    """
    if name is not None and not 1 <= len(name) <= LONGEST_NAME:
        raise UserError(f"name of a run: {len(name)} characters, expected from 1 to {LONGEST_NAME}")
    given = {"name": name, "notes": notes, "tags": None if tags is None else list(tags)}
    changed = {key: value for key, value in given.items() if value is not None}
    table = read_config_table(run_dir) | changed
    try:
        write_text_atomically(run_dir / CONFIG, tomli_w.dumps(table))
        refresh_summary(run_dir)
    except UnicodeEncodeError as error:
        shown = printable(error.object[error.start : error.end])
        raise UserError(f"labels of a run: {shown!r} is not Unicode text") from error
    except OSError as error:
        raise UserError(
            f"run {printable(run_dir.name)}: can't be written: {error.strerror}"
        ) from error
