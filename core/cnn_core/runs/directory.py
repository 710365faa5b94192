"""Making and finding run folders: ``<YYYYMMDD-HHMMSS>-<slug of name>-<4 hex>``."""

import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.file_lock import abandoned, claim
from cnn_core.files import write_atomically, write_text_atomically
from cnn_core.runs.encoding import json_bytes
from cnn_core.runs.lock import LOCK
from cnn_core.runs.reader import CONFIG, ENVIRONMENT, SUMMARY, parse_config, read_created
from cnn_core.runs.requests import CONTROL
from cnn_core.runs.summary_state import RunSummary

_RUN_ID = re.compile(r"\d{8}-\d{6}-([A-Za-z0-9._-]+)-[0-9a-f]{4}")
_SLUG_LENGTH = 48
_SHOWN = 8


def create_run(
    runs_dir: Path,
    name: str,
    config_toml: str,
    environment: dict[str, Any],
    *,
    announce: Callable[[str], object] = lambda _: None,
) -> Path:
    """Make the folder of a new run, queued, and return it; it appears whole or not at all.

    ``config_toml`` is the resolved preset; ``environment`` goes to environment.json, with
    ``created`` (Unix seconds). ``announce`` is told the id before there is such a run. Raises
    UserError where ``runs_dir`` can't be written, ValueError if ``config_toml`` is not TOML.
    """
    config = parse_config(config_toml)
    slug = _slug(name)
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        _remove_unmade(runs_dir)
        while True:
            created = time.time()
            stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(created))
            run_dir = runs_dir / f"{stamp}-{slug}-{secrets.token_hex(2)}"
            part = runs_dir / f".{run_dir.name}"
            try:
                part.mkdir()  # whoever makes it owns the id
            except FileExistsError:
                continue
            descriptor = _claimed(part)
            if descriptor is None:
                continue
            try:
                if run_dir.exists():
                    continue
                for folder in ("checkpoints", "predictions", CONTROL):
                    (part / folder).mkdir()
                write_text_atomically(part / CONFIG, config_toml)
                _write_json(part / ENVIRONMENT, {**environment, "created": created})
                _write_json(part / SUMMARY, RunSummary(run_dir.name, config, created).document())
                announce(run_dir.name)
                part.rename(run_dir)
                return run_dir
            finally:
                shutil.rmtree(part, ignore_errors=True)  # gone already if it was renamed
                os.close(descriptor)
    except OSError as error:
        raise UserError(
            f"runs folder {printable(runs_dir)}: can't make a run there: {error.strerror}"
        ) from error


def run_ids(runs_dir: Path) -> list[str]:
    """Return the ids of all runs, sorted; folders of other names are none of ours.

    A folder that does not exist holds no runs; one that can't be read is a UserError.
    """
    try:
        with os.scandir(runs_dir) as entries:  # tells folders from files without a stat of each
            return sorted(
                entry.name for entry in entries if is_run_id(entry.name) and entry.is_dir()
            )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"runs folder {printable(runs_dir)}: {error.strerror}") from error


def list_runs(runs_dir: Path) -> list[Path]:
    """Return the folders of all runs, sorted by id; UserError if ``runs_dir`` can't be read."""
    return [runs_dir / run_id for run_id in run_ids(runs_dir)]


def check_own_files(run_dir: Path) -> None:
    """Raise UserError where a part of a run is a link, a pipe or a device, or the run is gone.

    To write such a run would write or remove files elsewhere: whoever made it chose which.
    """
    run = printable(run_dir.name)
    try:
        with os.scandir(run_dir) as entries:
            others = [
                entry
                for entry in entries
                if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False))
            ]
    except FileNotFoundError:
        raise UserError(f"run {run}: it was deleted") from None
    except OSError as error:
        raise UserError(f"run {run}: can't be read: {error.strerror}") from error
    if others:
        what = "a link" if others[0].is_symlink() else "no regular file"
        raise UserError(
            f"run {run}: {printable(others[0].name)} in its folder is {what}, through which "
            "nothing is written; put what belongs to the run there"
        )


def is_run_id(name: str) -> bool:
    """Return whether a folder of this name in a folder of runs is one of ours."""
    return _RUN_ID.fullmatch(name) is not None


def name_in(run_id: str) -> str:
    """Return the part of an id that is the name the run was made with; empty if it is no id."""
    found = _RUN_ID.fullmatch(run_id)
    return found[1] if found else ""


def find_run(runs_dir: Path, reference: str) -> Path:
    """Return the run that is meant by an id, the start of one, the name in it, a path, or ``last``.

    Raises UserError with the nearest ids if there is none, or with the candidates if several.
    """
    runs = {path.name: path for path in list_runs(runs_dir)}
    if reference == "last" and runs:
        # The id tells the second only, in the local time of whichever machine made it.
        return max(runs.values(), key=lambda path: (read_created(path) or 0.0, path.name))
    if reference in runs:
        return runs[reference]
    matches = [
        run_id
        for run_id in runs
        if reference and (run_id.startswith(reference) or name_in(run_id) == _slug(reference))
    ]
    if len(matches) == 1:
        return runs[matches[0]]
    shown = printable(reference)
    if matches:
        more = f" and {len(matches) - _SHOWN} more" if len(matches) > _SHOWN else ""
        raise UserError(
            f"run {shown!r} could be any of {', '.join(matches[-_SHOWN:])}{more}; "
            "give more of the id, or `last`"
        )
    if reference and _is_run_folder(Path(reference)):
        return Path(reference).resolve()
    if not runs:
        raise UserError(f"no run {shown!r}: {printable(runs_dir)} holds no runs")
    containing = [name for name in runs if reference in name]
    near = did_you_mean(reference, containing[-_SHOWN:] or runs)
    raise UserError(f"no run {shown!r} in {printable(runs_dir)}{near}")


def _is_run_folder(path: Path) -> bool:
    try:
        return (path / CONFIG).is_file()
    except OSError:  # not a path at all: too long
        return False


def _claimed(part: Path) -> int | None:
    """Hold a new folder while it is filled; None where another process has just removed it."""
    try:
        descriptor = os.open(part / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        return None
    if claim(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _remove_unmade(runs_dir: Path) -> None:
    """Remove the folders of runs whose makers were killed."""
    with os.scandir(runs_dir) as entries:
        parts = [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(".") and is_run_id(entry.name[1:])
        ]
    for part in parts:
        with suppress(OSError):
            part.rmdir()  # not claimed yet; whoever made it right now makes another one
        with abandoned(part / LOCK) as free:
            if free:
                shutil.rmtree(part, ignore_errors=True)


def _slug(name: str) -> str:
    """Return the name as a part of a file name: [A-Za-z0-9._-] only, short, never empty."""
    letters = "".join(
        char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char)
    )
    return re.sub(r"[^A-Za-z0-9._-]+", "-", letters)[:_SLUG_LENGTH].strip("-._") or "run"


def _write_json(path: Path, document: dict[str, Any]) -> None:
    write_atomically(path, lambda file: file.write(json_bytes(document)))
