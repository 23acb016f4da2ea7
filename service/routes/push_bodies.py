"""The JSON bodies that bring rows, by column or by row: those of /push, /write-to-online-store and /validate."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from service.codec.event_times import UNITS
from service.columns import ragged
from service.errors import InvalidRequest, MalformedRequest, Problem
from service.keys import describe, shorten
from service.routes.parsing import BodyParser, Field, columns, flag, mistyped, of_kind, one_of

# Levels of lists and objects in a value, as many as Arrow allows (arrow/ipc/options.h, kMaxNestingDepth). More would get
# past the parser, and be too many for what looks into values by recursion.
DEEPEST = 64

Unit = Literal["s", "ms", "us", "ns"]
To = Literal["online", "offline", "online_and_offline"]
_ROWS = "a list of objects, one for each row"
_NESTED = frozenset({list, dict})


class RowsBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What all bodies that bring rows have."""

    df: dict[str, list[Any]] | None = None
    rows: list[dict[str, Any]] | None = None
    timestamp_unit: Unit | None = None


class PushBody(RowsBody, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The body of /push."""

    push_source_name: str
    to: To = "online"
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class WriteBody(RowsBody, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The body of /write-to-online-store."""

    feature_view_name: str
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class ValidateBody(RowsBody, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The body of /validate."""

    suite: str | None = None
    push_source: str | None = None
    result_format: str | dict[str, Any] = "SUMMARY"
    expectation_parameters: dict[str, Any] = {}


def _check_rows(name: str, value: Any) -> Iterator[Problem]:
    if value is None:
        return
    if not isinstance(value, list):
        yield mistyped(name, _ROWS, value)
        return
    for row, item in enumerate(value):
        if not isinstance(item, dict):
            yield Problem(f"A row is an object of columns, not {describe(item)}.", name, row)


def _check_df(name: str, value: Any) -> Iterator[Problem]:
    if value is not None:
        yield from columns("values").check(name, value)


_UNIT = one_of(*UNITS)


def _check_unit(name: str, value: Any) -> Iterator[Problem]:
    if value is not None:
        yield from _UNIT.check(name, value)


_OF_ROWS = {
    "df": Field("an object of columns, each a list of values", _check_df),
    "rows": Field(_ROWS, _check_rows),
    "timestamp_unit": Field(_UNIT.wanted, _check_unit),
}
_OF_WRITES = {**_OF_ROWS, "allow_registry_cache": flag(), "transform_on_write": flag()}
_push = BodyParser(
    PushBody,
    {
        "push_source_name": of_kind("a string", str, required=True),
        "to": one_of("online", "offline", "online_and_offline"),
        **_OF_WRITES,
    },
)
_write = BodyParser(WriteBody, {"feature_view_name": of_kind("a string", str, required=True), **_OF_WRITES})
_validate = BodyParser(
    ValidateBody,
    {
        "suite": of_kind("a string", str, type(None)),
        "push_source": of_kind("a string", str, type(None)),
        "result_format": of_kind("a string or an object", str, dict),
        "expectation_parameters": of_kind("an object", dict),
        **_OF_ROWS,
    },
)


def parse_push(data: bytes) -> PushBody:
    """Raises MalformedRequest, InvalidRequest. Hot."""
    body = _push.parse(data)
    _check_depth(data, body)
    return body


def parse_write(data: bytes) -> WriteBody:
    """As parse_push."""
    body = _write.parse(data)
    _check_depth(data, body)
    return body


def parse_validate(data: bytes) -> ValidateBody:
    """As parse_push."""
    body = _validate.parse(data)
    _check_depth(data, body, body.expectation_parameters)
    return body


def _check_depth(data: bytes, body: RowsBody, *others: Any) -> None:
    """Raise MalformedRequest for a body whose values are nested too deeply. Hot: few bodies have enough brackets for that."""
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return
    level: list[Any] = [*(body.df or {}).values(), *(body.rows or ()), *others]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for value in level:
            items = value.values() if type(value) is dict else value
            if not _NESTED.isdisjoint(map(type, items)):
                inner += [item for item in items if type(item) in _NESTED]
        if not inner:
            return
        level = inner
    raise MalformedRequest.because(f"The body has values that are nested more than {DEEPEST} levels deep.")


def columns_of(body: RowsBody) -> tuple[Mapping[str, Sequence[Any]], int]:
    """The columns of a body and the number of rows; raises InvalidRequest where it has neither, both, or ragged ones."""
    if (body.df is None) == (body.rows is None):
        message = "Give the rows either as df, an object of columns, or as rows, a list of objects."
        raise InvalidRequest.because(message, "df")
    if body.df is None:
        return _by_column(body.rows or [])
    lengths = {len(column) for column in body.df.values()}
    if len(lengths) > 1:
        raise InvalidRequest(ragged(body.df, "df"))
    return body.df, lengths.pop() if lengths else 0


def _by_column(rows: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Sequence[Any]], int]:
    if not rows:
        return {}, 0
    names = rows[0].keys()
    if any(row.keys() != names for row in rows):
        raise InvalidRequest(_uneven(rows))
    return {name: [row[name] for row in rows] for name in names}, len(rows)


def _uneven(rows: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    names = rows[0].keys()
    for number, row in enumerate(rows):
        for name in sorted(names - row.keys()):
            yield Problem(f"The row has no {shorten(name)}, which row 0 has; null is written null.", shorten(name), number)
        for name in sorted(row.keys() - names):
            yield Problem(f"The row has {shorten(name)}, which row 0 doesn't have.", shorten(name), number)
