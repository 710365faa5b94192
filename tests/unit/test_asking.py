"""Slow questions, answered in a thread."""

import asyncio
import threading
from collections.abc import Generator

import pytest

from cnn_core.errors import UserError
from cnn_core.progress import Progress, Remark
from cnn_tui.asking import AbandonedError, Asker, Work


class Told:
    """What was said to the page, and by which thread."""

    def __init__(self) -> None:
        self.progress: list[Progress | None] = []
        self.remarks: list[Remark] = []
        self.asker = Asker(self.progress.append, self.remarks.append)


def work(answer: object, *words: Progress | Remark) -> Work[object]:
    yield from words
    return answer


async def test_answers_come_from_another_thread_and_are_kept() -> None:
    told = Told()
    threads = []

    def make() -> Work[str]:
        threads.append(threading.current_thread())
        yield Remark("costly", warning=True)
        return "answer"

    for _ in range(2):
        assert await told.asker.ask(("key", 1), make) == "answer"
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
    assert told.remarks == [Remark("costly", warning=True)]
    assert told.progress[-1] is None
    told.asker.forget("key")
    assert await told.asker.ask(("key", 1), lambda: work("other")) == "other"


async def test_one_at_a_time() -> None:
    told, running, most = Told(), 0, 0

    def make() -> Generator[Progress, None, int]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(100):
            yield Progress("x", 0, 1)
        running -= 1
        return most

    await asyncio.gather(*(told.asker.ask((str(i),), make) for i in range(5)))
    assert most == 1


async def test_what_is_not_wanted_any_more_ends() -> None:
    told, closed = Told(), threading.Event()

    def endless() -> Generator[Progress, None, int]:
        try:
            while True:
                yield Progress("endless", 1, 2)
        finally:
            closed.set()

    asked = asyncio.create_task(told.asker.ask(("endless",), endless))
    while Progress("endless", 1, 2) not in told.progress:
        await asyncio.sleep(0.01)
    told.asker.abandon("endless")
    assert not closed.is_set()
    told.asker.abandon("another")
    with pytest.raises(AbandonedError):
        await asked
    assert closed.is_set()


async def test_a_failure_is_told_and_not_kept() -> None:
    told = Told()

    def fail() -> Work[str]:
        yield from ()
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        await told.asker.ask(("key",), fail)
    assert await told.asker.ask(("key",), lambda: work("yes")) == "yes"
