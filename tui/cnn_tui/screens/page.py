"""What all screens share: the line at the top, the keys at the bottom, help, errors."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual._styles_cache import StylesCache
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from cnn_core.errors import CnnTuiError, printable
from cnn_tui.output import sentence
from cnn_tui.widgets.key_bar import KeyBar
from cnn_tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from cnn_tui.app import CnnTuiApp

T = TypeVar("T")


class _LeftOnce(Screen[T]):
    """A screen that leaves the stack once, however often it is told to, and is forgotten then."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Leave; what lies on top of this, or beneath it after it has left, stays."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    def on_unmount(self) -> None:
        """Let go of the widgets and their lines, of which Textual's cache keeps the latest 1,024.

        https://github.com/Textualize/textual/issues/6665
        """
        StylesCache.get_inner_outer.cache_clear()


class Page(_LeftOnce[None]):
    """A full screen. ``TITLE`` names it, ``HELP_TEXT`` (Markdown) is what F1 shows of it."""

    HELP_TEXT: ClassVar[str] = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="page.back", tooltip="Return to the screen before"),
    ]

    @property
    def cnn_app(self) -> "CnnTuiApp":
        """The app, by its own type."""
        return cast("CnnTuiApp", self.app)

    def compose(self) -> ComposeResult:
        """Put the page's content between the two bars."""
        yield TitleBar()
        yield from self.compose_page()
        yield KeyBar()

    def compose_page(self) -> Iterable[Widget]:
        """Yield the content; to be overridden."""
        return ()

    def help_on_focus(self) -> str:
        """Return what F1 shows first, about what has the focus; to be overridden."""
        return ""

    def action_back(self) -> None:
        """Leave the page, unless it is the first one."""
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer no way back from the first page."""
        if action == "back":
            return self.app.screen_stack[0] is not self
        return super().check_action(action, parameters)

    def attempt(self, action: Callable[[], T]) -> T | None:
        """Return what a small action on files gives; tell of its failure and return None."""
        try:
            return action()
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
            return None

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Tell of work in the background that failed in a way nobody foresaw."""
        if event.state is WorkerState.ERROR and isinstance(event.worker.error, Exception):
            self.tell_error(sentence(event.worker.error))

    def tell(self, text: str) -> None:
        """Show a message for a few seconds, literally."""
        self.app.notify(printable(text), markup=False)

    def tell_error(self, error: Exception | str) -> None:
        """Show what went wrong, longer."""
        self.app.notify(printable(str(error)), severity="error", timeout=10, markup=False)


class Dialog(_LeftOnce[Any], ModalScreen[Any]):
    """A small window over a page; escape leaves it with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
    ]

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)
