"""A count of the memory that tensors take while code runs, on any device, the meta one included."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryLedger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside it, counts the storages that operations make in this thread, until they are freed.

    What kernels take for themselves while they run is not seen.
    """

    def __init__(self, besides: Iterable[Tensor] = ()) -> None:
        """``besides`` are tensors that were there before: they and views of them don't count."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.now: int = 0
        """Bytes held now."""
        self.peak: int = 0
        """Most bytes held at once."""
        self._given = [tensor.untyped_storage() for tensor in besides]
        # By identity: storages of the meta device have no address.
        self._known: dict[int, object] = {id(storage): storage for storage in self._given}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operation and enter what it made."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._enter(leaf.untyped_storage())
        return result

    def _enter(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._known:
            return

        def freed(_: object) -> None:
            self.now -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, freed)
        self.now += size
        self.peak = max(self.peak, self.now)
