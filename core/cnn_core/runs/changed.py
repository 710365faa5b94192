"""What sets a run apart: its settings that are not those of its preset, or not the defaults."""

from functools import lru_cache
from typing import Any

from cnn_core.files import to_json
from cnn_core.runs.directory import name_in
from cnn_core.runs.dotted import flatten, value_at
from cnn_core.runs.summary_state import LABELS


def changed_settings(
    document: dict[str, Any], *, preset: bool = True
) -> tuple[str, dict[str, tuple[Any, Any]]]:
    """Return what a summary's settings are compared with, and both values of those that differ.

    That is the shipped preset whose name the run was made with (if ``preset``), else the
    defaults. The first call reads the models of the configuration, which takes 0.1 s.
    """
    config = document["config"]
    # The name in an id stays as the run was made, whatever it is called later.
    name = name_in(document["id"]) if preset else ""
    wanted = (value_at(config, "data.dataset"), value_at(config, "model.backbone"))
    against, settings = _base(name, *(str(name) for name in wanted))
    own = flatten(config)
    keys = [key for key in dict.fromkeys([*own, *settings]) if key not in LABELS]
    return against, {
        key: (own.get(key), settings.get(key))
        for key in keys
        if to_json(own.get(key)) != to_json(settings.get(key))
    }


@lru_cache(maxsize=64)
def _base(preset: str, dataset: str, backbone: str) -> tuple[str, dict[str, Any]]:
    from cnn_core.config import Experiment
    from cnn_core.preset_files import load_experiment
    from cnn_core.shipped import shipped_presets

    if preset in shipped_presets():
        return f"preset {preset}", flatten(load_experiment(preset).model_dump(exclude_none=True))
    try:
        plain = Experiment.model_validate(
            {"data": {"dataset": dataset}, "model": {"backbone": backbone}}
        )
    except ValueError:  # a run of another version
        return "", {}
    return "the defaults", flatten(plain.model_dump(exclude_none=True))
