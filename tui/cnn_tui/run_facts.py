"""What is told of a run in words: its results, its settings, what somebody noted."""

from pathlib import Path
from typing import Any

from rich.text import Text

from cnn_core.files import to_json
from cnn_core.runs.index import Row
from cnn_tui.output import literal, literal_lines, percent, seconds
from cnn_tui.status import STATUS_SIGNS


def result_facts(row: Row, run_dir: Path) -> list[tuple[str, Text]]:
    """Return names and values, in the order of interest; what is not known is left out."""
    best, test, split, params = row["best"], row["test"], row["split"], row["params"]
    word = f"{STATUS_SIGNS[row['status']]} {row['status']}, epoch {row['epoch']}"
    facts = [("status", word if row["epochs"] is None else f"{word} of {row['epochs']}")]
    if row["error"]:
        facts += [("error", row["error"]), ("log", str(run_dir / "log.txt"))]
    if best["val_acc"] is not None:
        facts.append(("best val", f"{percent(best['val_acc'])} in epoch {best['epoch']}"))
    if test["acc"] is not None:
        top5 = f", top-5 {percent(test['top5'])}" if test["top5"] is not None else ""
        facts.append(("test", f"{percent(test['acc'])}{top5}"))
    if row["timing"]["total_s"]:
        speed = row["timing"]["images_per_s"]
        rate = f", {speed:,.0f} images/s" if speed is not None else ""
        facts.append(("time", f"{seconds(row['timing']['total_s'])}{rate}"))
    if params["total"] is not None:
        facts.append(("parameters", f"{params['total']:,}, {params['trainable']:,} trainable"))
    if split["train"] is not None:
        parts = " + ".join(f"{split[part]:,}" for part in ("train", "val", "test"))
        facts.append(("images", f"{parts}, {split['classes']} classes"))
    return [(name, literal_lines(value)) for name, value in facts]


def settings_text(against: str, changed: dict[str, tuple[Any, Any]]) -> Text:
    """Return a line for each setting that differs: its value, and the other one behind it."""
    if not changed:
        return Text(f"as {against}") if against else Text("not known")
    text = Text(f"other than {against}")
    for key, (own, other) in changed.items():
        text.append("\n").append_text(literal(key)).append(" = ")
        text.append_text(_setting(own)).append(" (").append_text(_setting(other)).append(")")
    return text


def _setting(value: Any) -> Text:
    return literal(value if value is None or isinstance(value, str) else to_json(value))
