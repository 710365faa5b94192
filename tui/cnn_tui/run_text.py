"""What the page of a run says in its lines: header, progress, classes and log, without a screen."""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from textual.content import Content

from cnn_core.errors import printable
from cnn_core.runs.series import RunSeries
from cnn_core.training.events import (
    CheckpointSaved,
    EpochFinished,
    Event,
    Notice,
    Paused,
    RunStarted,
)
from cnn_tui.charts.glyphs import bar, sparkline
from cnn_tui.output import percent, seconds
from cnn_tui.run_feed import RunFeed
from cnn_tui.run_watch import RunWatch
from cnn_tui.status import STATUS_COLOURS, STATUS_SIGNS
from cnn_tui.wording import describe, describe_start

MUTED = "$foreground 60%"
_LABEL, _VALUE = 8, 11
_SPARKS = 16
STAMP = len("00:00:00 ")
_NOTICES = {"info": "", "warning": "$warning", "error": "$error"}


def header(watch: RunWatch) -> Content:
    """Return status and setting in one line."""
    document = watch.document or {}
    config = document.get("config", {})
    status = "queued" if watch.starting else watch.status
    word = "starting" if watch.starting else watch.status
    parts = [
        _get(config, "data", "dataset"),
        _get(config, "model", "backbone"),
        f"freeze {_get(config, 'freeze', 'policy')}",
        f"augment {_augmentation(config)}",
        f"on {watch.host}" if watch.host else document.get("device"),
        *(f"#{tag}" for tag in document.get("tags", [])),
    ]
    setting = " · ".join(printable(part) for part in parts if part) if config else ""
    return Content.assemble(
        (f"{STATUS_SIGNS[status]} {word}", f"bold ${STATUS_COLOURS[status]}"), "   ", setting
    )


def progress(watch: RunWatch, width: int, now: float) -> Content:
    """Return the lines of the pane of progress: bars while it trains, then the results."""
    feed, document = watch.feed, watch.document
    if feed is None or document is None or feed.started is None:
        return Content.styled("training has not begun", MUTED)
    lines = []
    if watch.live:
        lines += _bars(feed, document, width - _LABEL)
        lines.append(_fact("left", _eta(feed), _elapsed(feed, now)))
        pace = feed.pace
        lines.append(_fact("speed", f"{pace.images_per_s:,.0f} images/s" if pace else "–"))
    else:
        lines.append(_fact("epochs", f"{document['epoch']} of {document['epochs']}"))
        lines.append(_fact("time", seconds(document["timing"]["total_s"])))
    lines.append(_rate(feed))
    lines.append(
        _fact("batch", f"{feed.started.batch_size} images", f"precision {feed.started.precision}")
    )
    lines += _device(watch, feed.started)
    lines += _results(document)
    return Content("\n").join(lines)


