"""Several methods from one start, computed in a thread, for the app to show as it likes."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from cnn_core.surfaces.descent import Method, Step, Track, descend, method_of
from cnn_core.surfaces.field import GradientKind, field_of
from cnn_core.surfaces.surface import Point, Surface

_AT_ONCE = 50  # steps of a method, before it is the next one's turn


@dataclass(frozen=True)
class Entrant:
    """A method as it is asked for; ``lr`` None is the surface's, or torch's."""

    name: str
    style: int
    lr: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Race:
    """Descents that a thread computes in turn (``run``), while others read their steps."""

    def __init__(
        self,
        surface: Surface,
        start: Point,
        entrants: Sequence[Entrant],
        *,
        grid: int | None = None,
        gradient: GradientKind | None = None,
    ) -> None:
        self.surface, self.start, self.grid = surface, start, grid
        self.methods: Sequence[Method] = ()
        self.tracks: Sequence[Track] = ()
        self.entrants, self._gradient = entrants, gradient
        self._stopped = threading.Event()

    def run(self) -> None:
        """Compute all steps; UserError for a method that is none."""
        on = field_of(self.surface, self.grid, self._gradient)
        methods = [
            method_of(one.name, self.surface, on, lr=one.lr, options=one.options)
            for one in self.entrants
        ]
        steps: list[list[Step]] = [[] for _ in methods]
        going: list[tuple[Iterator[Step], list[Step]]] = [
            (descend(on, method, self.start), made)
            for method, made in zip(methods, steps, strict=True)
        ]
        for descent, made in going:
            made.append(next(descent))
        self.methods = methods
        self.tracks = [
            Track(one.name, one.style, made) for one, made in zip(self.entrants, steps, strict=True)
        ]
        while going and not self._stopped.is_set():
            for descent, made in going:
                made.extend(islice(descent, _AT_ONCE))
            going = [(descent, made) for descent, made in going if made[-1].ending is None]

    def save(self, path: Path) -> None:
        """Write the descents as PNG or GIF, by the suffix; UserError where that can't be."""
        from cnn_core.surfaces.drawing import save_gif, save_png

        if path.suffix.lower() == ".png":
            save_png(path, self.surface, self.tracks, grid=self.grid)
        else:
            deque(save_gif(path, self.surface, self.tracks, grid=self.grid), maxlen=0)

    def stop(self) -> None:
        """Let the thread compute no more; what there is stays."""
        self._stopped.set()

    @property
    def known(self) -> int:
        """The step up to which all methods have come that have not ended; 0 before the first."""
        tracks = self.tracks
        going = [len(one.steps) - 1 for one in tracks if one.steps[-1].ending is None]
        return min(going) if going else self.longest

    @property
    def longest(self) -> int:
        """The last step of the method that has come farthest."""
        return max((len(one.steps) - 1 for one in self.tracks), default=0)

    @property
    def complete(self) -> bool:
        """Return whether every method has ended."""
        tracks = self.tracks
        return bool(tracks) and all(one.steps[-1].ending is not None for one in tracks)
