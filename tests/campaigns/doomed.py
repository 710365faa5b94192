"""A command that is killed at one of its changes of the disk: all of them can be tried in turn.

``python -m doomed NUMBER FOLDER REPORT MODULE ARGUMENTS`` runs the module and sends itself SIGKILL
just before the change of that number below the folder; a write gets half way. REPORT says which it
was, or, where the command came to its end before (number 0: always), all that there were.
"""

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Doom:
    """Counts changes below a folder, and kills this process at one of them."""

    def __init__(self, number: int, folder: str, report: Path) -> None:
        self._number, self._folder, self._report = number, folder, report
        self._told: list[str] = []
        self._write, self._fsync = os.write, os.fsync
        os.write, os.fsync = self._half, self._unsynced  # type: ignore[assignment]
        sys.addaudithook(self._hear)

    def survived(self) -> None:
        """Tell that the process has come to its end."""
        self._number = -1
        self._report.write_text("\n".join(self._told))

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _mode, flags = arguments
            if isinstance(flags, int) and flags & _WRITING and self._is_the_one("open", path):
                self._die()
        elif event in _CHANGES and self._is_the_one(event, arguments[0]):
            self._die()

    def _half(self, descriptor: int, content: Any) -> int:
        if self._is_the_one("write", descriptor):
            self._write(descriptor, memoryview(content)[: len(content) // 2])
            self._die()
        return self._write(descriptor, content)

    def _unsynced(self, descriptor: int) -> None:
        if self._is_the_one("fsync", descriptor):
            self._die()
        self._fsync(descriptor)

    def _is_the_one(self, what: str, place: Any) -> bool:
        if isinstance(place, int):
            try:
                place = os.readlink(f"/proc/self/fd/{place}")  # noqa: PTH115
            except OSError:
                return False
        path = os.path.abspath(os.fsdecode(place))  # noqa: PTH100
        if self._number < 0 or not path.startswith(self._folder):
            return False
        self._told.append(f"{what} {path[len(self._folder) :]}")
        if len(self._told) != self._number:
            return False
        self._number = -1
        self._report.write_text(self._told[-1])
        return True

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Be the command."""
    number, folder, report, module, *arguments = sys.argv[1:]
    doom = Doom(int(number), folder, Path(report))
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        doom.survived()


if __name__ == "__main__":
    main()
