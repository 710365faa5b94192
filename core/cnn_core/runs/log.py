"""``log.txt``: what went wrong or was odd, for people to read."""

import time
from pathlib import Path

from cnn_core.regular_files import append_regular

LOG = "log.txt"


def append_log(run_dir: Path, text: str) -> None:
    """Append text with the local time before it; several lines are kept as they are."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    line = f"{stamp} {text.rstrip()}\n"
    with append_regular(run_dir / LOG) as file:
        file.write(line.encode(errors="backslashreplace"))
