"""Which runs a list shows, and in which order."""

import re
from collections.abc import Sequence

from cnn_core.runs.index import Row
from cnn_core.runs.select import filter_rows, sort_rows

# Whoever compares, quotes, joins or names a value of a section writes an expression; anything
# else are words to look for.
_SECTIONS = (
    "best|last|test|test_last|params|split|timing|config|data|model|freeze|augment|optim|train"
)
_EXPRESSION = re.compile(rf"[<>=!\"'()\[\]]|\b(?:and|or|not|in)\b|\b(?:{_SECTIONS})\.")
_SEARCHED = ("name", "id", "status", "dataset", "backbone", "freeze", "augmentation")
_ASCENDING = frozenset({"name", "id", "status", "dataset", "backbone", "freeze", "augmentation"})


def choose_rows(rows: Sequence[Row], wanted: str, sort: str) -> list[Row]:
    """Return the rows that match, sorted by keys such as ``-best.val_acc,name``.

    ``wanted`` is an expression of ``filter_rows``, or plain words: then each of them is found in
    the name, the tags, the data set, the backbone or another word of the row, in whatever case.
    Raises UserError for a wrong expression or sort key.
    """
    # Sorted before: a key that only hidden runs have is no mistake.
    ordered = sort_rows(list(rows), sort)
    if is_expression(wanted):
        return filter_rows(ordered, wanted)
    words = wanted.casefold().split()
    return [row for row in ordered if _holds(row, words)]


def is_expression(wanted: str) -> bool:
    """Return whether the text is meant as an expression, not as words to look for."""
    return bool(_EXPRESSION.search(wanted))


def sorted_by(sort: str, key: str) -> str:
    """Return the sort keys after a column was picked: its own order first, then the reverse."""
    first = sort.split(",")[0].strip()
    if first.removeprefix("-") == key:
        return key if first.startswith("-") else f"-{key}"
    return key if key in _ASCENDING else f"-{key}"


def tags_of(row: Row) -> list[str]:
    """Return the run's tags, whatever somebody wrote into its preset."""
    tags = row["tags"]
    return [*map(str, tags)] if isinstance(tags, list) else [str(tags)]


def _holds(row: Row, words: list[str]) -> bool:
    text = "\n".join([*(str(row[key]) for key in _SEARCHED), *tags_of(row)]).casefold()
    return all(word in text for word in words)
