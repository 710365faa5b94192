"""Where a report may be written: known before anything heavy is loaded."""

import re
from pathlib import Path

from cnn_core.errors import UserError, printable

_OURS = re.compile(r"\d{3,}-[a-z-]+\.png")


def check_place(out: Path) -> None:
    """Raise UserError where a report can't be written, before work is done for it."""
    if out.suffix.lower() not in (".html", ".md"):
        raise UserError(f"{printable(out)}: expected a name that ends in .html or .md")
    if not out.parent.is_dir():
        raise UserError(f"{printable(out)}: there is no folder {printable(out.parent)}")
    if out.is_dir():
        raise UserError(f"{printable(out)}: expected a file, this is a folder")
    if out.suffix.lower() == ".md":
        _check_folder(folder_of(out))


def folder_of(out: Path) -> Path:
    """Return the folder of the pictures of a report in Markdown."""
    return out.with_name(f"{out.stem}_files")


def _check_folder(folder: Path) -> None:
    """Refuse to replace what is not a report's."""
    if folder.is_dir() and not folder.is_symlink():
        foreign = [one.name for one in folder.iterdir() if not _OURS.fullmatch(one.name)]
    else:
        foreign = [folder.name] if folder.is_symlink() or folder.exists() else []
    if foreign:
        raise UserError(
            f"{printable(folder)} would be replaced by the report's pictures, and holds "
            f"{printable(foreign[0])}; move it away, or give the report another name"
        )
