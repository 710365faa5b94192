"""What the handlers of signals may set."""

import time

_STEP_S = 0.05


class Flag:
    """What handlers set, like a threading.Event but without its lock.

    A handler runs between any two instructions of the main thread, another handler's included: who
    holds a lock there would wait for it forever.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Set it."""
        self._is_set = True

    def clear(self) -> None:
        """Take it back."""
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def wait(self, timeout_s: float) -> bool:
        """Return whether it is set, once it is, after ``timeout_s`` at the latest."""
        until = time.monotonic() + timeout_s
        while not self._is_set and (left_s := until - time.monotonic()) > 0:
            time.sleep(min(left_s, _STEP_S))
        return self._is_set
