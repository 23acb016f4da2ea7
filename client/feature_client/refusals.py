"""Answers that are errors, to the errors that are raised."""

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from feature_client.errors import (
    FeatureClientError,
    InvalidRequest,
    NotFound,
    Refused,
    RowsRejected,
    ServerError,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
    WriteUnconfirmed,
    shown,
)

# What is told of a body that isn't a problem document, in characters.
SHOWN = 200

_KINDS: Mapping[str, type[Refused]] = {"rejected-rows": RowsRejected, "write-unconfirmed": WriteUnconfirmed}
# 502 and 504 come from what stands between, 504 from a computation that was over its time budget, too.
_STATUSES: Mapping[int, type[Refused]] = {404: NotFound, 413: TooLarge, 502: Unavailable, 503: Unavailable, 504: Unavailable}


def refusal(response: httpx.Response) -> FeatureClientError:
    """The error that an answer without success is; its body may be anything, a proxy's page for one."""
    status = response.status_code
    if status < 400:
        return UnexpectedAnswer(f"{shown(response.url)} answered HTTP {status}, which the feature service never does.")
    body = _document(response)
    kind = str(body.get("type", "")).rpartition(":")[2]
    cls = _KINDS.get(kind) or _STATUSES.get(status) or (InvalidRequest if status < 500 else ServerError)
    return cls(_detail(response, body), body, status, _retry_after(response.headers))


def _document(response: httpx.Response) -> Mapping[str, Any]:
    """The problem document, empty where there is none."""
    try:
        body = json.loads(response.content)
        if isinstance(body, str):  # the server's settings may ask for the form of Feast's SDK: a JSON text in a JSON string
            body = json.loads(body)
            return {"detail": body["message"]}
    except (ValueError, LookupError, TypeError):
        return {}
    return body if isinstance(body, dict) else {}


def _detail(response: httpx.Response, body: Mapping[str, Any]) -> str:
    if "detail" in body:
        return str(body["detail"])
    text = response.text[:SHOWN].strip()
    return f"{shown(response.url)} answered HTTP {response.status_code}{': ' if text else ''}{text}"


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, of either form that RFC 9110 (10.2.3) has; of a date counted from the answer's own, as clocks differ."""
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        due, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return max(0.0, _seconds_between(now, due))


def _seconds_between(now: datetime, due: datetime) -> float:
    """Both are in GMT, whether they say so or not."""
    return (due.replace(tzinfo=None) - now.replace(tzinfo=None)).total_seconds()
