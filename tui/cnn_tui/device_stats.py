"""How busy the device of a training is, cheaply enough to ask once a second."""

import os
from dataclasses import dataclass
from typing import Any

import psutil
import pynvml


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    """Load of a device: ``busy`` is a fraction in 0..1 or unknown, memory is in bytes."""

    name: str
    busy: float | None
    memory_used: int
    memory_total: int


class DeviceStats:
    """Load of ``cpu``, ``cuda`` or ``cuda:N``, as torch counts them.

    Where there is no driver to ask, it tells of the CPU.
    """

    def __init__(self, device: str) -> None:
        self._gpu = _gpu(device)
        psutil.cpu_percent()  # the next call tells the load since this one

    def sample(self) -> DeviceLoad:
        """Return the load since the last sample."""
        if self._gpu is not None:
            try:
                return _gpu_load(self._gpu)
            except pynvml.NVMLError:
                self._gpu = None  # the driver went away
        memory = psutil.virtual_memory()
        return DeviceLoad(
            name=f"CPU, {psutil.cpu_count() or 1} threads",
            busy=psutil.cpu_percent() / 100,
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
        )


def _gpu(device: str) -> Any:
    """Return the driver's handle of a device of torch; None for the CPU or without a driver."""
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return None
    index = int(number or 0)
    # torch counts the devices that this variable lets through, by number or by identifier.
    visible = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    name = visible[index] if index < len(visible) and visible[index] else str(index)
    try:
        pynvml.nvmlInit()
        if name.isdecimal():
            return pynvml.nvmlDeviceGetHandleByIndex(int(name))
        return pynvml.nvmlDeviceGetHandleByUUID(name)
    except pynvml.NVMLError:
        return None


def _gpu_load(gpu: Any) -> DeviceLoad:
    memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
    try:
        busy = pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100
    except pynvml.NVMLError_NotSupported:  # a part of a device (MIG) has none
        busy = None
    return DeviceLoad(pynvml.nvmlDeviceGetName(gpu), busy, int(memory.used), int(memory.total))
