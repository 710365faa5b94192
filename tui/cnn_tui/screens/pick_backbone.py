"""A window that picks a backbone, of those that come along or of timm's models."""

import dataclasses
from collections.abc import Sequence

from cnn_core.backbones.timm_names import PREFIX
from cnn_tui.catalog import BackboneLine
from cnn_tui.screens.pick import Entry, Pick

# More models of timm than these help nobody find one, and every letter typed lists them anew.
_MOST_SHOWN = 100


class PickBackbone(Pick):
    """Returns the name of a backbone; timm's models are listed once there are words to look for.

    ``timm:NAME.TAG``, a model with certain weights, is found by its whole name.
    """

    def __init__(self, lines: Sequence[BackboneLine], *, current: str) -> None:
        self._timm = [Entry(line.name) for line in lines if line.name.startswith(PREFIX)]
        shipped = [line for line in lines if not line.name.startswith(PREFIX)]
        more = (
            f"any word finds timm's {len(self._timm):,} models too"
            if self._timm
            else "timm's models come with: pip install 'cnn-tui[timm]'"
        )
        super().__init__(
            f"Backbone: parameters, ImageNet accuracy, place of the weights; {more}",
            [Entry(line.name, _about(line)) for line in shipped],
            current=current,
        )

    def found(self, words: Sequence[str]) -> list[Entry]:
        """Return the entries in which all the words are found; without words none of timm's."""
        found = super().found(words)
        if not words:
            return found
        timm = [entry for entry in self._timm if entry.holds(words)]
        if len(words) == 1 and (tagged := self._tagged(words[0])):
            timm = [tagged]
        heading = f"timm, {len(timm):,} models"
        if len(timm) > _MOST_SHOWN:
            heading += f": the first {_MOST_SHOWN}"
        return found + [dataclasses.replace(e, heading=heading) for e in timm[:_MOST_SHOWN]]

    def _tagged(self, name: str) -> Entry | None:
        architecture, dot, _ = name.partition(".")
        known = dot and any(entry.value == architecture for entry in self._timm)
        return Entry(name) if known else None


def _about(line: BackboneLine) -> str:
    millions = "" if line.parameters is None else f"{line.parameters / 1e6:,.1f} M"
    top1 = "" if line.top1 is None else f"{100 * line.top1:.1f} %"
    return f"{millions:>7}  {top1:>6}  {line.place or '':7}  {line.help}"
