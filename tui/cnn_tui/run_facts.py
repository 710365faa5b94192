"""What is told of a run in words: its results, its settings, what somebody noted."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from rich.text import Text

from cnn_core.files import to_json
from cnn_core.runs.dotted import flatten, value_at
from cnn_core.runs.index import Row
from cnn_tui.output import literal, literal_lines, percent, seconds
from cnn_tui.status import STATUS_SIGNS

_LABELS = ("name", "notes", "tags")
# The name in an id stays as the run was made, whatever it is called later.
_ID_BEFORE_NAME, _ID_AFTER_NAME = len("20260101-000000-"), -len("-0000")


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


def changed_settings(row: Row) -> tuple[str, dict[str, tuple[Any, Any]]]:
    """Return what the run's settings are compared with, and both values of those that differ.

    That is the shipped preset whose name the run was made with, else the defaults. The first
    call reads the models of the configuration, which takes 0.1 s.
    """
    config = row["config"]
    preset = row["id"][_ID_BEFORE_NAME:_ID_AFTER_NAME]
    wanted = (value_at(config, "data.dataset"), value_at(config, "model.backbone"))
    against, settings = _base(preset, *(str(name) for name in wanted))
    own = flatten(config)
    keys = [key for key in dict.fromkeys([*own, *settings]) if key not in _LABELS]
    return against, {
        key: (own.get(key), settings.get(key))
        for key in keys
        if to_json(own.get(key)) != to_json(settings.get(key))
    }


@lru_cache(maxsize=64)
def _base(preset: str, dataset: str, backbone: str) -> tuple[str, dict[str, Any]]:
    from cnn_core.config import Experiment
    from cnn_core.preset_files import load_experiment, shipped_presets

    if preset in shipped_presets():
        return f"preset {preset}", flatten(load_experiment(preset).model_dump(exclude_none=True))
    try:
        plain = Experiment.model_validate(
            {"data": {"dataset": dataset}, "model": {"backbone": backbone}}
        )
    except ValueError:  # a run of another version
        return "", {}
    return "the defaults", flatten(plain.model_dump(exclude_none=True))


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
