"""Experiments that are being written, kept in files until they are a run or a preset.

Each form has a file of its own, and holds a lock beside it that goes with its process. A file whose
lock nobody holds was left behind: by a lost line, a crash, or by leaving the app.
"""

import json
import math
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnn_core.file_lock import FileLock
from cnn_core.files import to_json, write_text_atomically
from cnn_core.runs.lock import is_locked
from cnn_tui.field_text import to_text
from cnn_tui.form import Form, Source
from cnn_tui.form_fields import form_fields


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A draft that nobody has open, and when it was kept last (Unix seconds)."""

    path: Path
    kept_at: float
    form: Form

    def remove(self) -> None:
        """Forget it; raises OSError where it can't be removed."""
        self.path.unlink(missing_ok=True)
        _lock_of(self.path).unlink(missing_ok=True)


def draft_of(form: Form) -> str | None:
    """Return what is kept of a form, None where nothing differs from where it started."""
    if not form.changes:
        return None
    texts = {key: form.text(key) for key in form_fields()}
    return to_json({"time": time.time(), "source": asdict(form.source), "texts": texts}, indent=2)


class DraftFile:
    """The file of one open form; any thread may write it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{uuid.uuid4().hex}.json"
        self._holder = FileLock(_lock_of(self._path))
        self._turn = threading.Lock()
        self._closed = False

    def keep(self, draft: str | None) -> None:
        """Write the draft, or remove it where there is none; raises OSError."""
        with self._turn:
            if self._closed:
                return
            if draft is None:
                self._path.unlink(missing_ok=True)
                return
            if not self._holder.is_held:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._holder.acquire(0)
            write_text_atomically(self._path, draft)

    def remove(self) -> None:
        """Forget the draft for good: it is a run or a preset now, or not wanted; raises OSError."""
        with self._turn:
            self._closed = True
            if self._holder.is_held:
                self._path.unlink(missing_ok=True)
                _lock_of(self._path).unlink(missing_ok=True)
                self._holder.release()

    def leave_behind(self) -> None:
        """Let others take it up."""
        with self._turn:
            self._closed = True
            self._holder.release()


def left_behind(folder: Path) -> list[LeftBehind]:
    """Return the drafts that no process has open, the last one kept first.

    Files that are no drafts, or are damaged, are passed over.
    """
    found = [
        draft
        for path in folder.glob("*.json")
        if not is_locked(_lock_of(path)) and (draft := _read(path))
    ]
    return sorted(found, key=lambda draft: -draft.kept_at)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _read(path: Path) -> LeftBehind | None:
    try:
        content = json.loads(path.read_bytes())
        source = content["source"]
        before = Source(str(source["label"]), str(source["reference"]), _texts(source["texts"]))
        form = Form(before)
        for key, text in _texts(content["texts"]).items():
            form.set(key, text)
        form.settle()
        kept_at = float(content["time"])
        return LeftBehind(path, kept_at, form) if math.isfinite(kept_at) else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _texts(kept: dict[str, Any]) -> dict[str, str]:
    """Return the texts of all fields; another version may have kept more of them or fewer."""
    return {
        key: str(kept[key]) if key in kept else to_text(field, field.default)
        for key, field in form_fields().items()
    }
