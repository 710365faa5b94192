"""Where a session of the app works: its folders and its device."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workplace:
    """Folders of the runs, the data sets and the decoded pixels, and the device to train on."""

    runs_dir: Path
    data_dir: Path
    cache_dir: Path
    device: str = "auto"
