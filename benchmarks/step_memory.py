"""Reckoned against measured memory of training steps: ``python benchmarks/step_memory.py``.

Each row is a process of its own. It takes three steps: a first one, in which the optimizer makes
its state; one for the peak of all tensors (torch.profiler's memory events; on a GPU
``max_memory_allocated``), and on a CPU one for that of the process (its high-water mark of resident
memory minus what it held before), which has the workspaces of kernels and gaps between tensors
too. Figures are MB of 1024x1024 bytes, without parameters and the optimizer's state, which the
steps find in place.
"""

import argparse
import ctypes
import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from cnn_core.backbones.network import build_network
from cnn_core.config import Model, Optim
from cnn_core.freezing import apply_freezing, train_mode
from cnn_core.step_memory import step_memory
from cnn_core.training.device import resolve_device
from cnn_core.training.loss import logits_and_loss
from cnn_core.training.optimizer import build_optimizer

CASES = (
    ("alexnet", 224, 32),
    ("vgg16", 224, 8),
    ("resnet18", 224, 16),
    ("mobilenet_v2", 224, 16),
    ("convnext_tiny", 224, 8),
    ("vit_b_16", 224, 4),
    ("cnn", 32, 256),
    ("convnet", 32, 256),
    ("strided_cnn", 32, 256),
    ("small_vgg", 32, 256),
    ("mlp", 32, 256),
)
OPTIMIZERS = ("sgd", "adamw")
CLASSES = 100


def main() -> None:
    """Print a row for each network, freezing policy and optimizer."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", nargs="*", metavar="BACKBONE")
    parser.add_argument("--row", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row is not None:
        backbone, size, count, policy, optimizer = options.row
        print_row(backbone, int(size), int(count), policy, optimizer, options.device)
        return
    print(
        f"{'backbone':<14} {'batch':>9} {'frozen':<9} {'optim':<6} {'reckoned':>9} {'tensors':>9} "
        f"{'ratio':>6} {'process':>9} {'ratio':>6}",
        flush=True,
    )
    for backbone, size, count in CASES:
        if options.only and backbone not in options.only:
            continue
        for policy in ("none", "backbone"):
            for optimizer in OPTIMIZERS:
                row = [backbone, str(size), str(count), policy, optimizer]
                command = [sys.executable, __file__, "--device", options.device, "--row", *row]
                subprocess.run(command, check=True)


def print_row(
    backbone: str, size: int, count: int, policy: str, optimizer: str, where: str
) -> None:
    """Reckon and measure one case."""
    device = resolve_device(where)
    optim = Optim(name=optimizer)  # type: ignore[arg-type]
    network = build_network(Model(backbone=backbone), classes=CLASSES, image_size=size, seed=0)
    apply_freezing(network, policy)
    reckoned = step_memory(network, image_size=size, batch_size=count, optim=optim)
    moving = reckoned.peak_bytes - reckoned.parameters_bytes - reckoned.optimizer_bytes

    train_mode(network)
    network.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stepper = build_optimizer(optim, network.module.parameters())
    labels = torch.zeros(count, dtype=torch.int64, device=device)

    def step() -> None:
        pixels_NHWC = torch.zeros(count, size, size, 3, dtype=torch.uint8, device=device)
        output = network.module(pixels_NHWC.permute(0, 3, 1, 2).float())
        logits_and_loss(network, output, labels)[1].backward()  # type: ignore[no-untyped-call]
        stepper.step()
        stepper.zero_grad(set_to_none=True)

    step()
    gc.collect()
    cuda = device.type == "cuda"
    tensors = cuda_peak(step, device) if cuda else profiled_peak(step)
    process = None if cuda else resident_peak(step)
    line = (
        f"{backbone:<14} {f'{count}x{size}':>9} {policy:<9} {optimizer:<6} {moving / 2**20:>9.1f} "
        f"{tensors / 2**20:>9.1f} {tensors / moving:>6.2f}"
    )
    if process is not None:
        line += f" {process / 2**20:>9.1f} {process / moving:>6.2f}"
    print(line, flush=True)


def cuda_peak(step: Callable[[], None], device: torch.device) -> int:
    """Return the most bytes of the GPU's allocator in use during a step beside those before it."""
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def profiled_peak(step: Callable[[], None]) -> int:
    """Return the most bytes of the host's allocator in use during a step beside those before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step()
    held = peak = 0
    assert recorded.profiler is not None
    for event in recorded.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def resident_peak(step: Callable[[], None]) -> int:
    """Return by how much the resident memory grows in a step (Linux)."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # or the step would fill what was freed before
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    step()
    return status("VmHWM") - before


def status(key: str) -> int:
    """Return bytes of a line of the process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


if __name__ == "__main__":
    main()
