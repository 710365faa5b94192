"""How a process that torchrun started, or another launcher of torch's, joins the others."""

import contextlib
import dataclasses
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cnn_core.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch._C._distributed_c10d import Store

    from cnn_core.training.ranks import Ranks

_POLL_S = 0.05
_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """What the launcher says: the place among all processes, and among those of this machine."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    restarts: int
    """How often the launcher has started the processes anew."""


def launched(environ: Mapping[str, str] = os.environ) -> Launched | None:
    """Return what a launcher says of this process, None where it was started alone.

    Raises UserError where a number of the environment is none.
    """
    if any(name not in environ for name in _NEEDED):
        return None
    size = environ["WORLD_SIZE"]
    if size == "1" and "TORCHELASTIC_RUN_ID" not in environ:
        return None  # of an environment made for others: there is nobody to wait for
    values = {
        "RANK": environ["RANK"],
        "WORLD_SIZE": size,
        "LOCAL_RANK": environ.get("LOCAL_RANK", environ["RANK"]),
        "LOCAL_WORLD_SIZE": environ.get("LOCAL_WORLD_SIZE", size),
        "TORCHELASTIC_RESTART_COUNT": environ.get("TORCHELASTIC_RESTART_COUNT", "0"),
    }
    for name, value in values.items():
        if not value.isdecimal():
            raise UserError(f"{name} = {value!r} in the environment: expected a whole number")
    return Launched(*map(int, values.values()))


def own_device(wanted: str, place: Launched) -> str:
    """Return the device of this process, as a name of ``resolve_device``.

    With ``auto`` and ``cuda`` that is the GPU of its number on this machine. Raises UserError
    where there are fewer GPUs than processes, or all are sent to the same.
    """
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if wanted not in ("auto", "cuda"):
        if place.local_size > 1:
            raise UserError(
                f"--device {wanted}: {place.local_size} processes on this machine would share it; "
                "auto gives each one a GPU of its own"
            )
        return wanted
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if place.local_rank >= count:
        raise UserError(
            f"{place.local_size} processes were started on this machine, where {count} GPUs are "
            f"visible to torch: give torchrun --nproc-per-node {count or 1}"
            + (", or --device cpu" if wanted == "auto" else "")
        )
    return f"cuda:{place.local_rank}"


@contextlib.contextmanager
def joined(place: Launched, device: "torch.device") -> Iterator[tuple["Ranks", "Store"]]:
    """Join the other processes inside; yield them, and the store that outlives this sitting.

    What ends the block with an error is told to the others. The launcher's store lives as long as
    the launcher itself: what a process writes there is known after a restart.
    """
    import torch
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    from cnn_core.training.ranks import TIMEOUT, Group, PeerFailedError, PeersLostError

    base, rank, size = next(iter(rendezvous("env://", timeout=TIMEOUT)))
    lasting = PrefixStore("cnn-tui", base)
    store = PrefixStore(_sitting(lasting, rank, size), lasting)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    ranks = Group(
        store, rank=rank, size=size, local_rank=place.local_rank, local_size=place.local_size
    )
    try:
        with ranks.hearing():
            kinds = ranks.gathered(device.type) or [device.type]
            if len(set(kinds)) > 1:
                raise UserError(f"the processes would train on different devices: {kinds}")
            yield ranks, lasting
    except (PeerFailedError, PeersLostError):
        raise
    except Exception as error:
        ranks.announce(str(error), mistake=isinstance(error, UserError))
        raise
    finally:
        dist.destroy_process_group()


def _sitting(store: "Store", rank: int, size: int) -> str:
    """Return a name that the processes of this sitting share, and no earlier ones knew.

    A launcher's store still has what processes wrote that it has started anew since: their
    addresses, say, which gloo would call. So each process leaves a word made up right now, and
    the first one answers all that it finds, until those who got an answer are complete.
    """
    if rank == 0:
        name, answered = secrets.token_hex(8), set[str]()
        while store.add(f"{name}/heard", 0) < size - 1:
            for other in range(1, size):
                if store.check([f"word/{other}"]):
                    word = store.get(f"word/{other}").decode()
                    if word not in answered:
                        answered.add(word)
                        store.set(f"answer/{word}", name)
            time.sleep(_POLL_S)
        return name
    word = secrets.token_hex(8)
    store.set(f"word/{rank}", word)
    name = store.get(f"answer/{word}").decode()
    store.add(f"{name}/heard", 1)
    return name
