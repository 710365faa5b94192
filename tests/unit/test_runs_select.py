"""Filter expressions and sort keys over rows; comparisons of runs."""

import csv
import io
import json
import math
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnn_core.errors import UserError
from cnn_core.runs.compare import compare
from cnn_core.runs.select import filter_rows, sort_rows
from cnn_core.runs.summary_state import RunSummary


def summary(
    name: str, val_acc: float | None, total_s: float | None = None, **config: Any
) -> dict[str, Any]:
    document = RunSummary(f"id-{name}", {"name": name, **config}, 1.0).document()
    document["best"] |= {"val_acc": val_acc, "epoch": 3}
    document["timing"] |= {"total_s": total_s}
    return document


def row(
    name: str, val_acc: float | None, status: str = "finished", **config: Any
) -> dict[str, Any]:
    return summary(name, val_acc, **config) | {"status": status, "freeze": "none"}


ROWS = [
    row("alexnet-a", 0.9, tags=["x"], optim={"lr": 0.1}, train={"batch_size": 128}),
    row("alexnet-b", 0.7, tags=["x", "y"], optim={"lr": 0.01}, train={"batch_size": "auto"}),
    row("vgg", None, "running", optim={"lr": 0.01}, freeze={"policy": "first:2"}),
    row("nan", math.nan, "diverged"),
]


def names(expression: str) -> str:
    return " ".join(row["name"] for row in filter_rows(ROWS, expression))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('status == "finished" and best.val_acc > 0.8', "alexnet-a"),
        ('"alexnet" in name', "alexnet-a alexnet-b"),
        ("optim.lr < 0.1", "alexnet-b vgg"),
        ("config.optim.lr < 0.1", "alexnet-b vgg"),
        ('"y" in tags', "alexnet-b"),
        ('"y" not in tags', "alexnet-a vgg nan"),
        ('status in ["running", "diverged"]', "vgg nan"),
        ('status in ("running",)', "vgg"),
        ("train.batch_size > 64", "alexnet-a"),
        ('train.batch_size == "auto"', "alexnet-b"),
        ("not best.val_acc", "vgg"),
        ("best.val_acc != 0.9", "alexnet-b nan"),
        ("0.6 < best.val_acc < 0.8 or status == 'running'", "alexnet-b vgg"),
        ("best.val_acc - optim.lr > 0.6", "alexnet-a alexnet-b"),
        ("best.val_acc / 0 > 1", ""),
        ("-best.val_acc < 0", "alexnet-a alexnet-b"),
        ("best.val_acc == None", ""),
        ('freeze == "none"', "alexnet-a alexnet-b vgg nan"),
        ('freeze.policy == "first:2"', "vgg"),
        ("status > 3", ""),
        ('name * 1000 == "x"', ""),
        ("  True  ", "alexnet-a alexnet-b vgg nan"),
    ],
)
def test_filters(expression: str, expected: str) -> None:
    assert names(expression) == expected


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("best.vall_acc > 1", "no run has 'best.vall_acc'; did you mean 'best.val_acc'"),
        ("optim.lrr > 1", "did you mean 'optim.lr'"),
        ("best > 1", "no run has 'best'"),
        ("best.val_acc = 0.8", "column 1"),
        ("status ==", "invalid syntax at its end"),
        ("status = 1 and", "at column"),
        ("", "invalid syntax"),
        ("a; b", "invalid syntax"),
        ("name.lower()", r"can't use 'name\.lower\(\)'"),
        ("'x'.upper", "can't use"),
        ("[x for x in tags]", "can't use"),
        ("name[0] == 'a'", r"can't use 'name\[0\]'"),
        ("9 ** 9 ** 9", "can't use 'Pow'"),
        ("1 << 99999999", "can't use"),
        ("lambda: 1", "can't use"),
        ("f'{name}'", "can't use"),
        ("b'x' == name", "can't use"),
        ("__import__('os')", "can't use"),
        ("(name := 1)", "can't use"),
        ("not " * 100 + "name", "nested too deeply"),
        ("(" * 240 + ")" * 240, "filter"),
        ("name == '" + "x" * 600 + "'", "longer than 500"),
        ("name == '\0'", "null|invalid"),
        ("name == '\ud800'", "surrogates"),
    ],
)
def test_refused_filters(expression: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        filter_rows(ROWS, expression)
    assert str(error.value).isprintable()


SYMBOLS = [*"()[].,+-*/<>=\"' \n\\", "**", "<<", "f'", "1e999", "999999999", "'x'"]
WORDS = ["and", "or", "not", "in", "is", "if", "else", "for", "lambda", "None", "0"]
NAMES = ["name", "best.val_acc", "tags", "optim.lr"]
PIECES = st.sampled_from([*SYMBOLS, *WORDS, *NAMES])


@settings(max_examples=250)
@given(st.text(max_size=60) | st.lists(PIECES, max_size=12).map(" ".join))
@example("'" + "x" * 400 + "' * 99999999 * 99999999")
@example("+".join(["9" * 40] * 11))
def test_any_filter_selects_or_is_a_user_error(expression: str) -> None:
    start = time.perf_counter()
    told = ""
    try:
        assert len(filter_rows(ROWS, expression)) <= len(ROWS)
    except UserError as error:
        told = str(error)
    assert told.isprintable()
    assert time.perf_counter() - start < 2


def test_filtering_no_rows() -> None:
    assert filter_rows([], "best.val_acc > 1") == []
    with pytest.raises(UserError):
        filter_rows([], "best.val_acc >")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("-best.val_acc", "alexnet-a alexnet-b vgg nan"),
        ("best.val_acc", "alexnet-b alexnet-a vgg nan"),
        ("-best.val_acc,name", "alexnet-a alexnet-b nan vgg"),
        ("optim.lr, -name", "vgg alexnet-b alexnet-a nan"),
        ("-train.batch_size", "alexnet-b alexnet-a vgg nan"),
        ("-name", "vgg nan alexnet-b alexnet-a"),
        ("tags", "vgg nan alexnet-a alexnet-b"),
    ],
)
def test_sorting(keys: str, expected: str) -> None:
    assert " ".join(row["name"] for row in sort_rows(ROWS, keys)) == expected


