"""Stub until merged."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    name: str
    busy: float | None
    memory_used: int
    memory_total: int


class DeviceStats:
    def __init__(self, device: str) -> None: ...

    def sample(self) -> DeviceLoad:
        memory = psutil.virtual_memory()
        return DeviceLoad("CPU", None, memory.total - memory.available, memory.total)
