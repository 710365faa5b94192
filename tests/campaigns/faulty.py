"""Disks that are full, small, gone or at fault, and clocks that jump, for commands under test."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cli_support import Cli, environment
from zygote import Zygote

SOURCE = Path(__file__).with_name("faulty.c")
# A training of some seconds, whose checkpoints weigh half a megabyte.
SLOW = ("train.epochs=6", "train.batch_size=16", "data.limit=800")
TRAINING = ("run", "digits", "--headless", *(part for item in SLOW for part in ("--set", item)))


class Faults:
    """What goes wrong for the commands of a ``Cli`` that was made by ``faulty_cli``."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def set(self, code: int, part: Path | str, *, kinds: str = "w", ahead_s: int = 0) -> None:
        """Let calls on paths that hold ``part`` fail from now on, and the clock be ahead."""
        made = self._file.with_suffix(".new")
        made.write_text(f"{code} {kinds} {ahead_s} {part}\n")
        made.replace(self._file)

    def clear(self) -> None:
        """Let all go well."""
        self._file.unlink(missing_ok=True)

    def jump(self, seconds: int) -> None:
        """Put the clock ahead, or back."""
        self.set(errno.EIO, "/nowhere", kinds="-", ahead_s=seconds)


def compiled(folder: Path) -> Path | None:
    """Return the library of ``faulty.c``, None where there is no compiler."""
    library = folder / "faulty.so"
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


@contextmanager
def faulty_zygote(folder: Path) -> Iterator[tuple[Zygote, Faults] | None]:
    """Give a zygote whose commands meet faults, and these; None where there is no compiler."""
    library = compiled(folder)
    if library is None:
        yield None
        return
    faults = Faults(folder / "fault")
    zygote = Zygote(environment(folder) | {"LD_PRELOAD": str(library)})
    try:
        yield zygote, faults
    finally:
        zygote.end()


def cli_in(folder: Path, zygote: Zygote, faults: Faults | None = None) -> Cli:
    """Return the command below a new folder; with ``faults`` of a faulty zygote, it meets them."""
    made = Cli(folder, zygote)
    if faults is not None:
        made.env["FAULTY"] = str(faults._file)
    return made


@contextmanager
def small_disk(place: Path, megabytes: float) -> Iterator[bool]:
    """Mount a disk of its own there; False where this user may not."""
    place.mkdir(parents=True, exist_ok=True)
    size = f"size={int(megabytes * 1024)}k"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def fill(disk: Path) -> Path:
    """Leave no byte free on a disk; return the file that takes all."""
    filler = disk / ".filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def one_sentence(errors: str, *parts: str) -> str:
    """Return the last line of what a command said, having checked that it says why, readably."""
    assert "Traceback" not in errors, errors
    last = errors.strip().splitlines()[-1]
    for part in parts:
        assert part in errors, errors
    return last


def as_ordinary_user(program: list[str]) -> list[str]:
    """Return the command line that runs a program without the rights of root."""
    if os.geteuid() != 0:
        return program
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *program]
