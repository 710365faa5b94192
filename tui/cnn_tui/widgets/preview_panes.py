"""Panes beside the form: what the draft will train on, each from one preview."""

from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Static

from cnn_tui.charts.glyphs import bar
from cnn_tui.charts.plot import Curve
from cnn_tui.network_text import stage_state, step_parts
from cnn_tui.output import literal
from cnn_tui.preview_parts import (
    DRAWS,
    SAMPLES,
    NetworkPreview,
    SchedulePreview,
    SplitPreview,
)
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.picture import Picture

if TYPE_CHECKING:
    from cnn_core.training.samples import Sample

_LONGEST_NAME = 30
_SIGNS = {"trains": "●", "in part": "◐", "frozen": "○", "": ""}
_BAR_WIDTH = 10


class Pane(Vertical):
    """A titled pane: a line or two of text above its content, or why there is none."""

    def __init__(self, title: str, pane_id: str) -> None:
        super().__init__(id=pane_id, classes="pane preview")
        self.border_title = title
        self._told = Static("loading…", classes="told", markup=False)

    def compose(self) -> ComposeResult:
        """Show the note above the content."""
        yield self._told
        with Vertical(classes="content"):
            yield from self.compose_content()

    def compose_content(self) -> ComposeResult:
        """Yield the content; to be overridden."""
        yield from ()

    def fail(self, why: str) -> None:
        """Show why there is no preview."""
        self._tell(literal(why), there=False)

    def _tell(self, text: Text, *, there: bool = True) -> None:
        self._told.update(text)
        self.set_class(not there, "-empty")


class SplitPane(Pane):
    """Images of each class and part."""

    def __init__(self) -> None:
        super().__init__("Split", "split")

    def compose_content(self) -> ComposeResult:
        """Show a row for each class."""
        yield DataTable(cursor_type="row", zebra_stripes=False)

    def show(self, preview: SplitPreview) -> None:
        """Show the counts."""
        total = preview.train + preview.val + preview.test
        text = Text.assemble(
            (f"{len(preview.rows)} classes", "bold"),
            f"  train {preview.train:,}  val {preview.val:,}  test {preview.test:,}  ",
            (f"of {total:,} images", "dim"),
        )
        if preview.place is not None:
            text.append(f" in {literal(preview.place)}", "dim")
        if preview.imbalance:
            text.append(f"\n⚠ {preview.imbalance}", self.app.theme_variables["warning"])
        self._tell(text)
        table = self.query_one(DataTable)
        table.clear(columns=True)
        table.add_columns("class", *(Text(name, justify="right") for name in _PARTS), "share")
        largest = max(row.train + row.val + row.test for row in preview.rows) or 1
        for row in preview.rows:
            counts = (row.train, row.val, row.test)
            name = literal(row.name)
            name.truncate(_LONGEST_NAME, overflow="ellipsis")  # or the counts leave a narrow pane
            table.add_row(
                name,
                *(Text(f"{count:,}", justify="right") for count in counts),
                Text.assemble(
                    (
                        bar(sum(counts), largest, _BAR_WIDTH).plain,
                        self.app.theme_variables["primary"],
                    ),
                    f" {100 * sum(counts) / total:5.1f} %",
                ),
            )


_PARTS = ("train", "val", "test")


