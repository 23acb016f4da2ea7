"""The OpenAPI document, where FastAPI can't know: errors, their form and their headers."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.routes.models import ProblemDetails, ProblemItem
from service.routes.problems import ErrorFormat

_DESCRIPTIONS = {
    400: "The body isn't JSON.",
    404: "The registry has no such view, feature or feature service.",
    413: "The body is too long, or asks for too many entities or features.",
    422: "A field, a column or a row isn't right; `errors` says which, and what would be.",
    500: "An error of the server; the body has the id under which its log has the trace, or names what can't be read.",
    501: "An on-demand feature view was asked for.",
    503: "Redis or the registry isn't available, or the server is overloaded; Retry-After says when to come again.",
}
_REFERENCE = "#/components/schemas/{model}"


def error_responses(statuses: Iterable[int], error_format: ErrorFormat) -> dict[int | str, dict[str, Any]]:
    """What a route says of its errors."""
    if error_format == "feast":
        content = {
            "application/json": {"schema": {"type": "string", "description": "What FeastError.from_error_detail reads."}}
        }
    else:
        content = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="ProblemDetails")}}}
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses
    }
    if 503 in responses:
        seconds = {"description": "Seconds.", "schema": {"type": "integer"}, "required": True}
        responses[503]["headers"] = {"Retry-After": seconds}
    return responses


def documented(app: FastAPI) -> dict[str, Any]:
    """The document; for FastAPI's `openapi` attribute."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (ProblemDetails, ProblemItem):
            schemas[model.__name__] = model.model_json_schema(ref_template=_REFERENCE)
            schemas[model.__name__].pop("$defs", None)
        app.openapi_schema = document
    return app.openapi_schema
