"""Reports of runs as files."""

import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.files import write_atomically
from cnn_core.progress import Progress
from cnn_core.report.blocks import Document
from cnn_core.report.compose import compose
from cnn_core.report.html import to_html
from cnn_core.report.markdown import to_markdown_files
from cnn_core.report.material import Part, Work, gather

_OURS = re.compile(r"\d{3,}-[a-z-]+\.png")


def report(
    run_dirs: Sequence[Path],
    out: Path,
    *,
    part: Part = "test",
    data_dir: Path,
    cache_dir: Path,
    device: str = "auto",
    written: float | None = None,
) -> Work[None]:
    """Write a report of one run, or of several side by side, to a .html or .md file.

    The predictions are those of the best weights on ``part``, computed and kept where they are
    not yet. What can't be had is told in its place. ``written`` (Unix seconds, default: now) is
    the time that the report states; all else follows from the runs. Beside FILE.md its pictures
    stand in FILE_files/, replaced as a whole. Raises UserError for another suffix, a place that
    can't be written, or a folder that is no run's.
    """
    check_place(out)
    materials = []
    for run_dir in run_dirs:
        found = yield from gather(
            run_dir, part, data_dir=data_dir, cache_dir=cache_dir, device=device
        )
        materials.append(found)
    yield Progress("writing the report", 0, 0)
    document = compose(materials, part, written=time.time() if written is None else written)
    try:
        _write(out, document)
    except OSError as error:
        raise UserError(f"{printable(out)}: can't be written: {error.strerror}") from error


def check_place(out: Path) -> None:
    """Raise UserError where a report can't be written, before work is done for it."""
    if out.suffix.lower() not in (".html", ".md"):
        raise UserError(f"{printable(out)}: expected a name that ends in .html or .md")
    if not out.parent.is_dir():
        raise UserError(f"{printable(out)}: there is no folder {printable(out.parent)}")
    if out.is_dir():
        raise UserError(f"{printable(out)}: expected a file, this is a folder")
    if out.suffix.lower() == ".md":
        _check_folder(_folder_of(out))


def _folder_of(out: Path) -> Path:
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


def _write(out: Path, document: Document) -> None:
    if out.suffix.lower() == ".html":
        page = to_html(document)
        write_atomically(out, lambda file: file.write(page))
        return
    folder = _folder_of(out)
    text, pictures = to_markdown_files(document, folder.name)
    part, old = (folder.with_name(f".{folder.name}.{secrets.token_hex(4)}") for _ in range(2))
    try:
        part.mkdir()
        for name, content in pictures.items():
            (part / name).write_bytes(content)
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # gone already if it was renamed
        shutil.rmtree(old, ignore_errors=True)
    write_atomically(out, lambda file: file.write(text.encode()))
