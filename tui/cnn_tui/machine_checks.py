"""What doctor looks at but for the terminal: Python, torch, GPUs, memory, disks, data, extras."""

import dataclasses
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from cnn_core.errors import UserError
from cnn_core.extras import EXTRAS

State = Literal["ok", "warning", "failure"]

_ANEW = "install both anew, in one command: pip install --force-reinstall torch torchvision"


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``remedy`` says what to do unless all is well."""

    name: str
    state: State
    finding: str
    remedy: str = ""


def check_python() -> Iterator[Check]:
    """Check that this Python is one that is tested."""
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check(
        "python",
        "ok" if supported else "warning",
        platform.python_version(),
        "" if supported else "Python 3.11 to 3.13 are tested",
    )


def check_torch() -> Iterator[Check]:
    """Check that torch and torchvision belong together, and what they compute on."""
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
        if "nms does not exist" in str(error):
            finding = f"{pair}: torchvision was built for another torch"
        else:
            finding = f"{pair}: {str(error).splitlines()[0]}"
        yield Check("torch", "failure", finding, _ANEW)
        return
    threads = torch.get_num_threads()
    told = f"{pair}; {threads} {'thread' if threads == 1 else 'threads'}"
    if odd := _odd_pair(versions["torch"], versions["torchvision"]):
        yield Check("torch", "warning", f"{told}; {odd}", _ANEW)
    else:
        yield Check("torch", "ok", told)
    yield from _gpus()


def _odd_pair(torch: str, torchvision: str) -> str | None:
    """Return what is odd about two versions; None where they belong together.

    torch 2.N is released with torchvision 0.(N + 15); a suffix such as +cu128 names what they were
    built for.
    """
    (release, _, built), (other, _, other_built) = torch.partition("+"), torchvision.partition("+")
    minor, other_minor = (version.split(".")[1] for version in (release, other))
    if minor.isdecimal() and other_minor.isdecimal() and int(other_minor) != int(minor) + 15:
        return f"torch {release} belongs with torchvision 0.{int(minor) + 15}"
    if built and other_built and built != other_built:
        return f"one was built for {built}, the other for {other_built}"
    return None


def _gpus() -> Iterator[Check]:
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = (size / 2**30 for size in torch.cuda.mem_get_info(index))
            found = f"{torch.cuda.get_device_name(index)}, {free:.1f} of {total:.1f} GiB free"
            if runs_on(torch.cuda.get_device_capability(index), torch.cuda.get_arch_list()):
                yield Check(f"cuda:{index}", "ok", f"{found}, CUDA {torch.version.cuda}")
            else:
                wrong = f"torch for CUDA {torch.version.cuda} has no code for this GPU"
                remedy = "install the torch that pytorch.org names for this GPU"
                yield Check(f"cuda:{index}", "failure", f"{found}; {wrong}", remedy)
    elif not shutil.which("nvidia-smi"):
        yield Check("gpu", "ok", "none: training runs on the CPU")
    elif torch.version.cuda:
        yield Check(
            "gpu",
            "warning",
            f"nvidia-smi is there, but torch (CUDA {torch.version.cuda}) sees no GPU",
            "compare the driver's CUDA version in nvidia-smi with torch's; "
            "CUDA_VISIBLE_DEVICES may hide it",
        )
    else:
        yield Check(
            "gpu",
            "warning",
            "nvidia-smi is there, but this torch was built for CPUs",
            "install the torch that pytorch.org names for CUDA",
        )


def runs_on(capability: tuple[int, int], architectures: Sequence[str]) -> bool:
    """Return whether code for these architectures (sm_80, compute_90) runs on a GPU.

    Binary code runs on GPUs of the same major number that are no older; PTX (compute_) on all that
    are no older.
    """
    for kind, _, number in (name.partition("_") for name in architectures):
        digits = number.rstrip("af")  # sm_90a
        if digits.isdecimal():
            built = divmod(int(digits), 10)
            same = built[0] == capability[0] or kind == "compute"
            if same and built <= capability:
                return True
    return False


def check_memory() -> Iterator[Check]:
    """Check the memory that is free."""
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


def check_folders(folders: dict[str, Path]) -> Iterator[Check]:
    """Check that folders can be written, and how much their disks hold."""
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


def check_datasets(data_dir: Path) -> Iterator[Check]:
    """Check which data sets are here, and that they are whole."""
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


def check_extras() -> Iterator[Check]:
    """Tell which optional parts are installed."""
    missing = [
        extra
        for extra, modules in EXTRAS.items()
        if any(importlib.util.find_spec(module) is None for module in modules)
    ]
    here = [extra for extra in EXTRAS if extra not in missing]
    found = ", ".join(here) or "none"
    if missing:
        remedy = f"for the others: pip install 'cnn-tui[{','.join(missing)}]'"
        yield Check("extras", "ok", f"{found}; not {', '.join(missing)}", remedy)
    else:
        yield Check("extras", "ok", found)


def check_settings() -> Iterator[Check]:
    """Check the user's settings, and tell who is notified when a training ends."""
    from cnn_tui.notify import host_of
    from cnn_tui.settings import read_config, settings_dir

    try:
        how = read_config(settings_dir()).notify
    except UserError as error:
        yield Check("settings", "failure", str(error), "mend the line")
        return
    ways = ["the bell"] if how.bell else []
    ways += ["a command"] if how.command else []  # what it is may hold a password
    ways += [f"a webhook of {host_of(how.webhook)}"] if how.webhook else []
    when = f" when a training is {', '.join(how.on)}" if ways else ""
    yield Check("notify", "ok", f"{' and '.join(ways) or 'nobody'}{when}")
