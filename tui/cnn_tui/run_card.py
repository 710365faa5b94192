"""What the page of a run says where it does not simply train: why, the result, what to do next."""

from dataclasses import dataclass
from typing import Any

from textual.content import Content

from cnn_core.errors import printable
from cnn_core.training.events import Preparing
from cnn_tui.charts.glyphs import bar
from cnn_tui.output import percent, seconds
from cnn_tui.run_watch import RunWatch
from cnn_tui.status import STATUS_COLOURS

_BAR_WIDTH = 30


@dataclass(frozen=True, slots=True)
class Card:
    """A few lines, and the name of the theme's colour that they stand in."""

    text: Content
    colour: str


def card(watch: RunWatch) -> Card | None:
    """Return what to say of the run's state beside its status, None while it trains.

    Actions are named as the bar of keys names them.
    """
    if watch.gone:
        return _card("failed", "The folder of this run was removed or moved.")
    if watch.error:
        return _card("failed", watch.error)
    if watch.feed is None or watch.document is None:
        return Card(Content("reading…"), "secondary")
    if watch.refused and not watch.live:
        return _card("failed", f"Not trained: {watch.refused}")
    if watch.starting:
        return _card("queued", "Its process loads torch and looks for the data.")
    match watch.status:
        case "running":
            return _preparing(watch.feed.preparing) if watch.feed.preparing else None
        case "paused":
            return _card(
                "paused",
                "PAUSED, a checkpoint is saved. Go on continues, Stop ends it here.",
            )
        case "queued":
            return _card("queued", _waiting(watch))
        case "finished":
            return _finished(watch.document)
        case status:
            return _card(status, "\n".join(_ended(watch, watch.document)))


def ending(document: dict[str, Any]) -> str:
    """Return the message for whoever watched a run to its end."""
    name, status = document["name"], document["status"]
    accuracy = percent(document["test"]["acc"])
    return f"{name}: {status}" + (f", test accuracy {accuracy}" if accuracy else "")


def _card(status: str, text: str) -> Card:
    """Return a card in the colour of a status; its first line is the one that matters."""
    first, *more = (printable(line) for line in text.split("\n"))
    return Card(Content("\n").join([Content.styled(first, "bold"), *more]), STATUS_COLOURS[status])


def _preparing(event: Preparing) -> Card:
    count = f" {event.done:,} of {event.total:,}" if event.total else ""
    drawn = bar(event.done, event.total, _BAR_WIDTH).plain if event.total else ""
    text = Content.assemble(
        ("Preparing: ", "bold"),
        f"{printable(event.what)}  ",
        (drawn, "$primary on $panel"),
        count,
    )
    return Card(text, "secondary")


def _waiting(watch: RunWatch) -> str:
    if watch.place is None:
        return "Made, and not started. Start trains it here."
    place, of = watch.place
    return f"Number {place} of {of} in the queue. Start trains it now, if nothing else trains here."


def _ended(watch: RunWatch, document: dict[str, Any]) -> list[str]:
    """Return why a run ended before its last epoch, and how to go on."""
    where = f"after {document['epoch']} of {document['epochs']} epochs"
    resume = (
        "Resume goes on from the last checkpoint."
        if watch.resumable
        else "No checkpoint was saved: Resume begins again."
    )
    if watch.place is not None:
        resume += f" It is number {watch.place[0]} of {watch.place[1]} in the queue."
    match watch.status:
        case "stopped":
            return [f"Stopped {where}.", resume]
        case "interrupted":
            return [f"Its process is gone, {where}, without saying why.", resume]
        case "diverged":
            return [str(document["error"]), "Clone starts anew with other settings."]
        case _:
            finished = watch.feed.finished if watch.feed else None
            if finished is None or not finished.mistake:
                resume = f"The traceback is in {watch.run_dir / 'log.txt'} (Files). {resume}"
            return [str(document["error"]), resume]


def _finished(document: dict[str, Any]) -> Card:
    best, test, last = document["best"], document["test"], document["test_last"]
    lines = []
    if test["acc"] is not None:
        top5 = f", top-5 {percent(test['top5'])}" if test["top5"] is not None else ""
        line = f"Test accuracy {percent(test['acc'])} (best weights, epoch {test['epoch']}{top5})"
        if last["acc"] is not None and last["epoch"] != test["epoch"]:
            line += f", last weights {percent(last['acc'])}"
        lines.append(line)
    facts = []
    if best["val_acc"] is not None:
        facts.append(f"Best epoch {best['epoch']} of {document['epoch']}, val accuracy ")
        facts[-1] += str(percent(best["val_acc"]))
    timing = document["timing"]
    facts.append(f"{seconds(timing['total_s'])}")
    if timing["images_per_s"] is not None:
        facts.append(f"{timing['images_per_s']:,.0f} images/s")
    lines.append(" · ".join(facts))
    lines.append("Next: Compare it with another run, Clone it, or take the Command along.")
    return _card("finished", "\n".join(lines))
