"""Other people's text, wherever it is written: it steers no terminal, page, sheet or document."""

import csv
import io
import json
import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cnn_core.errors import CnnTuiError, did_you_mean, first_line, printable
from cnn_core.files import to_json
from cnn_core.report.blocks import Code, Document, Section, Words
from cnn_core.report.html import to_html
from cnn_core.report.markdown import to_markdown_files
from cnn_core.runs.tables import Table, csv_cell, to_latex, to_markdown
from cnn_tui.output import literal, literal_lines, sentence

PIECES = (
    *("\x1b[2J", "\x1b]0;t\x07", "\x9b", "\r", "\n", "\x08", "\x7f", "\u202e", "\u2066", "\u2028"),
    *("[bold]", "[/]", "[link=x]", "<b>", "</pre><script>", "&amp;", '"', "'", "|", "`", "```"),
    *("\\input{x}", "$x$", "%", "#", "{{ 1 }}", "{% x %}", "![x](y)", "=1+1", "@x", "\udcff", "\0"),
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=6).map("".join)
# Fonts draw these and no terminal obeys them; all else of these categories moves something.
STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")


def steers(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in STEERING]


@given(TEXTS)
def test_the_terminal_and_the_app_show_text_literally(text: str) -> None:
    shown = literal(text)
    assert not steers(shown.plain)
    assert not shown.spans
    lines = literal_lines(text).plain.split("\n")
    assert not steers("".join(lines))
    assert len(lines) == text.count("\n") + 1
    console = Console(file=io.StringIO(), force_terminal=True, width=10**6, highlight=False)
    console.print(shown, soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == f"{printable(text)}\n"


@given(TEXTS, TEXTS)
def test_errors_are_one_line_whatever_is_in_them(text: str, other: str) -> None:
    told = [sentence(error(text)) for error in (CnnTuiError, ValueError, KeyError)]
    told += [sentence(OSError(5, text, other)), first_line(RuntimeError(text))]
    told.append(printable(did_you_mean(text, [other, "x"])))
    assert not steers("".join(told))


@given(TEXTS)
def test_json_is_read_back_as_it_was_and_steers_nothing(text: str) -> None:
    for indent in (None, 2):
        written = to_json({text: [text, float("nan")]}, indent=indent)
        assert not [char for char in steers(written) if char != "\n" and char < "\ud800"]
        assert json.loads(written) == {text: [text, "NaN"]}


@given(TEXTS)
def test_a_cell_of_csv_is_text_and_no_formula(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerow([csv_cell(text), csv_cell(-1.5), csv_cell(None)])
    stream.seek(0)
    ((cell, number, nothing),) = csv.reader(stream)
    assert not steers(cell)
    assert cell[:1] not in ("=", "+", "-", "@")
    assert cell.removeprefix("'") == printable(text).removeprefix("'")
    assert (number, nothing) == ("-1.5", "")


@given(TEXTS)
def test_a_table_stays_one_in_markdown_and_latex(text: str) -> None:
    table = Table([text, "b"], [[text, None], ["x", text]])
    for lines in (to_markdown(table).splitlines(), to_latex(table).splitlines()):
        assert len(lines) in (4, 8)
        assert not steers("".join(lines))
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in to_markdown(table).splitlines())
    commands = set(re.findall(r"\\[a-z]+", to_latex(table)))
    assert commands <= {
        *(r"\begin", r"\end", r"\toprule", r"\midrule", r"\bottomrule", r"\symbol"),
        *(r"\textbackslash", r"\textasciitilde", r"\textasciicircum", r"\textasciigrave"),
        *(r"\textbar", r"\textless", r"\textgreater"),
    }


@settings(max_examples=12)  # each makes an environment of templates
@given(TEXTS)
def test_a_report_is_one_page_with_no_script(text: str) -> None:
    blocks = [Words(text), Code(text), Table([text], [[text]])]
    page = to_html(Document(text, (text,), (Section(text, "a", blocks),), text)).decode()
    empty = [Words(""), Code(""), Table([""], [[""]])]
    plain = to_html(Document("", ("",), (Section("", "a", empty),), "")).decode()
    assert page.count("<script") == plain.count("<script") == 0
    assert page.count("<b>") == plain.count("<b>")
    assert not [char for char in steers(page) if char != "\n"]
    written, _ = to_markdown_files(Document(text, (text,), (Section(text, "a", blocks),), ""), "f")
    assert not [char for char in steers(written) if char != "\n"]
