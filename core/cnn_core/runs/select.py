"""Which runs, in which order: filter expressions and sort keys over the rows of the index."""

import ast
import math
import operator
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from simpleeval import EvalWithCompoundTypes

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.runs.dotted import flatten, value_at
from cnn_core.runs.index import Row

_LONGEST = 500
_DEEPEST = 30
_ABSENT = object()
_Binary = Callable[[Any, Any], Any]


def filter_rows(rows: list[Row], expression: str) -> list[Row]:
    """Return the rows for which an expression holds, in the same order.

    ``status == "finished" and best.val_acc > 0.8``, ``"alexnet" in name``, ``optim.lr < 0.1``:
    comparisons, ``and``, ``or``, ``not``, ``in``, numbers, text, lists and + - * / over the keys
    of a row; settings go with or without ``config.`` before them. A comparison with a missing
    value, or of values that have no order, is False. Raises UserError for a syntax error, a name
    that no row has, anything else than the above, and an expression that is too long.
    """
    tree, names = _parse(expression)
    for name in names:
        _check_name(rows, name, "filter")
    evaluator = EvalWithCompoundTypes(operators=_OPERATORS, functions={})
    kept = []
    for row in rows:
        evaluator.names = {name: _value(row, name) for name in names}
        if evaluator.eval(expression, previously_parsed=tree):
            kept.append(row)
    return kept


def sort_rows(rows: list[Row], keys: str) -> list[Row]:
    """Return the rows sorted by keys such as ``-best.val_acc,name`` (-: the largest first).

    Rows without a value, or with NaN, come last either way. Text sorts after numbers, and rows
    that are equal keep their order. Raises UserError for a name that no row has.
    """
    rows = list(rows)
    for key in reversed(keys.split(",")):
        name = key.strip().removeprefix("-")
        _check_name(rows, name, "sort key")
        ranks = [_rank(_value(row, name)) for row in rows]
        known = [(rank, row) for rank, row in zip(ranks, rows, strict=True) if rank is not None]
        missing = [row for rank, row in zip(ranks, rows, strict=True) if rank is None]
        known.sort(key=lambda ranked: ranked[0], reverse=key.strip().startswith("-"))
        rows = [row for _, row in known] + missing
    return rows


def _value(row: Row, name: str, default: Any = None) -> Any:
    """Return the value that a name means: a key of the row, or else a setting."""
    for key in (name, f"config.{name}"):
        value = value_at(row, key, _ABSENT)
        if value is not _ABSENT and not isinstance(value, dict):
            return value
    return default


def _check_name(rows: list[Row], name: str, what: str) -> None:
    if not rows or any(_value(row, name, _ABSENT) is not _ABSENT for row in rows):
        return
    valid: set[str] = set()
    for row in rows:
        valid |= flatten({key: value for key, value in row.items() if key != "config"}).keys()
        valid |= flatten(row["config"]).keys()
    raise UserError(f"{what}: no run has {printable(name)!r}{did_you_mean(name, valid)}")


def _rank(value: Any) -> tuple[int, Any] | None:
    """Return what a value sorts by, None for a missing one."""
    if value is None or value != value:
        return None
    if isinstance(value, int | float):
        return 0, value
    return 1, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _parse(expression: str) -> tuple[ast.expr, list[str]]:
    """Return an expression with dotted names as single ones, and those names."""
    shown = f"filter {printable(expression[:_LONGEST])!r}"
    if len(expression) > _LONGEST:
        raise UserError(f"{shown}…: longer than {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd literals: they are the user's, not ours
            parsed = ast.parse(expression.strip(), mode="eval")
    except SyntaxError as error:
        place = f"column {error.offset}" if error.offset else "its end"
        raise UserError(f"{shown}: {printable(error.msg)} at {place}") from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise UserError(f"{shown}: {printable(error) or 'nested too deeply'}") from error
    names = _Names(expression.strip(), shown)
    return names.visit(parsed.body), sorted(names.found)


class _Names(ast.NodeTransformer):
    """Joins ``best.val_acc`` to one name, and refuses what a filter does not need.

    So no attribute, call or subscript of anything is ever evaluated.
    """

    def __init__(self, source: str, shown: str) -> None:
        self.found: set[str] = set()
        self._source = source
        self._shown = shown
        self._depth = 0

    def visit(self, node: ast.AST) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UserError(f"{self._shown}: nested too deeply")
        if not isinstance(node, _ALLOWED):
            self._refuse(node)
        result = super().visit(node)
        self._depth -= 1
        return result

    def visit_Name(self, node: ast.Name) -> ast.Name:
        self.found.add(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Name:
        parts: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self._refuse(node)
        name = ".".join([inner.id, *reversed(parts)])
        return self.visit_Name(ast.Name(name, ast.Load()))

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if not isinstance(node.value, str | int | float | None):
            self._refuse(node)
        return node

    def _refuse(self, node: ast.AST) -> NoReturn:
        text = ast.get_source_segment(self._source, node) or type(node).__name__
        raise UserError(
            f"{self._shown}: can't use {printable(text)!r}; "
            "a filter has comparisons, and, or, not, in, numbers, text, lists and + - * /"
        )


def _comparison(compare: _Binary) -> _Binary:
    def apply(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        try:
            return bool(compare(left, right))
        except TypeError:
            return False

    return apply


def _arithmetic(calculate: _Binary) -> _Binary:
    """Return an operation on numbers only, so that no text is ever multiplied."""

    def apply(left: Any, right: Any) -> Any:
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return None
        try:
            return calculate(left, right)
        except (ZeroDivisionError, OverflowError):
            return math.nan

    return apply


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: _comparison(operator.eq),
    ast.NotEq: _comparison(operator.ne),
    ast.Lt: _comparison(operator.lt),
    ast.LtE: _comparison(operator.le),
    ast.Gt: _comparison(operator.gt),
    ast.GtE: _comparison(operator.ge),
    ast.In: _comparison(lambda item, items: item in items),
    ast.NotIn: _comparison(lambda item, items: item not in items),
    ast.Add: _arithmetic(operator.add),
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _arithmetic(operator.mul),
    ast.Div: _arithmetic(operator.truediv),
    ast.USub: lambda value: _arithmetic(operator.sub)(0, value),
    ast.Not: operator.not_,
}
_ALLOWED = (
    *_OPERATORS,
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Compare),
    *(ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple, ast.Load),
)
