"""Which window lists the values of a field."""

import asyncio
from pathlib import Path

from cnn_tui.catalog import list_backbones, offers
from cnn_tui.form_fields import FormField
from cnn_tui.screens.page import Dialog
from cnn_tui.screens.pick import Entry, Pick
from cnn_tui.screens.pick_backbone import PickBackbone


async def value_picker(field: FormField, current: str, data_dir: Path) -> Dialog:
    """Return the window, which gives a value or None, once what it lists has been read."""
    if field.key == "model.backbone":
        return PickBackbone(await asyncio.to_thread(list_backbones), current=current)
    known = await asyncio.to_thread(offers, field, data_dir)
    return Pick(field.key, [Entry(value, about) for value, about in known], current=current)
