"""Reports of runs as files."""

import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.files import write_atomically
from cnn_core.progress import Progress, Work
from cnn_core.report.blocks import Document
from cnn_core.report.compose import compose
from cnn_core.report.html import to_html
from cnn_core.report.markdown import to_markdown_files
from cnn_core.report.material import Part, gather
from cnn_core.report.place import check_place, folder_of


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


def _write(out: Path, document: Document) -> None:
    if out.suffix.lower() == ".html":
        page = to_html(document)
        write_atomically(out, lambda file: file.write(page))
        return
    folder = folder_of(out)
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
        if old.exists() and not folder.exists():
            old.rename(folder)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
    write_atomically(out, lambda file: file.write(text.encode()))
