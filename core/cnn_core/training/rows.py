"""Rows of a large array on their way to the device, one batch ahead of the arithmetic."""

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# Share of the free memory of a GPU that one array may take for good.
DEVICE_SHARE = 0.5
# A batch below this size is gathered faster than it is handed to another thread.
_AHEAD_BYTES = 1 << 20
_COPIED_AT_ONCE = 1 << 27


class Rows:
    """An array (N, ...) of which batches of rows are wanted on a device, in any order.

    On a GPU it is copied there whole where it fits in ``DEVICE_SHARE`` of the free memory. If
    not, batches are gathered into pinned memory and copied while the one before is worked on. On
    a CPU large batches are gathered meanwhile too, as the array may be mapped from a slow disk.
    """

    def __init__(self, array: npt.NDArray[Any], device: torch.device) -> None:
        self._array, self._device = array, device
        self._resident: Tensor | None = None
        self._copies: Any = None
        if device.type == "cuda":
            if fits_on(device, array.nbytes):
                self._resident = _copied(array, device)
            else:
                self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @property
    def resident(self) -> bool:
        """Whether all of the array is in the device's own memory."""
        return self._resident is not None

    def take(self, indices: Tensor) -> Tensor:
        """Return the rows (B, ...) at (B,) int64 indices of the CPU, on the device."""
        if self._resident is not None:
            return self._resident.index_select(0, indices.to(self._device, non_blocking=True))
        return self._arrived(*self._send(indices))

    def stream(self, parts: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        """Yield the rows of each part, the next one being fetched meanwhile."""
        row_bytes = self._array[:1].nbytes
        waiting: Future[tuple[Tensor, Any]] | None = None
        pool = ThreadPoolExecutor(1, thread_name_prefix="rows")  # starts its thread when needed
        try:
            for indices in parts:
                if self.resident or len(indices) * row_bytes < _AHEAD_BYTES:
                    if waiting is not None:
                        yield self._arrived(*waiting.result())
                        waiting = None
                    yield self.take(indices)
                    continue
                fetched, waiting = waiting, pool.submit(self._send, indices)
                if fetched is not None:
                    yield self._arrived(*fetched.result())
            if waiting is not None:
                yield self._arrived(*waiting.result())
        finally:
            pool.shutdown(cancel_futures=True)

    def _send(self, indices: Tensor) -> tuple[Tensor, Any]:
        """Gather rows and start their way to the device; return them and what tells the end."""
        if self._copies is None:
            return torch.from_numpy(np.take(self._array, indices.numpy(), axis=0)), None
        shape = (len(indices), *self._array.shape[1:])
        pinned = torch.empty(shape, dtype=_dtype(self._array), pin_memory=True)
        # Into the pinned memory itself; only with "clip" does numpy not go by a buffer.
        np.take(self._array, indices.numpy(), axis=0, out=pinned.numpy(), mode="clip")
        with torch.cuda.stream(self._copies):
            rows = pinned.to(self._device, non_blocking=True)
            return rows, self._copies.record_event()

    def _arrived(self, rows: Tensor, copied: Any) -> Tensor:
        """Let the work that follows wait for the copy, on the device itself."""
        if copied is not None:
            present = torch.cuda.current_stream(self._device)
            present.wait_event(copied)
            rows.record_stream(present)  # or its memory would be given to the next copy
        return rows


def fits_on(device: torch.device, size: int) -> bool:
    """Return whether an array of ``size`` bytes may stay on the device for good."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return size < DEVICE_SHARE * free


def _copied(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Return the array on the device, copied in pieces: it may be mapped from a larger file."""
    resident = torch.empty(array.shape, dtype=_dtype(array), device=device)
    step = max(1, _COPIED_AT_ONCE // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        resident[start : start + step] = torch.from_numpy(np.array(array[start : start + step]))
    return resident


def _dtype(array: npt.NDArray[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, array.dtype)).dtype
