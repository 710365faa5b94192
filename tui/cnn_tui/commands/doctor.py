"""doctor: is this machine ready, and what to do where it is not."""

import dataclasses
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import typer
from rich.text import Text

from cnn_core.locations import cache_dir
from cnn_tui.options import DataDir, Json, RunsDir
from cnn_tui.output import print_json, print_table

State = Literal["ok", "warning", "failure"]
_STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``remedy`` says what to do unless all is well."""

    name: str
    state: State
    finding: str
    remedy: str = ""


def doctor(data_dir: DataDir, runs_dir: RunsDir, as_json: Json = False) -> None:
    """Check Python, torch and torchvision, the device, memory, folders and the terminal."""
    checks = [
        *_python(),
        *_torch(),
        *_memory(),
        *_folders({"data": data_dir, "cache": cache_dir(), "runs": runs_dir}),
        *_datasets(data_dir),
        *_terminal(),
    ]
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
    else:
        rows = [
            [check.name, Text(check.state, style=_STYLES[check.state]), check.finding, check.remedy]
            for check in checks
        ]
        print_table(["check", "state", "finding", "remedy"], rows, fold=["finding", "remedy"])
    if any(check.state == "failure" for check in checks):
        raise typer.Exit(1)


def _python() -> Iterator[Check]:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check(
        "python",
        "ok" if supported else "warning",
        platform.python_version(),
        "" if supported else "Python 3.11 to 3.13 are tested",
    )


def _torch() -> Iterator[Check]:
    versions = {}
    for name in ("torch", "torchvision"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, "failure", "not installed", f"pip install {name}")
            return
    pair = ", ".join(f"{name} {version}" for name, version in versions.items())
    try:
        import torch
        import torchvision  # noqa: F401  (the import is the check)
    except (ImportError, OSError, RuntimeError) as error:
        remedy = (
            "install both anew, in one command: pip install --force-reinstall torch torchvision"
        )
        if "nms does not exist" in str(error):
            finding = f"{pair}: torchvision was built for another torch"
        else:
            finding = f"{pair}: {str(error).splitlines()[0]}"
        yield Check("torch", "failure", finding, remedy)
        return
    yield Check("torch", "ok", f"{pair}; {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = (size / 2**30 for size in torch.cuda.mem_get_info(index))
            name = torch.cuda.get_device_name(index)
            yield Check(f"cuda:{index}", "ok", f"{name}, {free:.1f} of {total:.1f} GiB free")
    elif torch.version.cuda and shutil.which("nvidia-smi"):
        yield Check(
            "gpu",
            "warning",
            f"nvidia-smi is there, but torch (CUDA {torch.version.cuda}) sees no GPU",
            "compare the driver's CUDA version in nvidia-smi with torch's",
        )
    else:
        yield Check("gpu", "ok", "none: training runs on the CPU")


def _memory() -> Iterator[Check]:
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    low = free < 2
    yield Check(
        "memory",
        "warning" if low else "ok",
        f"{free:.1f} of {total:.1f} GiB free; {os.cpu_count()} processors",
        "AlexNet at 224 with batch 256 needs more than 2 GiB" if low else "",
    )


def _folders(folders: dict[str, Path]) -> Iterator[Check]:
    for name, folder in folders.items():
        existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
        if not os.access(existing, os.W_OK):
            remedy = f"make it writable or choose another: CNN_TUI_{name.upper()}"
            yield Check(f"{name} folder", "failure", f"{folder} is not writable", remedy)
            continue
        free = shutil.disk_usage(existing).free / 2**30
        yield Check(
            f"{name} folder",
            "warning" if free < 5 else "ok",
            f"{folder}{'' if folder.exists() else ' (made when needed)'}, {free:.1f} GiB free",
            "a cache of 10,000 images of 224 pixels takes 1.5 GB" if free < 5 else "",
        )


def _datasets(data_dir: Path) -> Iterator[Check]:
    from cnn_core.datasets.catalog import DATASETS, state_of

    found = []
    for name in DATASETS.names():
        if name == "folder":  # any images, anywhere
            continue
        state, why = state_of(name, data_dir)
        if state == "here":
            found.append(name)
        elif state == "unusable":
            yield Check(name, "warning", why, "mend it, or remove it and get it again")
    yield Check("data sets", "ok", ", ".join(found), "cnn-tui datasets tells how to get others")


def _terminal() -> Iterator[Check]:
    if not sys.stdout.isatty():
        yield Check("terminal", "ok", "output is piped")
        return
    size = shutil.get_terminal_size()
    colours = "24-bit" if os.environ.get("COLORTERM") in ("truecolor", "24bit") else "256 or fewer"
    small = size.columns < 80 or size.lines < 24
    kind = os.environ.get("TERM", "?")
    over = "over SSH" if "SSH_CONNECTION" in os.environ else "local"
    inside = " in tmux" if "TMUX" in os.environ else ""
    yield Check(
        "terminal",
        "warning" if small else "ok",
        f"{kind} {size.columns}x{size.lines}, {colours} colours, {over}{inside}",
        "make it 80x24 or larger" if small else "",
    )
