"""check, schema, new: for those who write presets, sweeps and studies in an editor."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cnn_core.errors import UserError, printable
from cnn_tui import completion
from cnn_tui.options import DataDir, Json, RunsDir, Settings, one_of
from cnn_tui.output import complain, narrate, print_json, print_line, stdout
from cnn_tui.questions import NO_ANSWER, answers, can_ask

if TYPE_CHECKING:
    from cnn_core.checking import Checked


def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            autocompletion=completion.files,
            help="Presets, sweeps, studies.",
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Check files for scripts and commits: all mistakes of all of them; no data is needed."""
    from cnn_core.checking import check_file

    checked = [check_file(path) for path in files]
    if as_json:
        print_json([_document(one) for one in checked])
    else:
        for one in checked:
            if one.told:
                complain(f"error: {one.told}")
            else:
                print_line(stdout(), f"{printable(one.path)}: {one.kind}, no mistakes")
    if any(one.told for one in checked):
        raise typer.Exit(UserError.exit_code)


def _document(checked: "Checked") -> dict[str, Any]:
    return {
        "file": str(checked.path),
        "kind": checked.kind,
        "ok": not checked.told,
        "mistakes": [
            {
                "line": placed.line,
                "key": placed.mistake.key,
                "value": placed.mistake.value,
                "message": placed.mistake.message,
            }
            for placed in checked.mistakes
        ],
    }


def schema(
    kind: Annotated[
        Literal["preset", "sweep", "study"],
        typer.Argument(
            metavar="preset|sweep|study",
            parser=one_of("schema", "preset", "sweep", "study"),
            autocompletion=completion.one_of_these("preset", "sweep", "study"),
            help="Of which files.",
        ),
    ] = "preset",
) -> None:
    """Print the JSON Schema of presets, sweeps or studies: editors complete and check by it."""
    from cnn_core.schema import schema_of

    print_json(schema_of(kind))


def new(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file to write.", show_default=False)
    ],
    settings: Settings,
    runs_dir: RunsDir,
    data_dir: DataDir,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PRESET|RUN",
            autocompletion=completion.presets_and_runs,
            help="Write what this preset or run says, without questions.",
        ),
    ] = None,
) -> None:
    """Write a preset with comments, from a few questions or from a preset or run.

    Enter takes a question's default. What --set says is not asked, and without a
    terminal nothing is: then --set data.dataset=NAME is enough.
    """
    from cnn_core.files import write_text_atomically
    from cnn_core.preset_text import commented, preset_path

    try:
        path = _free(preset_path(file))
    except UserError as error:
        raise UserError(f"{printable(file)}: {error}") from error
    if source is not None:
        table = _table_from(source, runs_dir, settings)
    else:
        table = _table_asked(path, data_dir, settings)
    text = commented(table)
    write_text_atomically(_free(path), text)  # another may have come during the questions
    shown = shlex.quote(str(path))
    narrate(
        f"{printable(path)} is written; next:",
        command=f"cnn-tui split {shown} && cnn-tui run {shown}",
    )


def _free(path: Path) -> Path:
    """Return the path; UserError where there is anything, even a link to nowhere."""
    if os.path.lexists(path):
        raise UserError("there is such a file already, which stays: give another name")
    return path


def _table_from(source: str, runs_dir: Path, settings: list[str]) -> dict[str, Any]:
    """Return what differs from the defaults in a preset or a run; UserError with all mistakes."""
    from cnn_core.preset_files import find_preset, load_experiment
    from cnn_core.preset_text import changed_keys
    from cnn_core.runs.directory import find_run
    from cnn_core.runs.reader import CONFIG

    try:
        found = find_preset(source)
    except UserError as no_preset:
        try:
            found = find_run(runs_dir, source) / CONFIG
        except UserError as no_run:
            raise UserError(f"--from: {no_preset}\n  {no_run}") from None
    return changed_keys(load_experiment(found, settings))


def _table_asked(path: Path, data_dir: Path, settings: list[str]) -> dict[str, Any]:
    """Return a preset from what --set says and, on a terminal, what is answered."""
    from cnn_core.mistake_places import told_mistakes
    from cnn_core.preset_files import put
    from cnn_core.preset_mistakes import mistakes
    from cnn_core.suggestions import completed, told_by

    told = told_by(settings)
    if can_ask():
        try:
            values = completed(answers(told, data_dir))
        except (KeyboardInterrupt, EOFError):
            narrate("\nnothing was written")
            raise typer.Exit(NO_ANSWER) from None
    elif "data.dataset" in told:
        values = completed(told)
    else:
        raise UserError(
            "no terminal to ask on: give --from PRESET|RUN, or at least --set data.dataset=NAME"
        )
    table: dict[str, Any] = {"name": path.stem}
    wrong = [why for key, value in values.items() if (why := put(table, key, value))]
    if wrong:
        raise UserError(f"--set: {'; '.join(wrong)}")
    if found := mistakes(table):
        raise UserError(told_mistakes(path, "", found, dict.fromkeys(told, "--set")))
    return table
