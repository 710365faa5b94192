"""A page with a form that survives the loss of the page."""

import asyncio
import contextlib
from pathlib import Path

from textual.await_complete import AwaitComplete
from textual.timer import Timer

from cnn_tui.drafts import DraftFile, LeftBehind, draft_of, left_behind
from cnn_tui.form import Form
from cnn_tui.output import age, sentence
from cnn_tui.screens.dialogs import Ask, Choice
from cnn_tui.screens.page import Page

# Typing on is written once.
_PAUSE_S = 0.5
_CHANGES_SHOWN, _LONGEST_SHOWN = 5, 30


class DraftKeeping(Page):
    """Keeps ``_form`` in a file while it has changes; whoever leaves the page has decided on it."""

    def __init__(self) -> None:
        super().__init__()
        self._form: Form | None = None
        self._draft: DraftFile | None = None
        self._pending: Timer | None = None
        self._keeping_failed = False

    def keep_soon(self) -> None:
        """Keep the form as it is in a moment."""
        folder = self._folder()
        if folder is None:
            return
        if self._draft is None:
            self._draft = DraftFile(folder)
        if self._pending is not None:
            self._pending.stop()
        self._pending = self.set_timer(_PAUSE_S, self._keep)

    async def _keep(self) -> None:
        self._pending = None
        if self._draft is None or self._form is None:
            return
        try:
            await asyncio.to_thread(self._draft.keep, draft_of(self._form))
        except OSError as error:
            if not self._keeping_failed:
                self.tell_error(f"what you change here is in no file: {sentence(error)}")
            self._keeping_failed = True

    async def take_up(self) -> bool:
        """Offer the draft that was left behind last; return whether it is the form now."""
        path = self.cnn_app.state.path
        if path is None or not (
            drafts := await asyncio.to_thread(left_behind, path.parent / "drafts")
        ):
            return False
        newest, more = drafts[0], len(drafts) - 1
        answer: str | None = await self.app.push_screen_wait(
            Ask(
                "An experiment that you did not finish",
                _about(newest) + (f"\n\nThere are {more} older ones." if more else ""),
                [
                    Choice("go_on", "g", "go on with it"),
                    Choice("keep", "n", "new experiment; this one will be offered again"),
                    Choice("forget", "f", "forget it"),
                ],
            )
        )
        if answer in ("go_on", "forget"):
            self.attempt(newest.remove)
        if answer == "go_on":
            self._form = newest.form
        return answer == "go_on"

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Leave, and forget the draft."""
        if self.app.screen is self and self._draft is not None:
            self.attempt(self._draft.remove)
        return super().dismiss(result)

    def on_unmount(self) -> None:
        """Keep what was typed last where the app ends with the page open."""
        if self._draft is not None and self._form is not None:
            with contextlib.suppress(OSError):  # there is nobody left to tell
                self._draft.keep(draft_of(self._form))
            self._draft.leave_behind()

    def _folder(self) -> Path | None:
        """Return where drafts lie, None where the app keeps nothing."""
        path = self.cnn_app.state.path
        return None if path is None else path.parent / "drafts"


def _about(draft: LeftBehind) -> str:
    changes = list(draft.form.changes.values())
    lines = [f"{c.key}  {_brief(c.before)} → {_brief(c.after)}" for c in changes]
    if len(lines) > _CHANGES_SHOWN:
        lines[_CHANGES_SHOWN:] = [f"and {len(lines) - _CHANGES_SHOWN} more"]
    return "\n".join([f"From {draft.form.source.label}, {age(draft.kept_at)} ago:", *lines])


def _brief(value: str) -> str:
    return value if len(value) <= _LONGEST_SHOWN else f"{value[: _LONGEST_SHOWN - 1]}…"
