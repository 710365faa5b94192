"""The keys that do something here, at the bottom of a screen; a click does the same."""

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.screen import Screen
from textual.widget import Widget

_GAP = "  "


class KeyBar(Widget):
    """All shown bindings, wrapped to as many lines as they need (Textual's Footer cuts them)."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[Text] = []
        self._lines = Text()

    def on_mount(self) -> None:
        """Follow the bindings, which change with the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self.call_after_refresh(self._changed, self.screen)

    def on_resize(self) -> None:
        """Wrap anew."""
        self._wrap()

    def render(self) -> RenderResult:
        """Show the wrapped keys."""
        return self._lines

    def _changed(self, _screen: Screen[object]) -> None:
        parts: list[Text] = []
        told: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            # Of several keys that do the same, the first is told.
            if binding.show and binding.description and binding.action not in told:
                told.add(binding.action)
                key = self.app.get_key_display(binding)
                click = Style(meta={"@click": f"app.simulate_key('{binding.key}')"})
                part = Text.assemble((key, "bold"), f" {binding.description}", style=click)
                if not active.enabled:
                    part.stylize("dim")
                # A key that several bindings share, such as those of a form, is told once.
                if part not in parts:
                    parts.append(part)
        if parts != self._parts:
            self._parts = parts
            self._wrap()

    def _wrap(self) -> None:
        """Break between keys only; a description stays with its key."""
        width = max(self.size.width, 10)
        lines = [Text()]
        for part in self._parts:
            if lines[-1].cell_len and lines[-1].cell_len + len(_GAP) + part.cell_len > width:
                lines.append(Text())
            if lines[-1].cell_len:
                lines[-1].append(_GAP)
            lines[-1].append_text(part)
        self._lines = Text("\n").join(lines)
        self.styles.height = len(lines)
        self.refresh()
