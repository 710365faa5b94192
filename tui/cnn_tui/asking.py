"""Slow questions of a page: answered in a thread, one at a time, and kept."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, cast

from cnn_core.progress import Progress, Remark, Work

T = TypeVar("T")
Key = tuple[Hashable, ...]

_TELL_S = 0.2
_KEPT = 48


class AbandonedError(Exception):
    """Nobody wants the answer any more."""


class Asker:
    """``told`` hears what the work under way says, and None at its end; ``remarked`` its remarks.

    Both are called on the event loop. Work ends early at its next word about its progress.
    """

    def __init__(
        self, told: Callable[[Progress | None], None], remarked: Callable[[Remark], None]
    ) -> None:
        self._told, self._remarked = told, remarked
        self._kept: dict[Key, object] = {}
        self._lock = asyncio.Lock()
        self._job: _Job[Any] | None = None

    async def ask(self, key: Key, make: Callable[[], Work[T]]) -> T:
        """Return what the work that ``make`` begins gives, or what it gave under this key before.

        Raises AbandonedError after ``abandon``, and what the work raises.
        """
        async with self._lock:
            if key in self._kept:
                answer = cast("T", self._kept.pop(key))
            else:
                answer = await self._work(_Job(key, make))
            self._kept[key] = answer  # the latest at the end
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
            return answer

    def abandon(self, *but: str) -> None:
        """End the work under way, unless its key begins with one of these words."""
        if self._job is not None and self._job.key[0] not in but:
            self._job.abandoned.set()

    def forget(self, *words: str) -> None:
        """Drop answers whose keys begin with one of these words, such as large ones."""
        for key in [key for key in self._kept if key[0] in words]:
            del self._kept[key]

    async def _work(self, job: "_Job[T]") -> T:
        self._job = job
        answer = asyncio.create_task(asyncio.to_thread(job.run))
        # An answer that nobody waits for, as the page has gone, may have failed.
        answer.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            while not (await asyncio.wait({answer}, timeout=_TELL_S))[0]:
                self._told(job.progress or Progress("loading", 0, 0))
        finally:
            job.abandoned.set()
            self._job = None
        self._told(None)
        for remark in job.remarks:
            self._remarked(remark)
        return answer.result()


class _Job(Generic[T]):
    """Work in a thread, and what it says meanwhile."""

    def __init__(self, key: Key, make: Callable[[], Work[T]]) -> None:
        self.key, self._make = key, make
        self.abandoned = threading.Event()
        self.progress: Progress | None = None
        self.remarks: list[Remark] = []

    def run(self) -> T:
        work = self._make()
        try:
            while not self.abandoned.is_set():
                match next(work):
                    case Progress() as progress:
                        self.progress = progress
                    case remark:
                        self.remarks.append(remark)
        except StopIteration as end:
            return cast("T", end.value)
        finally:
            work.close()
        raise AbandonedError
