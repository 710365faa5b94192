"""The names of timm's models, read from its files: importing timm would import torch."""

import functools
import importlib.util
import re
from pathlib import Path

from cnn_core.errors import did_you_mean

PREFIX = "timm:"
_REGISTERED = re.compile(r"^@register_model\s+def (\w+)\(", re.MULTILINE)


@functools.cache
def timm_names() -> tuple[str, ...]:
    """Return every architecture of the installed timm, sorted; none where it is not installed."""
    found = importlib.util.find_spec("timm")
    if found is None or not found.submodule_search_locations:
        return ()
    files = Path(found.submodule_search_locations[0], "models").glob("*.py")
    return tuple(
        sorted({name for file in files for name in _REGISTERED.findall(file.read_text("utf-8"))})
    )


def miss(name: str) -> str | None:
    """Return why ``timm:NAME`` or ``timm:NAME.TAG`` is no backbone, or None if it is one."""
    if not (known := timm_names()):
        return f"{name!r} needs the extra timm: pip install 'cnn-tui[timm]'"
    architecture = name.removeprefix(PREFIX).partition(".")[0]
    if architecture in known:
        return None
    near = did_you_mean(architecture, known).replace("'", f"'{PREFIX}", 1)
    return f"unknown backbone {name!r}{near}"
