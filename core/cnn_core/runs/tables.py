"""Tables of text as Markdown and LaTeX, for reports and papers."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from cnn_core.errors import printable


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header; None: not known.

    ``right`` holds the columns that align to the right, ``bold`` the (row, column) of cells that
    stand out.
    """

    columns: list[str]
    rows: list[list[str | None]]
    right: frozenset[int] = frozenset()
    bold: frozenset[tuple[int, int]] = frozenset()


def to_markdown(table: Table) -> str:
    """Return a table of GitHub's Markdown, whatever characters the cells hold."""
    rules = ["---:" if index in table.right else "---" for index in range(len(table.columns))]
    lines = [
        [markdown_text(column) for column in table.columns],
        rules,
        *_cells(table, markdown_text, lambda text: f"**{text}**"),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_cell(value: object) -> object:
    """Return what a cell of CSV holds of a value: text without what terminals or sheets obey.

    Control characters are escaped, and what a spreadsheet would take for a formula begins with
    an apostrophe. Numbers stay.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def to_latex(table: Table) -> str:
    r"""Return a tabular with the rules of booktabs (``\usepackage{booktabs}``).

    What LaTeX reads as a command is escaped. Letters beyond its 8-bit fonts stay as they are:
    XeLaTeX and LuaLaTeX set them.
    """
    aligned = "".join("r" if index in table.right else "l" for index in range(len(table.columns)))
    header = [_latex(column) for column in table.columns]
    rows = _cells(table, _latex, lambda text: rf"\textbf{{{text}}}")
    lines = [
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        _latex_row(header),
        r"\midrule",
        *map(_latex_row, rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _cells(
    table: Table, escape: Callable[[str], str], embolden: Callable[[str], str]
) -> list[list[str]]:
    return [
        [
            embolden(text) if (row, column) in table.bold else text
            for column, text in enumerate(escape("–" if cell is None else cell) for cell in cells)
        ]
        for row, cells in enumerate(table.rows)
    ]


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def markdown_text(text: str) -> str:
    """Return text that GitHub's Markdown shows as it is, in a cell or inside a line."""
    return re.sub(r"([\\`*_\[\]<>|~$&])", r"\\\1", printable(text))


_LATEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    **{char: f"{{{char}}}" for char in "[]*"},  # after \\ they would be its arguments
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    '"': r"\symbol{34}",  # babel takes it for a command in some languages
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _latex(text: str) -> str:
    escaped = "".join(_LATEX.get(char, char) for char in printable(text))
    return re.sub("-(?=-)", "-{}", escaped)  # -- would be a dash
