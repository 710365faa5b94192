"""Stub until merged."""

import shutil
from pathlib import Path


def delete_run(run_dir: Path) -> None:
    shutil.rmtree(run_dir)
