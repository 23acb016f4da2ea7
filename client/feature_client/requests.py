"""The calls: what goes to which route, and how its answer is read. Nothing here sends anything."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlencode

from feature_client import arrow
from feature_client.answers import FeatureAnswer
from feature_client.errors import InvalidRequest
from feature_client.frames import is_pandas
from feature_client.reports import Health, PushReport, ValidationResult
from feature_client.rows import Rows, columns_of

As = Literal["answer", "pandas", "arrow"]
Include = Literal["statuses", "event_timestamps"]
To = Literal["online", "offline", "online_and_offline"]
TimestampUnit = Literal["s", "ms", "us", "ns"]
Detail = Literal["none", "failed", "all"]

T = TypeVar("T")

READ = "/get-online-features"
PUSH = "/push"
WRITE = "/write-to-online-store"
VALIDATE = "/validate"

# Frames from here on are pushed as Arrow streams: below, their making takes longer than that of JSON.
ARROW_ROWS = 200

_JSON_HEADERS = {"content-type": "application/json"}
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and the reading of its answer. `target` is a path and a query."""

    method: str
    target: str
    read: Callable[[bytes], T]
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    # Statuses besides 2xx whose bodies `read` understands.
    also: Collection[int] = ()


def read_call(
    features: Sequence[str] | None,
    feature_service: str | None,
    entities: Rows,
    full_feature_names: bool,
    as_: As,
    include: Collection[Include],
) -> Call[Any]:
    """A read. Raises InvalidRequest for ids that JSON can't hold, ImportError where `as_` needs what isn't installed. Hot."""
    body: dict[str, Any] = {"entities": columns_of(entities)}
    if features is not None:
        body["features"] = _listed("features", features)
    if feature_service is not None:
        body["feature_service"] = feature_service
    if full_feature_names:
        body["full_feature_names"] = True
    if as_ == "answer":
        return Call("POST", READ, FeatureAnswer.from_json, _json(body), _JSON_HEADERS)
    if as_ not in ("pandas", "arrow"):
        raise ValueError(f"as_ must be 'answer', 'pandas' or 'arrow', not {as_!r}")
    arrow.required("pyarrow", as_)
    if as_ == "pandas":
        arrow.required("pandas", as_)
    target = READ + (f"?include={','.join(_listed('include', include))}" if include else "")
    read = arrow.read_frame if as_ == "pandas" else arrow.read_table
    return Call("POST", target, read, _json(body), {**_JSON_HEADERS, "accept": arrow.MEDIA_TYPE})


def push_call(
    source: str, rows: Rows, to: To, timestamp_unit: TimestampUnit | None, detail: Detail, request_id: str | None
) -> Call[PushReport]:
    """A push: of an Arrow table or a large frame as an Arrow stream, else as JSON. Raises InvalidRequest as `columns_of`."""
    named = {} if request_id is None else {"x-request-id": request_id}
    table = _as_table(rows)
    if table is None:
        body = {"push_source_name": source, "df": columns_of(rows), "to": to, **_unit(timestamp_unit)}
        return Call("POST", _detailed(PUSH, detail), _report, _json(body), {**_JSON_HEADERS, **named})
    query = {"push_source": source, "to": to, "detail": detail, **_unit(timestamp_unit)}
    headers = {"content-type": arrow.MEDIA_TYPE, **named}
    return Call("POST", f"{PUSH}?{urlencode(query)}", _report, arrow.stream_of(table), headers)


def write_call(
    view: str, rows: Rows, timestamp_unit: TimestampUnit | None, transform_on_write: bool, detail: Detail
) -> Call[PushReport]:
    """A push to one feature view."""
    body: dict[str, Any] = {"feature_view_name": view, "df": columns_of(rows), **_unit(timestamp_unit)}
    if not transform_on_write:
        body["transform_on_write"] = False
    return Call("POST", _detailed(WRITE, detail), _report, _json(body), _JSON_HEADERS)


def validate_call(
    named: Mapping[str, str],
    rows: Rows,
    timestamp_unit: TimestampUnit | None,
    result_format: str | Mapping[str, Any] | None,
    expectation_parameters: Mapping[str, Any] | None,
) -> Call[ValidationResult]:
    """A check of rows; `named` is the `suite` or the `push_source`."""
    body: dict[str, Any] = {**named, "df": columns_of(rows), **_unit(timestamp_unit)}
    if result_format is not None:
        body["result_format"] = result_format
    if expectation_parameters is not None:
        body["expectation_parameters"] = expectation_parameters
    return Call("POST", VALIDATE, _validation, _json(body), _JSON_HEADERS)


def catalog_call() -> Call[dict[str, Any]]:
    """What there is to ask for."""
    return Call("GET", "/catalog", json.loads)


def health_call() -> Call[Health]:
    """Whether the server is ready; 503 is an answer here, too."""
    return Call("GET", "/health/ready", _health, also=(503,))


def _as_table(rows: Rows) -> Any:
    """The Arrow table that rows are pushed as; None where JSON is."""
    if is_pandas(rows):
        frame: Any = rows
        return arrow.plain_table(frame) if len(frame) >= ARROW_ROWS and arrow.is_installed() else None
    return arrow.table_of(rows) if hasattr(rows, "__arrow_c_stream__") else None


def _listed(name: str, items: Collection[str]) -> list[str]:
    """A string is a collection of strings, too, and never what is meant."""
    if isinstance(items, str):
        raise InvalidRequest.because(f"{name} must be a list of strings, not the string {items!r}.", name)
    return list(items)


def _detailed(path: str, detail: Detail) -> str:
    return path if detail == "failed" else f"{path}?detail={detail}"


def _unit(unit: TimestampUnit | None) -> dict[str, str]:
    return {} if unit is None else {"timestamp_unit": unit}


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return _encode(body).encode()
    except (TypeError, ValueError) as error:
        raise InvalidRequest.because(f"The request can't be written as JSON: {error}.") from error


def _report(content: bytes) -> PushReport:
    return PushReport.from_json(json.loads(content))


def _validation(content: bytes) -> ValidationResult:
    return ValidationResult.from_json(json.loads(content))


def _health(content: bytes) -> Health:
    return Health.from_json(json.loads(content))
