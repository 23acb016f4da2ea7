"""Errors of the domain to answers: the one table of statuses, and the two forms that a body can have."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec
import orjson

from service import errors
from service.errors import FeatureServiceError, InvalidRequest

logger = logging.getLogger(__name__)

ErrorFormat = Literal["problem", "feast"]


class Answer(NamedTuple):
    """A response: what ASGI needs of it. One is made for each request."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one class of errors is answered. `feast` is the class of feast.errors that the SDK's user gets."""

    status: int
    slug: str
    title: str
    feast: str = "FeastError"


# A class stands before its base classes: the first that matches counts.
_KINDS: tuple[tuple[type[FeatureServiceError], _Kind], ...] = (
    (errors.MalformedRequest, _Kind(400, "malformed-request", "The body can't be read")),
    (errors.UnknownName, _Kind(404, "unknown-name", "There is no such name", "FeatureViewNotFoundException")),
    (errors.UnknownForm, _Kind(406, "unknown-form", "The answer can't have that form")),
    (errors.MaterializationRunning, _Kind(409, "materialization-running", "A materialization is running")),
    (errors.RequestTooLarge, _Kind(413, "too-large", "The request is too large")),
    (errors.RejectedRows, _Kind(422, "rejected-rows", "Rows were rejected, and nothing was written")),
    (errors.FeatureNameCollision, _Kind(422, "name-collision", "Features collide", "FeatureNameCollisionError")),
    (errors.InvalidRequest, _Kind(422, "invalid-request", "The request is invalid")),
    (errors.ValidationMisconfigured, _Kind(503, "validation-misconfigured", "What is pushed here can't be validated")),
    (errors.UnreadableValue, _Kind(500, "unreadable-value", "What is stored can't be read")),
    (errors.ComputationFailed, _Kind(500, "computation-failed", "A feature can't be computed")),
    (errors.ComputationTimeout, _Kind(504, "computation-timeout", "A feature takes too long to compute")),
    (errors.NotMaterialized, _Kind(500, "materialization-failed", "The materialization failed")),
    (errors.NotSupported, _Kind(501, "not-supported", "Not supported")),
    (errors.Overloaded, _Kind(503, "overloaded", "The server is overloaded")),
    (errors.CatalogUnavailable, _Kind(503, "no-definitions", "The definitions aren't available")),
    (errors.SourceUnavailable, _Kind(503, "source-unavailable", "What is to be materialized can't be read")),
    (
        errors.MaterializationInterrupted,
        _Kind(503, "materialization-interrupted", "The materialization was interrupted"),
    ),
    (errors.SuiteTimeout, _Kind(503, "validation-timeout", "The validation is too slow")),
    (errors.ValidationUnavailable, _Kind(503, "validation-unavailable", "The validation isn't available")),
    (errors.WriteUnconfirmed, _Kind(503, "write-unconfirmed", "Not all rows are confirmed")),
    (errors.StoreTimeout, _Kind(503, "store-timeout", "The online store is too slow")),
    (errors.StoreUnavailable, _Kind(503, "store-unavailable", "The online store isn't available")),
)
_INTERNAL = _Kind(500, "internal-error", "An error of the server")

STATUSES = sorted({kind.status for _, kind in _KINDS} | {_INTERNAL.status})


class ProblemAnswers:
    """Makes the answer to an exception, in the format of the settings."""

    def __init__(self, error_format: ErrorFormat, retry_after_seconds: int) -> None:
        self._format = error_format
        self._retry_after = ((b"retry-after", str(retry_after_seconds).encode()),)

    def answer(self, error: Exception) -> Answer:
        """The answer; anything unforeseen is logged with an id, and only the id is told."""
        kind = next((kind for cls, kind in _KINDS if isinstance(error, cls)), _INTERNAL)
        if kind is _INTERNAL:
            number = uuid.uuid4().hex
            logger.error("Error %s", number, exc_info=error)
            return self._make(kind, f"The server made an error. Its log has it under {number}.", [], ())
        if kind.status == 500:
            logger.error("%s", error, exc_info=error.__cause__)
        problems: list[dict[str, object]] = [
            {"field": problem.field, "row": problem.row, "message": problem.message}
            for problem in (error.problems if isinstance(error, InvalidRequest) else ())
        ]
        if kind.status == 404 and problems and problems[0]["field"] == "feature_service":
            kind = _Kind(kind.status, kind.slug, kind.title, "FeatureServiceNotFoundException")
        headers = self._retry_after if kind.status == 503 else ()
        return self._make(kind, str(error), problems, headers, getattr(error, "details", None))

    def plain(self, status: int, title: str, detail: str) -> Answer:
        """An answer for what the framework itself refuses: no such route, no such method."""
        return self._make(_Kind(status, title.lower().replace(" ", "-"), title), detail, [], ())

    def _make(
        self,
        kind: _Kind,
        detail: str,
        problems: list[dict[str, object]],
        headers: tuple[tuple[bytes, bytes], ...],
        more: Mapping[str, Any] | None = None,
    ) -> Answer:
        if self._format == "feast":
            # feast.errors.FeastError.from_error_detail: a JSON string that holds JSON.
            inner = orjson.dumps({"module": "feast.errors", "class": kind.feast, "message": detail})
            return Answer(kind.status, orjson.dumps(inner.decode()), headers=headers)
        body = {
            "type": f"urn:feature-service:{kind.slug}",
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "errors": problems,
            **(more or {}),
        }
        # Not orjson: what GX says of values may hold integers of any size.
        return Answer(kind.status, msgspec.json.encode(body), b"application/problem+json", headers)
