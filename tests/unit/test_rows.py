"""Rows of an array on their way to the device: the right ones, in order, whichever way."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_core.training import rows
from cnn_core.training.rows import Rows

ARRAY = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), np.uint8)
PARTS = [torch.tensor(part) for part in ([3, 1, 2], [0], list(range(50)), [7, 7], [49, 0, 20])]
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("rows")]


@pytest.mark.parametrize("ahead_bytes", [0, 4 * ARRAY[:1].nbytes, 1 << 30])
@pytest.mark.parametrize("mapped", [False, True])
def test_parts_come_in_their_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ahead_bytes: int, mapped: bool
) -> None:
    monkeypatch.setattr(rows, "_AHEAD_BYTES", ahead_bytes)
    np.save(tmp_path / "array.npy", ARRAY)
    array = np.load(tmp_path / "array.npy", mmap_mode="r") if mapped else ARRAY
    some = Rows(array, torch.device("cpu"))
    streamed = list(some.stream(PARTS))
    assert len(streamed) == len(PARTS)
    for part, found in zip(PARTS, streamed, strict=True):
        assert np.array_equal(found, ARRAY[part.numpy()])
        assert np.array_equal(some.take(part), ARRAY[part.numpy()])
    assert not threads()


def test_one_part_is_fetched_ahead_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_AHEAD_BYTES", 0)
    asked = []

    def parts():
        for part in PARTS:
            asked.append(part)
            yield part

    stream = Rows(ARRAY, torch.device("cpu")).stream(parts())
    next(stream)
    assert len(asked) == 2
    next(stream)
    assert len(asked) == 3
    stream.close()
    assert not threads()


def test_what_fails_in_the_thread_is_raised_where_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "_AHEAD_BYTES", 0)
    stream = Rows(ARRAY, torch.device("cpu")).stream([PARTS[0], torch.tensor([50])])
    next(stream)
    with pytest.raises(IndexError):
        next(stream)
    assert not threads()


@gpu
@pytest.mark.parametrize("share", [0.5, 0.0])
def test_a_gpu_gets_the_same_rows(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    monkeypatch.setattr(rows, "_AHEAD_BYTES", 0)
    monkeypatch.setattr(rows, "DEVICE_SHARE", share)
    some = Rows(ARRAY, torch.device("cuda"))
    assert some.resident == (share > 0)
    for part, found in zip(PARTS, some.stream(PARTS), strict=True):
        assert found.device.type == "cuda"
        assert np.array_equal(found.cpu(), ARRAY[part.numpy()])
        assert np.array_equal(some.take(part).cpu(), ARRAY[part.numpy()])
