"""Stub until merged."""

from pathlib import Path


def set_labels(
    run_dir: Path,
    *,
    name: str | None = None,
    notes: str | None = None,
    tags: list[str] | None = None,
) -> None: ...
