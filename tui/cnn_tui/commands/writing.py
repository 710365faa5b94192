"""check, schema: for those who write presets, sweeps and studies in an editor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cnn_core.errors import UserError, printable
from cnn_tui.options import Json, one_of
from cnn_tui.output import narrate, print_json, print_line, stdout

if TYPE_CHECKING:
    from cnn_core.checking import Checked


def check(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Presets, sweeps, studies.", show_default=False),
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
                narrate(f"error: {one.told}")
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
            help="Of which files.",
        ),
    ] = "preset",
) -> None:
    """Print the JSON Schema of presets, sweeps or studies: editors complete and check by it."""
    from cnn_core.schema import schema_of

    print_json(schema_of(kind))
