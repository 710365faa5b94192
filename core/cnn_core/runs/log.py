"""``log.txt``: what went wrong or was odd, for people to read."""

import time
from pathlib import Path

LOG = "log.txt"


def append_log(run_dir: Path, text: str) -> None:
    """Append text with the local time before it; several lines are kept as they are."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with (run_dir / LOG).open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{stamp} {text.rstrip()}\n")
