"""Reading a run's folder, whoever writes it and whatever state it was left in."""

import json
import math
import re
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any, TypeGuard, get_args

from cnn_core import toml_text
from cnn_core.errors import UserError, printable
from cnn_core.regular_files import read_regular
from cnn_core.runs.encoding import NON_FINITE, restore_numbers
from cnn_core.runs.event_log import EVENTS, EventLines
from cnn_core.runs.lock import is_live
from cnn_core.runs.summary_state import RunSummary, labels_of
from cnn_core.training.events import Status

CONFIG = "config.toml"
ENVIRONMENT = "environment.json"
SUMMARY = "summary.json"

ALIVE = ("running", "paused")
_SHAPE = RunSummary("", {}, None).document()
_NUMERIC = ("best", "last", "test", "test_last", "params", "split", "timing")
_EPOCH = frozenset({"epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds"})
_PLAIN = frozenset({int, float, type(None)})
# Python reads whole numbers of any length, and no float holds one of these.
_ENDLESS = re.compile(rb"\d{300}")


def read_config(run_dir: Path) -> dict[str, Any]:
    """Return the run's resolved preset as plain dicts; UserError if absent or damaged."""
    return _plain(read_config_table(run_dir))


def read_config_table(run_dir: Path) -> dict[str, Any]:
    """Return the run's resolved preset as TOML has it, dates included; UserError as above."""
    path = run_dir / CONFIG
    try:
        return toml_text.parse(read_regular(path).decode())
    except FileNotFoundError:
        raise UserError(f"{printable(run_dir)}: not a run: it has no {CONFIG}") from None
    except OSError as error:
        raise UserError(f"{printable(path)}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{printable(path)}: not valid TOML: {printable(error)}") from error


def parse_config(text: str) -> dict[str, Any]:
    """Return TOML as dicts that JSON can hold (dates become text); ValueError if it is none."""
    return _plain(toml_text.parse(text))


def read_labels(run_dir: Path) -> dict[str, Any]:
    """Return those of name, notes and tags that config.toml holds now; UserError as above."""
    return labels_of(read_config(run_dir))


def read_created(run_dir: Path) -> float | None:
    """Return when the run was made (Unix seconds), None if its environment is damaged."""
    try:
        created = json.loads(read_regular(run_dir / ENVIRONMENT))["created"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return created if isinstance(created, float) and math.isfinite(created) else None


def read_events(run_dir: Path) -> EventLines:
    """Return the run's timed events, to iterate over without holding them all in memory.

    A torn last line is left out; damaged lines are skipped and counted in ``damaged``.
    """
    return EventLines(run_dir / EVENTS)


def fold_events(run_dir: Path) -> RunSummary:
    """Return the summary that the run's own files tell; UserError without its config.toml."""
    summary = RunSummary(run_dir.resolve().name, read_config(run_dir), read_created(run_dir))
    for time, event in read_events(run_dir):
        summary.fold(time, event)
    return summary


def read_summary(run_dir: Path) -> dict[str, Any]:
    """Return the document of ``show --json``, as ``RunSummary.document`` describes it.

    A run that ended without saying so has the status "interrupted". A summary that is missing
    or damaged, or may be behind the events as the process that wrote it died, is made anew from
    them. Raises UserError where config.toml is needed for that, and is missing or damaged.
    """
    try:
        document = parse_summary(read_regular(run_dir / SUMMARY))
    except (OSError, ValueError):
        document = fold_events(run_dir).document()
    known = document

    def as_left() -> dict[str, Any]:
        try:
            return fold_events(run_dir).document()
        except (UserError, OSError):  # damaged since
            return known

    return as_of_now(run_dir, document, as_left)


def parse_summary(content: bytes) -> dict[str, Any]:
    """Return the document that summary.json holds; ValueError if it is damaged."""
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _ENDLESS.search(content) or not is_summary(document):
        raise ValueError("not a summary")
    # Visiting every number takes longer than parsing, and most summaries have none of these.
    if b'"NaN"' in content or b'Infinity"' in content:
        return restore_numbers(document)
    return document


def as_of_now(
    run_dir: Path, document: dict[str, Any], read_again: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return a summary or row with the true status and labels of a run that claims to be alive.

    It is "interrupted" if there is no such process any more, and has the name, notes and tags
    that config.toml holds now, which the process writes at the end of an epoch only.
    """
    if document["status"] not in ALIVE:
        return document
    if not is_live(run_dir):
        # It may have ended since the document was read; now there is nobody to change it.
        document = read_again()
        if document["status"] not in ALIVE:
            return document
        document = document | {"status": "interrupted"}
    try:
        labels = read_labels(run_dir)
    except UserError:  # a file somebody broke since: what was known before still holds
        return document
    return document | labels | {"config": document["config"] | labels}


def _plain(table: dict[str, Any]) -> dict[str, Any]:
    config = json.loads(json.dumps(table, default=str))
    assert isinstance(config, dict)
    return config


def is_summary(document: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a document is one that we could have written: readers need not look twice."""
    return (
        isinstance(document, dict)
        and document.keys() >= _SHAPE.keys()
        and document["status"] in get_args(Status)
        and isinstance(document["config"], dict)
        and all(_are_numbers(document[key], _SHAPE[key].keys()) for key in _NUMERIC)
        and type(document["epoch"]) is int
        and type(document["epochs"]) in (int, type(None))
        and _is_moment(document["created"])
        and all(isinstance(document[key], str) for key in ("id", "name", "notes"))
        and all(isinstance(document[key], str | None) for key in ("error", "device"))
        and isinstance(document["tags"], list)
        and all(isinstance(tag, str) for tag in document["tags"])
        and isinstance(document["history"], list)
        and all(_are_numbers(epoch, _EPOCH) for epoch in document["history"])
    )


def _are_numbers(section: Any, keys: Set[str]) -> bool:
    """Return whether a section has these keys, all of them numbers, or not known."""
    if not isinstance(section, dict) or not section.keys() >= keys:
        return False
    # Thousands of epochs are looked at: nearly all hold plain numbers only.
    return _PLAIN.issuperset(map(type, section.values())) or all(
        key == "checkpoint" or _is_number(value) for key, value in section.items()
    )


def _is_number(value: Any) -> bool:
    return type(value) in _PLAIN or value in NON_FINITE


def _is_moment(value: Any) -> bool:
    return value is None or (type(value) in _PLAIN and math.isfinite(value))
