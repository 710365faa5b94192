"""What is known of each shipped backbone without building it: the table in facts.json.

The table is measured (``tests/unit/test_backbone_facts.py`` compares it with the networks, and
writes it anew when asked to), so that lists need neither torch nor time.
"""

import functools
import json
from pathlib import Path
from typing import Any

from cnn_core.backbones.catalog import Facts

FILE = Path(__file__).with_name("facts.json")


@functools.cache
def table() -> dict[str, dict[str, Any]]:
    """Return the entries by name of the backbone.

    ``parameters``, ``stages``, ``image_size``, ``min_size``; where torchvision has weights also
    ``top1``, ``url`` and ``normalize``.
    """
    entries: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return entries


def facts_of(name: str) -> Facts:
    """Return the facts of a shipped backbone."""
    entry = table()[name]
    return Facts(
        parameters=entry["parameters"],
        stages=tuple(entry["stages"]),
        image_size=entry["image_size"],
        min_size=entry["min_size"],
    )
