"""Work beside the interface, in its event loop."""

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode
from textual.worker import WorkType

Work = Callable[[], Coroutine[Any, Any, object]]


def run_beside(
    node: DOMNode, work: Work, *, group: str = "default", exit_on_error: bool = False
) -> None:
    """Have a worker of the node call the function and await what it returns.

    A coroutine made before would never be awaited where the app ends before the worker begins.
    """
    node.run_worker(cast(WorkType[object], work), group=group, exit_on_error=exit_on_error)
