"""Comparisons as Markdown and LaTeX with hostile names; the best run of each backbone."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cnn_core.runs.compare import compare
from cnn_core.runs.pivot import Cell, pivot
from cnn_core.runs.summary_state import RunSummary
from cnn_core.runs.tables import Table, to_latex, to_markdown

NASTY = r"a & b % _ # {c} \ d | e ~ ^ $x$ <y> `z` --- Ünïcode 猫 –"


def summary(
    name: str,
    val_acc: float | None = None,
    test_acc: float | None = None,
    *,
    run_id: str = "",
    data: dict[str, Any] | None = None,
    backbone: str = "cnn",
    lr: float = 0.1,
) -> dict[str, Any]:
    config = {
        "name": name,
        "data": data or {"dataset": "digits"},
        "model": {"backbone": backbone},
        "optim": {"lr": lr},
    }
    document = RunSummary(run_id or f"id-{name}", config, 1.0).document()
    document["best"] |= {"val_acc": val_acc, "epoch": 3}
    document["test"] |= {"acc": test_acc}
    document["timing"] |= {"total_s": 12.34}
    document["params"] |= {"total": 1234567}
    return document


def test_markdown_has_a_row_for_each_run_with_the_best_in_bold() -> None:
    text = compare([summary("slow", 0.5, lr=0.01), summary("fast", 0.75, lr=0.1)]).as_markdown()
    header, rule, slow, fast = text.splitlines()
    assert header.startswith(
        "| run | optim.lr | val acc (%) | best epoch | test acc (%) | time (s)"
    )
    assert rule == "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert slow == "| slow | 0.01 | 50.00 | 3 | – | **12.3** | 1,234,567 | – |"
    assert fast == "| fast | 0.1 | **75.00** | 3 | – | **12.3** | 1,234,567 | – |"


def test_latex_is_a_booktabs_table() -> None:
    text = compare([summary("slow", 0.5), summary("fast", 0.75)]).as_latex()
    assert text.splitlines() == [
        r"\begin{tabular}{lrrrrrr}",
        r"\toprule",
        r"run & val acc (\%) & best epoch & test acc (\%) & time (s) & parameters & trainable \\",
        r"\midrule",
        r"slow & 50.00 & 3 & – & \textbf{12.3} & 1,234,567 & – \\",
        r"fast & \textbf{75.00} & 3 & – & \textbf{12.3} & 1,234,567 & – \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_names_that_several_runs_share_give_way_to_ids() -> None:
    text = compare([summary("same", run_id="one"), summary("same", run_id="two")]).as_markdown()
    assert [line.split(" | ")[0] for line in text.splitlines()[2:]] == ["| one", "| two"]


def test_latex_escapes_what_it_would_obey() -> None:
    text = to_latex(Table(columns=["x"], rows=[[NASTY], ["[1ex] first"], ["*"], ["é\x1b[31m"]]))
    rows = text.splitlines()[4:-2]
    assert rows == [
        r"a \& b \% \_ \# \{c\} \textbackslash{} d \textbar{} e \textasciitilde{} "
        r"\textasciicircum{} \$x\$ \textless{}y\textgreater{} "
        r"\textasciigrave{}z\textasciigrave{} -{}-{}- Ünïcode 猫 – \\",
        r"{[}1ex{]} first \\",
        r"{*} \\",
        r"é\textbackslash{}x1b{[}31m \\",
    ]


def test_markdown_escapes_what_it_would_obey() -> None:
    text = to_markdown(
        Table(columns=["x|y"], rows=[["a|b\\"], ["**_[l](u)_** <b>"], ["two\nlines"]])
    )
    assert text.splitlines() == [
        r"| x\|y |",
        "| --- |",
        r"| a\|b\\ |",
        r"| \*\*\_\[l\](u)\_\*\* \<b\> |",
        r"| two\\nlines |",
    ]


@given(st.lists(st.tuples(st.text(), st.none() | st.text()), min_size=1, max_size=4))
def test_any_text_keeps_rows_and_columns(cells: list[tuple[str, str | None]]) -> None:
    table = Table(columns=["a", "b"], rows=[list(row) for row in cells])
    for line in to_markdown(table).splitlines():
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    lines = to_latex(table).splitlines()
    assert len(lines) == len(cells) + 6
    for line in lines[4:-2]:
        assert len(re.findall(r"(?<!\\)&", line)) == 1
        assert line.endswith(r" \\")
        assert not re.search(r"(?<!\\)[%#$]", line)


def test_pivot_shows_the_test_accuracy_of_the_run_chosen_by_validation() -> None:
    made = pivot(
        [
            summary("a", 0.8, 0.90),
            summary("b", 0.9, 0.70),
            summary("c", None, 0.95),
            summary("d", float("nan"), 0.99),
            summary("e", None, 0.4, backbone="alexnet"),
            summary("f", None, 0.6, backbone="alexnet"),
        ]
    )
    assert made.datasets == ["digits"]
    assert made.backbones == ["cnn", "alexnet"]
    assert made.cells == {
        ("digits", "cnn"): Cell(4, 0.9, 0.70),
        ("digits", "alexnet"): Cell(2, None, 0.6),
    }


def test_pivot_keeps_apart_what_is_not_the_same_data() -> None:
    made = pivot(
        [
            summary("a", data={"dataset": "folder", "root": "flowers"}),
            summary("b", data={"dataset": "folder", "root": "birds"}),
            summary("c", data={"dataset": "cifar10", "classes": ["cat", "dog"]}),
            summary("d", data={"dataset": "cifar10", "classes": []}),
        ]
    )
    assert made.datasets == ["folder flowers", "folder birds", "cifar10 (2 classes)", "cifar10"]
    assert pivot([]).cells == {}


def test_pivot_of_damaged_configs() -> None:
    document = summary("a") | {"config": {"data": 3}}
    assert pivot([document]).cells == {("?", "?"): Cell(1, None, None)}
