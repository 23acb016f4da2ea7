"""From a row condition to a filter.

Row conditions end up as texts for `pandas.DataFrame.query`, which can be nearly any expression. Compiled are comparisons of a
column with a constant, membership, nullity, and what joins them; the rest is left to GX.
"""

import ast
import io
import keyword
import tokenize
from typing import Any

from service.suites.conditions import (
    AndCondition,
    ComparisonCondition,
    Condition,
    NullityCondition,
    OrCondition,
    PassThroughCondition,
    UnreadableCondition,
)
from service.suites.filters import Combination, Comparison, Filter, Membership, Negation, Nullity, RowCondition

_OPERATORS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ASKS_FOR_NULL = {"isnull": True, "isna": True, "notnull": False, "notna": False}
# Names that a query resolves although no column has them.
_INDEX_NAMES = {"index", "ilevel_0"}


def compile_condition(condition: Condition) -> RowCondition:
    """A row condition that can be evaluated here; raises UnreadableCondition for one that only pandas can."""
    return RowCondition(_compile(condition))


def _compile(condition: Condition) -> Filter:
    if isinstance(condition, ComparisonCondition):
        return _compile_comparison(condition)
    if isinstance(condition, NullityCondition):
        return Nullity(_plain(condition.column.name), null=condition.is_null)
    if isinstance(condition, AndCondition | OrCondition) and condition.conditions:
        return Combination(
            [_compile(part) for part in condition.conditions], all if isinstance(condition, AndCondition) else any
        )
    if isinstance(condition, PassThroughCondition):
        return _parse(condition.pass_through_filter)
    raise UnreadableCondition("the row_condition is empty")


def _compile_comparison(condition: ComparisonCondition) -> Filter:
    name, parameter = _plain(condition.column.name), condition.parameter
    if condition.operator in ("IN", "NOT_IN"):
        return Membership(name, [_constant(item) for item in parameter], inverted=condition.operator == "NOT_IN")
    return _comparison(name, condition.operator, parameter)


def _comparison(name: str, symbol: str, constant: Any) -> Filter:
    """Pandas makes of "is equal to a text" that it is in a list of this one."""
    if type(constant) is str and symbol in ("==", "!="):
        return Membership(name, [constant], inverted=symbol == "!=")
    return Comparison(name, symbol, _constant(constant))


def _plain(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name) or name in _INDEX_NAMES:
        raise UnreadableCondition(f"the column {name!r} of a row_condition isn't a plain name")
    return name


def _constant(value: Any) -> Any:
    if type(value) in (int, str, bool) or (type(value) is float and abs(value) < float("inf")):
        return value
    raise UnreadableCondition(f"{value!r} in a row_condition isn't a plain constant")


def _parse(text: str) -> Filter:
    try:
        tree = ast.parse(_with_words(text), mode="eval")
    except (SyntaxError, ValueError, tokenize.TokenError) as error:
        raise UnreadableCondition(f"row_condition {text!r} can't be read: {error}") from None
    return _read(tree.body)


def _with_words(text: str) -> str:
    """As pandas does before it parses: & and | bind like "and" and "or"."""
    words = {"&": "and", "|": "or"}
    tokens = tokenize.generate_tokens(io.StringIO(text.strip()).readline)
    return tokenize.untokenize((tokenize.NAME, words[text]) if text in words else (kind, text) for kind, text, *_ in tokens)


def _read(node: ast.expr) -> Filter:
    match node:
        case ast.BoolOp(op=joint, values=parts):
            return Combination([_read(part) for part in parts], all if isinstance(joint, ast.And) else any)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=ast.Compare() | ast.Call() | ast.BoolOp() as operand):
            return Negation(_read(operand))
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[], keywords=[]) if (
            method in _ASKS_FOR_NULL
        ):
            return Nullity(_plain(name), null=_ASKS_FOR_NULL[method])
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _read_comparison(left, op, right)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            lefts = [left, *rights[:-1]]
            return Combination([_read_comparison(*parts) for parts in zip(lefts, ops, rights, strict=True)], all)
    raise UnreadableCondition(f"row_condition {ast.unparse(node)!r} is more than comparisons with constants")


def _read_comparison(left: ast.expr, op: ast.cmpop, right: ast.expr) -> Filter:
    match left, right:
        case ast.Name(id=name), ast.List(elts=items) if isinstance(op, ast.In | ast.NotIn):
            return Membership(_plain(name), [_literal(item) for item in items], inverted=isinstance(op, ast.NotIn))
        case ast.Name(id=name), constant if type(op) in _OPERATORS:
            return _comparison(_plain(name), _OPERATORS[type(op)], _literal(constant))
        case constant, ast.Name(id=name) if type(op) in _OPERATORS:
            return _comparison(_plain(name), _MIRRORED[_OPERATORS[type(op)]], _literal(constant))
    raise UnreadableCondition("a comparison in the row_condition isn't of a column with a constant")


def _literal(node: ast.expr) -> Any:
    try:
        return _constant(ast.literal_eval(node))
    except (ValueError, TypeError):
        raise UnreadableCondition(f"{ast.unparse(node)!r} in a row_condition isn't a plain constant") from None
