"""Output that is read late, or never: what is dropped, what is not, and who is told."""

import os
import pty
import select
import threading
import tty
from collections.abc import Callable, Iterator

import pytest

from cnn_tui.outlet import Outlet

FRAME = b"x" * 50_000
SETTING = b"\x1b[?25l"
WAIT_S = 60


class Link:
    """A pipe or a terminal, with an outlet at its end."""

    def __init__(self, make: Callable[[], tuple[int, int]] = os.pipe) -> None:
        self.reading, self.writing = make()
        self.caught_up, self.lost = threading.Event(), threading.Event()
        self.outlet = Outlet(self.writing, caught_up=self.caught_up.set, lost=self.lost.set)
        self.outlet.start()

    def read_until(self, done: Callable[[bytes], bool]) -> bytes:
        """Read on until what came is enough."""
        data = b""
        while not done(data):
            if select.select([self.reading], [], [], 0.02)[0]:
                data += os.read(self.reading, 65536)
        return data

    def read_rest(self) -> bytes:
        """Read all that comes until the outlet has ended."""
        os.close(self.writing)
        data = b""
        while piece := os.read(self.reading, 65536):
            data += piece
        return data


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link()
    yield made
    made.outlet.close(0)
    os.close(made.reading)


def test_what_is_read_comes_whole_and_in_order(link):
    for number in range(20):
        frame = f"frame {number};".encode() * 1000 + b"\n"
        link.outlet.put(frame, frame=True)
        assert link.read_until(lambda data: data.endswith(b"\n")) == frame
    link.outlet.put(SETTING, frame=False)
    link.outlet.close(WAIT_S)
    assert link.read_rest() == SETTING
    assert not link.caught_up.is_set()


def test_a_stalled_link_drops_frames_and_keeps_settings(link):
    for _ in range(100):
        link.outlet.put(FRAME, frame=True)
        link.outlet.put(SETTING, frame=False)
    assert not link.caught_up.is_set()
    data = link.read_until(lambda _: link.caught_up.is_set())
    link.caught_up.clear()
    link.outlet.put(b"whole", frame=True)
    data += link.read_until(lambda data: data.endswith(b"whole"))
    # The pipe holds 64 KB and the backlog a little more, in whole frames.
    frames, torn = divmod(data.count(b"x"), len(FRAME))
    assert frames in (2, 3, 4)
    assert not torn
    assert data.count(SETTING) == 100
    assert not link.caught_up.is_set()


def test_a_frame_larger_than_the_backlog_passes(link):
    frame = FRAME * 10
    link.outlet.put(frame, frame=True)
    assert link.read_until(lambda data: len(data) >= len(frame)) == frame


def test_a_link_without_a_reader_is_lost():
    link = Link()
    os.close(link.reading)
    link.outlet.put(FRAME, frame=True)
    assert link.lost.wait(WAIT_S)
    link.outlet.join(WAIT_S)
    link.outlet.put(SETTING, frame=False)
    link.outlet.close(WAIT_S)
    os.close(link.writing)


def test_the_end_does_not_wait_for_a_stalled_reader(link):
    for _ in range(5):
        link.outlet.put(FRAME, frame=True)
    link.outlet.close(0.1)
    assert not link.lost.is_set()
    link.outlet.join(WAIT_S)
    assert not link.outlet.is_alive()


def test_a_stalled_terminal_is_given_back_in_the_middle_of_a_frame():
    link = Link(pty.openpty)
    tty.setraw(link.writing)
    link.outlet.put(b"\x1b[?2026h" + 10 * FRAME, frame=True)
    link.outlet.put(SETTING, frame=False)
    link.read_until(lambda data: len(data) > 10)
    link.outlet.close(0.1)
    link.outlet.join(WAIT_S)
    # An escape sequence may be cut off, and an update is: both end before the settings.
    link.read_until(lambda data: data.endswith(b"\x18\x1b[?2026l" + SETTING))
    assert not link.caught_up.is_set()
    os.close(link.writing)
    os.close(link.reading)
