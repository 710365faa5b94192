"""Names for the things a preset can ask for: data sets, backbones, transforms, policies."""

import importlib
from typing import Generic, TypeVar

from cnn_core.errors import UserError, did_you_mean

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries by name, registered by the modules in ``providers``.

    The providers are imported at the first look-up, in the order given, so that naming a
    registry costs nothing. Providers must not import torch at module level: builders do.
    """

    def __init__(self, kind: str, providers: tuple[str, ...]) -> None:
        self.kind = kind
        self._providers = providers
        self._entries: dict[str, Entry] = {}
        self._loaded = False

    def add(self, name: str, entry: Entry) -> None:
        """Store an entry; a name given twice is a ValueError."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry

    def names(self) -> list[str]:
        """Return every name, sorted."""
        return sorted(self._load())

    def miss(self, name: str) -> str | None:
        """Return why ``name`` is not an entry, with the nearest name, or None if it is one."""
        if name in self._load():
            return None
        return f"unknown {self.kind} {name!r}{did_you_mean(name, self._entries)}"

    def __getitem__(self, name: str) -> Entry:
        """Return the entry; raise UserError with the nearest name if there is none."""
        if why := self.miss(name):
            raise UserError(why)
        return self._entries[name]

    def _load(self) -> dict[str, Entry]:
        if not self._loaded:
            self._loaded = True
            for provider in self._providers:
                importlib.import_module(provider)
        return self._entries
