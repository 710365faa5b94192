"""Stub."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    name: str
    busy: float | None
    memory_used: int
    memory_total: int


class DeviceStats:
    def __init__(self, device: str) -> None:  # noqa: ARG002
        import psutil

        self._psutil = psutil

    def sample(self) -> DeviceLoad:
        m = self._psutil.virtual_memory()
        return DeviceLoad("CPU", self._psutil.cpu_percent() / 100, m.used, m.total)
