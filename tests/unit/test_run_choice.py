"""Which runs a list shows: words, expressions, order; and which columns have room."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from app_support import Folder

from cnn_core.errors import UserError
from cnn_core.runs.changed import changed_settings
from cnn_core.runs.index import run_rows
from cnn_tui.output import age
from cnn_tui.run_choice import choose_rows, is_expression, sorted_by
from cnn_tui.run_facts import result_facts, settings_text
from cnn_tui.status import STATUS_COLOURS, STATUS_SIGNS
from cnn_tui.widgets.run_columns import COLUMNS, GAP, needed_widths, place_columns

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = Folder(tmp_path_factory.mktemp("choice"))
    folder.finished("alpha", accs=(0.5, 0.9))
    folder.finished("beta", "optim.lr=0.5", accs=(0.6,))
    folder.new(
        "Gamma [/] bold", "augment.transforms=[{name='horizontal_flip'}]", tags=("night run", "x")
    )
    return run_rows(folder.runs_dir)


def names(rows: Rows) -> list[str]:
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("", ["Gamma [/] bold", "alpha", "beta"]),
        ("ALPHA", ["alpha"]),
        ("night", ["Gamma [/] bold"]),
        ("gamma Horizontal_FLIP", ["Gamma [/] bold"]),
        ("gamma alexnet", []),
        ("queued", ["Gamma [/] bold"]),
        ("[/]", None),
        ("'[/]' in name", ["Gamma [/] bold"]),
        ("best.val_acc > 0.7", ["alpha"]),
        ("best.val_acc", ["alpha", "beta"]),
        ("best.val_ac", None),
        ('"a" in name and not status == "queued"', ["alpha", "beta"]),
        ("optim.lr == 0.5", ["beta"]),
        ("name ==", None),
    ],
)
def test_words_or_an_expression_choose(rows: Rows, wanted: str, kept: list[str] | None) -> None:
    if kept is None:
        with pytest.raises(UserError):
            choose_rows(rows, wanted, "name")
    else:
        assert names(choose_rows(rows, wanted, "name")) == kept


@pytest.mark.parametrize(
    "words", ["alexnet", "cats-dogs", "resnet18.a1_in1k", "tests.best", "android", "notes", "2026"]
)
def test_words_are_no_expressions(words: str) -> None:
    assert not is_expression(words)


def test_a_sort_key_of_hidden_runs_is_no_mistake(rows: Rows) -> None:
    assert names(choose_rows(rows, "gamma", "-test.acc,name")) == ["Gamma [/] bold"]
    with pytest.raises(UserError, match=r"did you mean 'best.val_acc'"):
        choose_rows(rows, "", "best.val_ac")


def test_a_column_picked_again_turns_the_order_round() -> None:
    assert sorted_by("-created", "name") == "name"
    assert sorted_by("name", "name") == "-name"
    assert sorted_by("name", "best.val_acc") == "-best.val_acc"
    assert sorted_by("-best.val_acc,name", "best.val_acc") == "best.val_acc"


@pytest.mark.parametrize("width", [10, 40, 66, 80, 100, 120, 160, 200, 260])
def test_columns_fit_and_the_most_telling_stay(rows: Rows, width: int) -> None:
    placed = place_columns(needed_widths(rows, {}, {}), 3, width)
    shown = [item.column.title for item in placed]
    assert {"name", "best val", "test", "epoch", "age"} <= set(shown)
    for before, after in pairwise(placed):
        assert after.x == before.x + before.width + GAP
    if width >= 80:
        assert placed[-1].x + placed[-1].width < width
    assert ("status" in shown) >= ("data set" in shown) >= ("backbone" in shown)


def test_a_column_in_which_nothing_stands_takes_no_room(rows: Rows) -> None:
    untagged = [row for row in rows if not row["tags"]]
    assert not any(column.title == "tags" for column in needed_widths(untagged, {}, {}))
    assert any(column.title == "tags" for column in needed_widths(rows, {}, {}))
    assert len(needed_widths(rows, {}, {})) == len(COLUMNS)
    assert needed_widths([], {}, needed_widths(rows, {}, {})) == needed_widths(rows, {}, {})


def test_every_status_has_a_sign_of_its_own_and_a_colour(rows: Rows) -> None:
    assert STATUS_SIGNS.keys() == STATUS_COLOURS.keys()
    assert len(set(STATUS_SIGNS.values())) == len(STATUS_SIGNS)


@pytest.mark.parametrize(
    ("passed", "told"), [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (9e5, "10 d")]
)
def test_ages(passed: float, told: str) -> None:
    assert age(1000.0, 1000.0 + passed) == told
    assert age(None) is None


def test_settings_are_compared_with_the_preset_the_run_was_made_with(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.new("digits", "optim.lr=0.5")
    (row,) = run_rows(tmp_path)
    row["name"] = "called otherwise since"
    against, changed = changed_settings(row)
    assert (against, changed) == ("preset digits", {"optim.lr": (0.5, 0.03)})
    assert (
        settings_text(against, changed).plain == "other than preset digits\noptim.lr = 0.5 (0.03)"
    )


def test_settings_without_a_preset_are_compared_with_the_defaults(rows: Rows) -> None:
    row = next(row for row in rows if row["name"] == "beta")
    against, changed = changed_settings(row)
    assert against == "the defaults"
    assert changed["optim.lr"] == (0.5, 0.01)
    assert "name" not in changed
    damaged = row | {"config": {"data": {"dataset": 3}}}
    assert settings_text(*changed_settings(damaged)).plain.startswith("other than")


def test_facts_tell_the_result_or_the_error(rows: Rows, tmp_path: Path) -> None:
    row = next(row for row in rows if row["name"] == "alpha")
    facts = {name: value.plain for name, value in result_facts(row, tmp_path)}
    assert facts["best val"] == "90.00% in epoch 2"
    assert facts["test"] == "90.00%"
    assert "error" not in facts
    failed = row | {"status": "failed", "error": "no space\x1b[31m\nleft"}
    facts = {name: value.plain for name, value in result_facts(failed, tmp_path)}
    assert facts["error"] == "no space\\x1b[31m\nleft"
    assert facts["log"] == str(tmp_path / "log.txt")
