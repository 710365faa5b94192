"""Requests to a running run, as small files in its folder: any process or machine can ask."""

import json
import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.files import write_atomically
from cnn_core.regular_files import read_regular
from cnn_core.runs.encoding import json_bytes
from cnn_core.runs.lock import is_live
from cnn_core.runs.log import append_log
from cnn_core.training.control import RequestKind

CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a run; ``value`` is the learning rate of set_lr, else None."""

    kind: RequestKind
    value: float | None = None


def send_request(run_dir: Path, kind: str, value: float | None = None) -> None:
    """Ask the run's process for something; it looks between steps.

    Raises UserError for an unknown kind, a learning rate that is not above 0, a run that no
    process is writing, or a folder that this user can't write.
    """
    request = {"kind": kind, "value": value}
    if why := _mistake(request):
        raise UserError(why)
    if not is_live(run_dir):
        raise UserError(f"run {printable(run_dir.name)}: not running, so it can't take {kind!r}")
    # The name sorts by the time of sending.
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    folder = run_dir / CONTROL
    try:
        folder.mkdir(exist_ok=True)
        write_atomically(folder / name, lambda file: file.write(json_bytes(request)), sync=False)
    except OSError as error:
        raise UserError(
            f"run {printable(run_dir.name)}: can't send {kind!r}: {error.strerror}"
        ) from error


def take_requests(run_dir: Path) -> list[Request]:
    """Return the requests sent since the last call, in order, and remove them.

    One that can't be read is removed too, with a note in log.txt. Where there are none, this
    takes some 20 µs on a local disk.
    """
    taken = []
    for path in _pending(run_dir):
        try:
            content = read_regular(path)
            path.unlink()
        except OSError as error:
            append_log(run_dir, f"control request {path.name}: {error.strerror}")
            continue
        try:
            request = json.loads(content)
            why = _mistake(request)
        except (ValueError, RecursionError) as error:
            why = str(error)
        if why:
            append_log(run_dir, f"control request {path.name} ignored: {printable(why)}")
        else:
            taken.append(Request(request["kind"], request.get("value")))
    return taken


def clear_requests(run_dir: Path) -> None:
    """Remove what was asked of an earlier process and never taken."""
    for path in _pending(run_dir):
        path.unlink(missing_ok=True)


def _pending(run_dir: Path) -> list[Path]:
    """Return the files of requests, in order; what else may lie there is none."""
    folder = run_dir / CONTROL
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name.endswith(".json")
                and not entry.name.startswith(".")
                and entry.is_file(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names]


def _mistake(request: Any) -> str | None:
    """Return what is wrong with a request's kind and value, None if nothing is."""
    if not isinstance(request, dict) or not isinstance(request.get("kind"), str):
        return "not a request"
    kind, value = request["kind"], request.get("value")
    if kind not in get_args(RequestKind):
        return f"unknown request {printable(kind)!r}{did_you_mean(kind, get_args(RequestKind))}"
    if kind != "set_lr":
        return None if value is None else f"request {kind!r} takes no value"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "request 'set_lr' needs a learning rate"
    if not 0 < value <= sys.float_info.max:
        return f"request 'set_lr' needs a learning rate above 0, not {value}"
    return None
