"""The processes that train one run together: what they tell each other.

Of N processes each has a rank from 0 to N - 1; that of rank 0, the first one, alone writes the run.
All of them run the same code in step, so what is agreed here must be asked for by all.
"""

import contextlib
import datetime
import json
import socket
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist

from cnn_core.errors import CnnTuiError, printable
from cnn_core.progress import Progress

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

# Between two steps a process may write a large checkpoint, or compile: others wait so long for it.
TIMEOUT = datetime.timedelta(minutes=30)
_POLL_S = 0.1
_TELL_S = 1.0
_FAILURE = "failure"

Value = TypeVar("Value")


class PeersLostError(CnnTuiError):
    """Another process of the training is gone without a word: killed, or its machine is."""


class PeerFailedError(CnnTuiError):
    """Another process of the training failed, and said why; ``mistake``: the user can mend it."""

    def __init__(self, text: str, mistake: bool) -> None:
        super().__init__(text)
        self.mistake = mistake


class Ranks:
    """One process alone: it agrees with itself, at no cost."""

    alone = True
    rank = 0
    size = 1
    local_rank = 0
    local_size = 1
    reducing = True
    """Whether the gradients of the next backward pass complete a step, and are to be added up."""

    @property
    def first(self) -> bool:
        """Whether this process writes the run, and tells of it."""
        return self.rank == 0

    @property
    def first_here(self) -> bool:
        """Whether this process is the first one on its machine."""
        return self.local_rank == 0

    def rows(self, count: int) -> slice:
        """Return which of ``count`` things are this process's: as many as others have, or one more.

        Together those of all processes are all, each once, in the order of the ranks.
        """
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def meeting(self) -> Generator[Progress, None, None]:
        """Wait until all processes have come here, however long that takes."""
        yield from ()

    def sums(self, rows: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        """Return the rows of numbers with those of all processes added up, in double precision."""
        return rows

    def largest(self, values: list[float]) -> list[float]:
        """Return the largest of each value over all processes."""
        return values

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        return bool(self.largest([float(flag)])[0])

    def every(self, flag: bool) -> bool:
        """Return whether the flag is set in all processes."""
        return not self.any(not flag)

    def from_first(self, value: Value) -> Value:
        """Return the value that the first process has."""
        return value

    def gathered(self, value: Value) -> list[Value] | None:
        """Return the values of all processes, in the order of their ranks, to the first one."""
        return [value]

    def add_up(self, tensor: torch.Tensor) -> None:
        """Add the tensors of all processes up, in place."""

    def announce(self, error: str, *, mistake: bool) -> None:
        """Tell the other processes why this one ends."""

    @contextlib.contextmanager
    def hearing(self) -> Iterator[None]:
        """Raise what happened to another process in place of the torn line to it, inside."""
        yield


ALONE = Ranks()


class Group(Ranks):
    """One of several processes, over gloo; gradients of GPUs go over NCCL.

    ``store`` is shared by the processes of this sitting. Every agreement raises RuntimeError
    where the line to another process is torn; inside ``hearing`` that becomes PeerFailedError or
    PeersLostError.
    """

    alone = False

    def __init__(
        self, store: "Store", *, rank: int, size: int, local_rank: int, local_size: int
    ) -> None:
        self.rank, self.size = rank, size
        self.local_rank, self.local_size = local_rank, local_size
        self.reducing = True
        self._store = store
        self._meetings = 0

    def meeting(self) -> Generator[Progress, None, None]:
        """Wait until all processes have come here; raise PeerFailedError where one never will.

        No collective, whose patience has an end: another process may prepare its data for hours.
        """
        self._meetings += 1
        key = f"meeting-{self._meetings}"
        arrived, told = self._store.add(key, 1), time.monotonic() + _TELL_S
        while arrived < self.size:
            if (failure := self._failure()) is not None:
                raise failure
            if time.monotonic() >= told:
                told = time.monotonic() + _TELL_S
                yield Progress("waiting for the other processes", arrived, self.size)
            time.sleep(_POLL_S)
            arrived = self._store.add(key, 0)

    def sums(self, rows: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        """Return the rows of numbers with those of all processes added up, in double precision."""
        table = torch.tensor(rows, dtype=torch.float64)
        dist.all_reduce(table)
        return [tuple(row) for row in table.tolist()]

    def largest(self, values: list[float]) -> list[float]:
        """Return the largest of each value over all processes."""
        vector = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(vector, dist.ReduceOp.MAX)
        largest: list[float] = vector.tolist()
        return largest

    def from_first(self, value: Value) -> Value:
        """Return the value that the first process has."""
        held: list[Any] = [value if self.first else None]
        dist.broadcast_object_list(held, src=0, device=torch.device("cpu"))
        received: Value = held[0]
        return received

    def gathered(self, value: Value) -> list[Value] | None:
        """Return the values of all processes, in the order of their ranks, to the first one."""
        values: list[Any] | None = [None] * self.size if self.first else None
        dist.gather_object(value, values, dst=0)
        return values

    def add_up(self, tensor: torch.Tensor) -> None:
        """Add the tensors of all processes up, in place; they are contiguous."""
        dist.all_reduce(tensor)

    def announce(self, error: str, *, mistake: bool) -> None:
        """Tell the other processes why this one ends; the first one to say so is heard."""
        who = f"process {self.rank} of {self.size} on {printable(socket.gethostname())}"
        told = json.dumps({"text": f"{who}: {error}", "mistake": mistake})
        with contextlib.suppress(RuntimeError):  # the launcher may be gone, and who listens too
            self._store.compare_set(_FAILURE, "", told)

    @contextlib.contextmanager
    def hearing(self) -> Iterator[None]:
        """Raise PeerFailedError or PeersLostError in place of the torn line to another process."""
        try:
            yield
        except RuntimeError as error:
            if not _is_torn_line(error):
                raise
            failure = None
            with contextlib.suppress(RuntimeError):  # without the launcher nobody has said a word
                failure = self._failure()
            raise failure or PeersLostError(
                f"another of the {self.size} processes of this training is gone"
            ) from error

    def _failure(self) -> PeerFailedError | None:
        if not self._store.check([_FAILURE]):
            return None
        told = json.loads(self._store.get(_FAILURE))
        return PeerFailedError(told["text"], told["mistake"])


def _is_torn_line(error: RuntimeError) -> bool:
    """Return whether torch says so: gloo in words only, NCCL by the name of its result."""
    if isinstance(error, dist.DistNetworkError | dist.DistStoreError):
        return True
    return any(word in str(error) for word in ("gloo", "ncclRemoteError", "communicator was abort"))
