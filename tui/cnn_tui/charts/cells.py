"""A grid of characters, each with the number of its style."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Span, Text

RULE = "┈"  # of the grid: quiet without colours, too


class Cells:
    """Rows from the top; a character that is two cells wide stands before an empty string."""

    def __init__(self, characters: list[list[str]], roles: list[list[int]]) -> None:
        self.characters, self.roles = characters, roles

    @classmethod
    def blank(cls, width: int, height: int) -> "Cells":
        """Return cells with nothing in them."""
        return cls(
            [[" "] * width for _ in range(height)],
            [[0] * width for _ in range(height)],
        )

    def put(self, column: int, row: int, text: str, role: int) -> int:
        """Write text into a row, cut at its end; return the column behind it."""
        characters, roles = self.characters[row], self.roles[row]
        for character in text:
            size = cell_len(character)
            if column < 0 or not size or column + size > len(characters):
                continue
            if not characters[column]:  # half of a wide character goes, so the other half must
                characters[column - 1] = " "
            if column + size < len(characters) and not characters[column + size]:
                characters[column + size] = " "
            characters[column : column + size] = [character, ""][:size]
            roles[column : column + size] = [role] * size
            column += size
        return column

    def insert(self, other: "Cells") -> None:
        """Put the rows of other cells above these."""
        self.characters[:0] = other.characters
        self.roles[:0] = other.roles

    def free(self, column: int, row: int, width: int) -> bool:
        """Return whether cells are inside and have nothing but a line of the grid."""
        part = self.characters[row][max(column, 0) : column + width]
        return column >= 0 and len(part) == width and set(part) <= {" ", RULE}

    def segments(self, styles: Sequence[Style]) -> list[list[Segment]]:
        """Return the rows, roles as styles; blanks go with what stands before them."""
        rows = []
        for characters, roles in zip(self.characters, self.roles, strict=True):
            row: list[Segment] = []
            start, current = 0, roles[0] if roles else 0
            for column, role in enumerate(roles):
                if role != current and characters[column] != " ":
                    if column > start:
                        row.append(Segment("".join(characters[start:column]), styles[current]))
                    start, current = column, role
            row.append(Segment("".join(characters[start:]), styles[current]))
            rows.append(row)
        return rows


def as_text(rows: Sequence[Sequence[Segment]]) -> Text:
    """Return rows of segments as lines of one text."""
    spans: list[Span] = []
    offset = 0
    for row in rows:
        for text, style, _ in row:
            if style is not None:
                spans.append(Span(offset, offset + len(text), style))
            offset += len(text)
        offset += 1
    plain = "\n".join("".join(segment.text for segment in row) for row in rows)
    return Text(plain, spans=spans, no_wrap=True, end="")
