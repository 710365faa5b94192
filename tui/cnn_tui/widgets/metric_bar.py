"""The curves one can choose from, with their keys; those that are shown stand out."""

from collections.abc import Collection

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget


class MetricBar(Widget):
    """One line; a click on a metric does what its key does."""

    DEFAULT_CSS = "MetricBar { link-style: none; link-style-hover: reverse; }"

    shown: reactive[Collection[str]] = reactive[Collection[str]](())

    def __init__(self, titles: dict[str, str]) -> None:
        super().__init__()
        self._titles = titles

    def render(self) -> RenderResult:
        """Write key and title of each metric."""
        parts = []
        for key, (metric, title) in enumerate(self._titles.items(), 1):
            click = Style(meta={"@click": f"screen.metric('{metric}')"})
            looks = "bold reverse" if metric in self.shown else "dim"
            parts.append(Text.assemble((f"{key} ", "bold"), (title, looks), style=click, end=""))
        return Text("  ", end="").join(parts)
