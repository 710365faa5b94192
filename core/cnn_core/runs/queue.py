"""Stub until merged."""

from pathlib import Path


class Hold:
    def release(self) -> None: ...


class Queue:
    def __init__(self, runs_dir: Path) -> None: ...
    def ids(self) -> list[str]:
        return []

    def add(self, run_id: str) -> None: ...
    def remove(self, run_id: str) -> None: ...
    def move(self, run_id: str, by: int) -> None: ...
    def take(self) -> str | None:
        return None

    def try_hold(self) -> Hold | None:
        return Hold()