@pytest.mark.parametrize("keys", ["", "nme", "name,", "--name", "best"])
def test_unknown_sort_keys(keys: str) -> None:
    with pytest.raises(UserError, match="sort key: no run has"):
        sort_rows(ROWS, keys)


def test_comparison_shows_what_differs_and_what_is_best() -> None:
    comparison = compare(
        [
            summary("a", 0.5, 10.0, optim={"lr": 0.1, "name": "sgd"}, seed=1, notes="x"),
            summary("b", 0.7, 30.0, optim={"lr": 0.2, "name": "sgd"}, seed=1, notes="y"),
            summary("c", math.nan, optim={"lr": 0.1, "name": "sgd"}, seed=1, model={"w": [1, 2]}),
            summary("d", 0.7, 20.0, optim={"lr": 0.1, "name": "sgd"}, seed=1),
        ]
    )
    assert comparison.settings == {
        "optim.lr": [0.1, 0.2, 0.1, 0.1],
        "model.w": [None, None, [1, 2], None],
    }
    assert comparison.results["best_epoch"] == [3, 3, 3, 3]
    assert comparison.best == {"best_val_acc": [1, 3], "test_acc": [], "total_s": [0]}
    document = json.loads(json.dumps(comparison.as_dict()))
    assert document["runs"][1] == {"id": "id-b", "name": "b"}
    assert document["best"]["best_val_acc"] == ["id-b", "id-d"]


def test_comparison_as_csv() -> None:
    text = compare([summary('a "1", x', 0.5, w=[1]), summary("b\nb", None, w=[2])]).as_csv()
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["id"], first["name"], first["w"]) == ('id-a "1", x', 'a "1", x', "[1]")
    assert (first["best_val_acc"], second["best_val_acc"]) == ("0.5", "")
    assert second["name"] == r"b\nb"


def test_comparing_one_or_none() -> None:
    assert compare([summary("a", 0.5, w=1)]).settings == {}
    assert compare([]).as_dict()["runs"] == []
