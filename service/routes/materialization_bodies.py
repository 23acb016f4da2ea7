"""The bodies of materializations: read, checked field by field, and made into jobs."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from service.errors import InvalidRequest, Problem
from service.keys import shorten
from service.materialization.job import Job, as_utc
from service.routes.parsing import BodyParser, Field, flag, mistyped, of_kind


class MaterializeBody(msgspec.Struct, forbid_unknown_fields=True):
    """Stock's MaterializeRequest; an incremental one has no start."""

    end_ts: str | None = None
    feature_views: list[str] | None = None
    full_feature_names: bool = False
    version: str | None = None
    start_ts: str | None = None
    disable_event_timestamp: bool = False


class IncrementalBody(msgspec.Struct, forbid_unknown_fields=True):
    """Stock's MaterializeIncrementalRequest."""

    end_ts: str
    feature_views: list[str] | None = None
    full_feature_names: bool = False
    version: str | None = None


def _names(name: str, value: Any) -> Iterator[Problem]:
    if value is not None and (not isinstance(value, list) or not all(isinstance(each, str) for each in value)):
        yield mistyped(name, "a list of names of feature views", value)


_TEXT = of_kind("a string", str, type(None))
_FIELDS = {
    "end_ts": of_kind("a time as an ISO 8601 string", str, type(None)),
    "feature_views": Field("a list of names of feature views", _names),
    "full_feature_names": flag(),
    "version": _TEXT,
}
_incremental = BodyParser(IncrementalBody, {**_FIELDS, "end_ts": of_kind("a time as an ISO 8601 string", str, required=True)})
_whole = BodyParser(MaterializeBody, {"start_ts": _FIELDS["end_ts"], **_FIELDS, "disable_event_timestamp": flag()})


def parse_materialize(data: bytes, rows_per_second: float | None) -> Job:
    """The job of an interval; raises MalformedRequest, InvalidRequest."""
    body = _whole.parse(data)
    problems: list[Problem] = []
    _check_views(body.feature_views, problems)
    start = _time("start_ts", body.start_ts, problems)
    end = _time("end_ts", body.end_ts, problems)
    if not body.disable_event_timestamp:
        problems += [
            Problem(f"{name} is missing: it is needed unless disable_event_timestamp is true.", name)
            for name, given in (("start_ts", body.start_ts), ("end_ts", body.end_ts))
            if given is None
        ]
        if start is not None and end is not None and start >= end:
            problems.append(Problem(f"start_ts must be before end_ts, {body.end_ts}, not {body.start_ts}.", "start_ts"))
    if problems:
        raise InvalidRequest(problems)
    now = datetime.now(UTC)
    views = tuple(body.feature_views) if body.feature_views else None
    return Job(
        start or now,
        end or now,
        views,
        body.disable_event_timestamp,
        body.full_feature_names,
        body.version,
        rows_per_second=rows_per_second,
    )


def parse_incremental(data: bytes, rows_per_second: float | None) -> Job:
    """The job of what is new; raises MalformedRequest, InvalidRequest."""
    body = _incremental.parse(data)
    problems: list[Problem] = []
    end = _time("end_ts", body.end_ts, problems)
    _check_views(body.feature_views, problems)
    if end is None or problems:
        raise InvalidRequest(problems)
    views = tuple(body.feature_views) if body.feature_views else None
    return Job(None, end, views, False, body.full_feature_names, body.version, rows_per_second=rows_per_second)


def _time(name: str, text: str | None, problems: list[Problem]) -> datetime | None:
    if text is None:
        return None
    try:
        return as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        wanted = 'a time as an ISO 8601 string such as "2026-01-31T10:00:00Z"'
        problems.append(mistyped(name, wanted, text))
        return None


def _check_views(names: Sequence[str] | None, problems: list[Problem]) -> None:
    if names is not None and not names:
        problems.append(Problem("feature_views is empty: name some, or leave it out for all.", "feature_views"))
    twice = sorted({name for name in names or () if (names or []).count(name) > 1})
    problems += [Problem(f"feature_views has {shorten(name)} more than once.", "feature_views") for name in twice]