class NetworkPane(Pane):
    """Stages, totals and memory."""

    def __init__(self) -> None:
        super().__init__("Network", "network")

    def compose_content(self) -> ComposeResult:
        """Show everything as one text that scrolls."""
        with VerticalScroll():
            yield Static(id="stages")

    def show(self, preview: NetworkPreview) -> None:
        """Show the table of stages, and how far the memory of the device goes."""
        summary = preview.summary
        text = Text.assemble(
            (f"{summary.total:,} parameters", "bold"),
            f", {summary.trainable:,} train ({_percent(summary.trainable, summary.total)})",
            (f"\n{preview.classes} classes, images of {preview.image_size} pixels a side", "dim"),
        )
        if preview.warning:
            text.append(f"\n⚠ {preview.warning}", self.app.theme_variables["warning"])
        self._tell(text)
        stages = Table(box=None, pad_edge=False, expand=False)
        stages.add_column(Text("stage", "bold"), no_wrap=True)
        stages.add_column(Text("output", "bold"), justify="right", no_wrap=True)
        stages.add_column(Text("parameters", "bold"), justify="right", no_wrap=True)
        stages.add_column(Text("", "bold"), no_wrap=True)
        for stage in summary.stages:
            state = stage_state(stage)
            stages.add_row(
                literal(stage.name),
                "x".join(map(str, stage.output_shape[1:])),
                f"{stage.parameters:,}",
                Text(f"{_SIGNS[state]} {state}", "" if stage.trainable else "dim"),
            )
        facts = Table.grid(padding=(0, 2))
        facts.add_column(no_wrap=True, style="dim")
        facts.add_column(justify="right", no_wrap=True)
        facts.add_column(no_wrap=True, style="dim")
        for fact in _facts(preview):
            facts.add_row(*fact)
        grid = Table.grid()
        for part in (stages, Text(""), facts, self._warning(preview)):
            grid.add_row(part)
        self.query_one("#stages", Static).update(grid)

    def _warning(self, preview: NetworkPreview) -> Text:
        load = preview.load
        free = load.memory_total - load.memory_used
        if preview.step.peak_bytes <= free:
            return Text("")
        return Text(
            "⚠ more than the free memory: a smaller batch, with accumulate, takes less",
            self.app.theme_variables["warning"],
        )


class SchedulePane(Pane):
    """The learning rate over the run."""

    def __init__(self) -> None:
        super().__init__("Schedule", "schedule")

    def compose_content(self) -> ComposeResult:
        """Show the curve."""
        yield Chart()

    def show(self, preview: SchedulePreview) -> None:
        """Show the curve below its words."""
        self._tell(literal(preview.words))
        self.query_one(Chart).show(
            [Curve("learning rate", preview.epochs, preview.lr, 0)],
            x_label="epoch",
            marks=preview.marks,
        )


class SamplesPane(Pane):
    """Training images, as stored and as augmented."""

    def __init__(self) -> None:
        super().__init__("Samples", "samples")

    def compose_content(self) -> ComposeResult:
        """Show the pictures, which may need more room than there is."""
        with VerticalScroll():
            for _ in range(SAMPLES):
                yield Horizontal(*(Picture() for _ in range(1 + DRAWS)), classes="samples")

    def show(self, preview: "list[Sample]") -> None:
        """Show each image, then its augmented forms."""
        self._tell(
            Text("each as it is stored, then as it may be trained on; f5 draws others", "dim")
        )
        for row, sample in zip_longest(self.query(".samples"), preview):
            row.display = sample is not None
            if sample is not None:
                first, *draws = row.query(Picture)
                first.show(sample.before_HWC, sample.label)
                forms = zip(draws, sample.after_NHWC, sample.after_labels, strict=True)
                for picture, image_HWC, label in forms:
                    picture.show(image_HWC, " " if label == sample.label else label)


def _facts(preview: NetworkPreview) -> list[tuple[str, str, str]]:
    """Return name, value and remark of what a step takes."""
    step, load = preview.step, preview.load
    batch = "found at the start" if preview.batch_size is None else f"{preview.batch_size:,}"
    facts = [("batch size", batch, "")]
    if preview.images_a_step is not None:
        facts.append(("images a step", f"{preview.images_a_step:,}", ""))
    if preview.steps is not None:
        facts.append(("steps an epoch", f"{preview.steps:,}", ""))
    if step.batch_size != preview.batch_size:
        facts.append(("memory of", f"{step.batch_size} image{'s'[: step.batch_size - 1]}", ""))
    facts += [
        (name, _mb(size), remark) for name, size, remark in step_parts(step, preview.optimizer)
    ]
    total = f"of {_mb(load.memory_total)}, {literal(load.name).plain}"
    facts.append(("free", _mb(load.memory_total - load.memory_used), total))
    return facts


def _mb(size: int) -> str:
    mb = size / 2**20
    return f"{mb:,.0f} MB" if mb >= 10 else f"{mb:.2f} MB"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "–"
