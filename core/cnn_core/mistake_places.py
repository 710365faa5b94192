"""Where in a TOML file mistakes are, and how they are told: a line each, in the file's order."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnn_core.errors import printable
from cnn_core.preset_mistakes import Mistake, clipped

# Of a file that is none of ours there may be thousands of mistakes, and of any length.
_MOST_TOLD = 50
_LONGEST_TOLD = 600


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """A mistake with its line, if it has one, or the option of the command line that made it."""

    mistake: Mistake
    line: int | None
    option: str | None = None

    def told(self) -> str:
        """Return key, place, value and message, printable and of a length that can be read."""
        place = self.option or (f"line {self.line}" if self.line else "")
        key, message = (
            clipped(printable(part), _LONGEST_TOLD)
            for part in (self.mistake.key, self.mistake.message)
        )
        value = f"{self.mistake.value}: " if self.mistake.value else ""
        return f"{key}{f' ({place})' if place else ''}: {value}{message}"


def placed(
    text: str, found: Sequence[Mistake], overridden: Mapping[str, str] | None = None
) -> list[Placed]:
    """Return the mistakes in the order of the file, the command line's last.

    ``overridden`` names the option that set a key.
    """
    lines = _lines_of(text)
    placed = []
    for mistake in found:
        option = next(
            (by for key, by in (overridden or {}).items() if _within(key, mistake.key)), None
        )
        line = None if option else _line_of(lines, mistake.key)
        placed.append(Placed(mistake, line, option))
    return sorted(placed, key=lambda one: one.line or math.inf)


def told_mistakes(
    path: Path,
    text: str,
    found: Sequence[Mistake],
    overridden: Mapping[str, str] | None = None,
) -> str:
    """Return all that is wrong with a file, a line each; ``overridden`` as above."""
    count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
    shown = [f"  {one.told()}" for one in placed(text, found, overridden)[:_MOST_TOLD]]
    if len(found) > _MOST_TOLD:
        shown.append(f"  … and {len(found) - _MOST_TOLD} more")
    return "\n".join([f"{printable(path)}: {count}", *shown])


def _within(one: str, other: str) -> bool:
    """Return whether one dotted key is the other, or lies in it, or holds it."""
    parts = zip(one.split("."), other.replace("[", ".").split("."), strict=False)
    return all(left == right for left, right in parts)


def _lines_of(text: str) -> dict[str, int]:
    """Return the line where each dotted key stands first (TOML keeps no lines).

    Tables of an array, [[rows]], are rows[0], rows[1] and so on.
    """
    lines: dict[str, int] = {}
    last: dict[str, int] = {}
    header = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            name = re.sub(r"[\"'\[ ]", "", stripped.partition("]")[0])
            header = here = _numbered(name, last, stripped.startswith("[["))
        else:
            name = stripped.partition("=")[0].strip(" \"'")
            here = f"{header}.{name}" if header else name
        while here not in lines:  # optim.lr = 1 begins optim too, where no header did
            lines[here] = number
            here = here.rpartition(".")[0]
    return lines


def _numbered(name: str, last: dict[str, int], opens: bool) -> str:
    """Return a header's name with the places of its tables; ``last`` has the last of each array."""
    *parents, own = name.split(".")
    path = ""
    for parent in parents:
        path += parent
        path += f"[{last[path]}]." if path in last else "."
    path += own
    if opens:
        last[path] = last.get(path, -1) + 1
    return f"{path}[{last[path]}]" if path in last else path


def _line_of(lines: dict[str, int], key: str) -> int | None:
    """Return the line of a dotted key, or of what holds it."""
    wanted = key
    while wanted and wanted not in lines:
        wanted = wanted[: max(wanted.rfind("."), wanted.rfind("["), 0)]
    return lines[wanted] if wanted else None