def brief_progress(watch: RunWatch, width: int) -> Content:
    """Return two lines for where there is no room for the pane."""
    feed, document = watch.feed, watch.document
    if feed is None or document is None or feed.started is None:
        return Content("")
    best = document["best"]
    found = (
        f"best {percent(best['val_acc'])} in epoch {best['epoch']}"
        if best["val_acc"] is not None
        else ""
    )
    pace = feed.pace
    first = _bars(feed, document, (width - 2) // 2 - _LABEL)
    facts = [
        f"{pace.images_per_s:,.0f} images/s" if pace else "",
        f"lr {pace.lr:.4g}" if pace else "",
        "" if feed.status == "paused" else f"{_eta(feed)} left",
        found,
    ]
    return Content.assemble(
        Content("  ").join(first), "\n", " · ".join(fact for fact in facts if fact)
    )


def position(feed: RunFeed, document: dict[str, Any]) -> tuple[int, int]:
    """Return the number of whole epochs done and of steps done in the next one."""
    whole = int(document["epoch"])
    if feed.steps is not None and feed.steps.epoch > whole:
        return whole, feed.steps.step
    if feed.epoch is None and feed.started is not None:
        return whole, feed.started.resumed_step or 0
    return whole, 0


def class_lines(series: RunSeries, width: int) -> list[Content]:
    """Return a line for each class, the worst first: name, right of all, accuracy, bar."""
    validated = series.class_accuracy
    if validated is None:
        return []
    rows = sorted(
        (right / images if images else math.nan, name, right, images)
        for name, right, images in zip(
            series.classes, validated.correct, validated.images, strict=False
        )
    )
    counts = [f"{right}/{images}" for _, _, right, images in rows]
    widest = max(map(len, counts), default=0)
    cells = max(4, min(20, width // 4))
    room = max(6, width - widest - cells - 10)
    lines = []
    for (accuracy, name, *_), count in zip(rows, counts, strict=True):
        known = math.isfinite(accuracy)
        shade = "$success" if accuracy >= 0.8 else "$warning" if accuracy >= 0.5 else "$error"
        filled = round(accuracy * cells) if known else 0
        shown = Content(printable(name)).truncate(room, ellipsis=True, pad=True)
        lines.append(
            Content.assemble(
                shown,
                (f" {count:>{widest}}", MUTED),
                f" {100 * accuracy:5.1f}% " if known else "      – ",
                ("━" * filled, shade),
                " " * (cells - filled),
            )
        )
    return lines


def log_lines(
    entries: Iterable[tuple[float, Event]], epochs: int, day: str
) -> tuple[list[Content], str]:
    """Return the log's lines and the day of the last one.

    A line with the date comes before those of another day than ``day``.
    """
    lines: list[Content] = []
    for moment, event in entries:
        text = _log_text(event, epochs)
        if text is None:
            continue
        local = time.localtime(moment)
        if (today := time.strftime("%Y-%m-%d", local)) != day:
            day = today
            lines.append(Content.styled(day, f"bold {MUTED}"))
        stamp = time.strftime("%H:%M:%S ", local)
        style = _NOTICES[event.level] if isinstance(event, Notice) else ""
        first, *more = printable_lines(text)
        lines.append(Content.assemble((stamp, MUTED), (first, style)))
        lines += [Content.styled(" " * STAMP + line, style) for line in more]
    return lines, day


def printable_lines(text: str) -> list[str]:
    """Return the lines of a text, other people's control characters escaped."""
    return [printable(line) for line in text.split("\n")]


def _log_text(event: Event, epochs: int) -> str | None:
    match event:
        case RunStarted():
            return describe_start(event)
        case EpochFinished():
            return _epoch_text(event, epochs)
        case CheckpointSaved(name="last", epoch=epoch, step=step) if step:
            return f"checkpoint saved in epoch {epoch}, after step {step}"
        case Paused():
            return "paused"
    return describe(event)


def _epoch_text(event: EpochFinished, epochs: int) -> str:
    """Return the figures of an epoch in fewer cells than ``describe_epoch``, in columns."""
    parts = [
        f"epoch {event.epoch:>{len(str(epochs))}}/{epochs}",
        f"train {event.train_loss:.4f} {percent(event.train_acc):>7}",
    ]
    if event.val_loss is not None:
        parts.append(f"val {event.val_loss:.4f} {percent(event.val_acc):>7}")
    return " ".join([*parts, *(["best"] if event.best else [])])


def _bars(feed: RunFeed, document: dict[str, Any], width: int) -> list[Content]:
    assert feed.started is not None
    epochs, steps = feed.started.epochs, feed.started.steps_per_epoch
    whole, step = position(feed, document)
    done = whole + step / max(steps, 1)
    return [
        _bar("epoch", done, epochs, f"{min(whole + 1, epochs)}/{epochs}", width),
        _bar("step", step, steps, f"{step}/{steps}", width),
    ]


def _bar(label: str, done: float, total: float, count: str, width: int) -> Content:
    cells = max(4, width - 12)
    return Content.assemble(
        (label.ljust(_LABEL), MUTED),
        (bar(done, total, cells).plain, "$primary on $panel"),
        f" {count:<11}",
    )


def _fact(label: str, value: str | None, more: str = "") -> Content:
    rest = Content.styled(f" {more}", MUTED) if more else Content("")
    return Content.assemble((label.ljust(_LABEL), MUTED), (value or "–").ljust(_VALUE), rest)


def _eta(feed: RunFeed) -> str:
    left = feed.eta_s()
    if left is None:
        return "paused" if feed.status == "paused" else "…"
    return _whole_seconds(left)


def _elapsed(feed: RunFeed, now: float) -> str:
    return f"{_whole_seconds(feed.elapsed_s(now))} so far"


def _whole_seconds(value: float) -> str:
    """Return a duration that does not flicker while it is counted."""
    return f"{value:.0f} s" if value < 59.5 else str(seconds(value))


def _rate(feed: RunFeed) -> Content:
    if feed.pace is None:
        return _fact("rate", "–")
    _, rates = feed.series.points("lr", "step")
    picked = rates[np.linspace(0, len(rates) - 1, min(_SPARKS, len(rates))).astype(int)]
    return _fact("rate", f"{feed.pace.lr:.4g}", sparkline(picked.tolist(), _SPARKS))


def _device(watch: RunWatch, started: RunStarted) -> list[Content]:
    lines = [_fact("device", printable(started.device))]
    if watch.host:
        lines.append(_fact("", f"on {printable(watch.host)}"))
    elif watch.load is not None:
        load = watch.load
        busy = "" if load.busy is None else f"{100 * load.busy:.0f} % busy"
        memory = f"{load.memory_used / 1e9:.1f} of {load.memory_total / 1e9:.1f} GB in use"
        lines.append(_fact("", busy, memory))
    return lines


def _results(document: dict[str, Any]) -> list[Content]:
    lines = []
    for label in ("best", "last"):
        epoch = document[label]
        if epoch["epoch"] is None:
            continue
        figures = _figures(epoch["val_acc"], epoch["val_loss"])
        lines.append(_fact(label, f"epoch {epoch['epoch']}", figures and f"val {figures}"))
        if label == "last":
            trained = _figures(epoch["train_acc"], epoch["train_loss"])
            lines.append(_fact("", " ", f"train {trained}"))
    return lines


def _figures(acc: float | None, loss: float | None) -> str:
    return "" if acc is None or loss is None else f"{percent(acc)}  loss {loss:.4f}"


def _get(config: dict[str, Any], section: str, key: str) -> str:
    values = config.get(section)
    return str(values.get(key, "")) if isinstance(values, dict) else ""


def _augmentation(config: dict[str, Any]) -> str:
    augment = config.get("augment")
    transforms: Sequence[Any] = augment.get("transforms") or () if isinstance(augment, dict) else ()
    if transforms:
        return " + ".join(str(t.get("name")) for t in transforms if isinstance(t, dict))
    return _get(config, "augment", "policy") or "none"
