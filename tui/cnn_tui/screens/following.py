"""A page over files that change."""

from textual.timer import Timer

from cnn_tui.screens.page import Page
from cnn_tui.workers import run_beside

_INTERVAL_S = 1.0


class FollowingPage(Page):
    """Looks once a second while it is in front, one look at a time, from ``follow()`` on."""

    def __init__(self) -> None:
        super().__init__()
        self.looking = False
        self._timer: Timer | None = None

    def follow(self) -> None:
        """Look now and from now on; covered already, from when the page is in front."""
        self._timer = self.set_interval(_INTERVAL_S, self.look_now, pause=not self.is_active)
        if self.is_active:
            self.look_now()

    def look_now(self) -> None:
        """Look, unless that is under way."""
        if not self.looking:
            self.looking = True
            run_beside(self, self.look, group="look")

    async def look(self) -> None:
        """Read files in a thread, end ``looking``, show what was read; to be overridden."""
        raise NotImplementedError

    def on_screen_suspend(self) -> None:
        """Read nothing while the page is covered."""
        if self._timer:
            self._timer.pause()

    def on_screen_resume(self) -> None:
        """Catch up."""
        if self._timer:
            self._timer.resume()
            self.look_now()
