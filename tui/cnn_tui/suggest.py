"""Completions of paths while they are typed."""

import asyncio
from pathlib import Path

from textual.suggester import Suggester

from cnn_core.locations import expanded


class PathSuggester(Suggester):
    """Completes words of its own first, then names of folders (and files) below ``base``."""

    def __init__(self, base: Path, words: tuple[str, ...] = (), *, files: bool = False) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._base, self._words, self._files = base, words, files

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first completion in order of names."""
        if not value:
            return None
        for word in self._words:
            if word.startswith(value) and word != value:
                return word
        return await asyncio.to_thread(self._complete, value)

    def _complete(self, value: str) -> str | None:
        head, slash, begun = value.rpartition("/")
        folder = self._base / expanded(f"{head}{slash}" or ".")
        try:
            names = sorted(
                f"{path.name}/" if path.is_dir() else path.name
                for path in folder.iterdir()
                if path.name.startswith(begun) and (self._files or path.is_dir())
            )
        except OSError:
            return None
        visible = [name for name in names if begun or not name.startswith(".")]
        return f"{head}{slash}{visible[0]}" if visible else None
