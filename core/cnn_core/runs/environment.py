"""Where and with what a run was made: kept beside it, so that it can be repeated."""

import getpass
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

_PACKAGES = ("cnn-tui", "torch", "torchvision", "numpy", "pillow", "scikit-learn")


def describe_environment() -> dict[str, Any]:
    """Return the command line, the folder and its git state, versions, host and user."""
    return {
        "command": sys.argv,
        "folder": str(Path.cwd()),
        "git": _git_state(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "host": socket.gethostname(),
        "user": _user(),
        "cpus": os.cpu_count(),
    }


def _git_state() -> dict[str, Any] | None:
    """Return commit and dirty flag of the current folder, or None outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    # A folder's own settings could have git start programs: a monitor, or a hook when it refreshes
    # its index.
    harmless = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
    done = subprocess.run(
        ["git", "--no-optional-locks", *harmless, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return None
