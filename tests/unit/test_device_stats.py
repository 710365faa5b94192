"""The load of a device, with a driver and without one."""

from types import SimpleNamespace
from typing import Any

import psutil
import pynvml
import pytest

from cnn_tui.device_stats import DeviceStats


class Driver:
    """Stands in for the driver: two devices, known by number and by identifier."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails: pynvml.NVMLError | None = None
        self.no_load = False
        monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", self.by_index)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda name: ("uuid", name))
        monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: f"GPU {handle[1]}")
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", self.memory)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", self.load)

    def by_index(self, index: int) -> Any:
        if index > 1:
            raise pynvml.NVMLError_InvalidArgument
        return "index", index

    def memory(self, handle: Any) -> Any:
        if self.fails:
            raise self.fails
        return SimpleNamespace(used=3 << 30, total=80 << 30)

    def load(self, handle: Any) -> Any:
        if self.no_load:
            raise pynvml.NVMLError_NotSupported
        return SimpleNamespace(gpu=75, memory=10)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return Driver(monkeypatch)


def test_the_cpu_and_its_memory() -> None:
    load = DeviceStats("cpu").sample()
    assert load.name.startswith("CPU, ")
    assert load.busy is not None
    assert 0 <= load.busy <= 1
    assert 0 < load.memory_used < load.memory_total == psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("device", "visible", "name"),
    [
        ("cuda", None, "GPU 0"),
        ("cuda:1", None, "GPU 1"),
        ("cuda:0", "1", "GPU 1"),
        ("cuda:1", "1, 0", "GPU 0"),
        ("cuda:1", "0,GPU-5ab", "GPU GPU-5ab"),
        ("cuda:0", "MIG-77", "GPU MIG-77"),
    ],
)
def test_the_device_that_torch_means(
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    visible: str | None,
    name: str,
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    load = DeviceStats(device).sample()
    assert (load.name, load.busy) == (name, 0.75)
    assert (load.memory_used, load.memory_total) == (3 << 30, 80 << 30)


def test_a_part_of_a_device_has_no_load(driver: Driver) -> None:
    driver.no_load = True
    assert DeviceStats("cuda").sample().busy is None


def test_a_driver_that_goes_away_leaves_the_cpu(driver: Driver) -> None:
    stats = DeviceStats("cuda")
    driver.fails = pynvml.NVMLError_GpuIsLost()
    assert stats.sample().name.startswith("CPU, ")
    driver.fails = None
    assert stats.sample().name.startswith("CPU, ")


@pytest.mark.parametrize("device", ["cuda:7", "cuda"])
def test_without_a_driver_it_tells_of_the_cpu(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    def missing() -> None:
        raise pynvml.NVMLError_LibraryNotFound

    if device == "cuda":
        monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert DeviceStats(device).sample().name.startswith("CPU, ")
