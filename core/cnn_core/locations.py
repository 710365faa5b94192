"""Where data, caches and runs lie unless the user says otherwise."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def default_data_dir() -> Path:
    """Return the folder of data sets: ``CNN_TUI_DATA``, or one in the user's cache."""
    return _from_environment("CNN_TUI_DATA") or user_cache_path("cnn-tui") / "data"


def default_runs_dir() -> Path:
    """Return the folder of runs: ``CNN_TUI_RUNS``, or ``./runs``."""
    return _from_environment("CNN_TUI_RUNS") or Path("runs")


def cache_dir() -> Path:
    """Return the folder of decoded pixels: ``CNN_TUI_CACHE``, or one in the user's cache."""
    return _from_environment("CNN_TUI_CACHE") or user_cache_path("cnn-tui") / "pixels"


def expanded(path: str) -> Path:
    """Return the path with ~ as the user's home; the home of nobody we know stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (Path.expanduser raises for nobody)


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return expanded(value) if value else None
