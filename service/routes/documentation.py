"""The OpenAPI document, where FastAPI can't know: errors, their form and their headers."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from service.routes import online_features, push
from service.routes.answer_forms import INCLUDED, LAYOUTS
from service.routes.arrow_bodies import ARROW
from service.routes.materialization_models import IncrementalBodyModel, MaterializeBodyModel
from service.routes.models import OnlineFeaturesRequest, OnlineFeaturesResponse, OnlineFeaturesRows, ProblemDetails
from service.routes.problems import ErrorFormat
from service.routes.push_models import PushBodyModel, PushResultModel, ValidateBodyModel, WriteBodyModel

_DESCRIPTIONS = {
    400: "The body isn't JSON.",
    404: "There is no such view, feature, service, push source, suite, row or materialization.",
    406: "The Accept header allows none of the forms that the answer has.",
    409: "A materialization is running; the body says of which views (`feature_views`, `id`).",
    413: "The body is too long, or has or asks for too many rows or features.",
    422: "A field, a column or a row isn't right; `errors` says which, and what would be.",
    500: "An error of the server; the body has the id under which its log has the trace, or names what can't be read.",
    501: "An on-demand feature view was asked for, or something else that this server doesn't do.",
    503: "Redis, the registry or validation isn't available, or the server is overloaded; Retry-After says when to come again.",
    504: "An on-demand feature view's function takes longer than the settings allow.",
}
_REFERENCE = "#/components/schemas/{model}"


def error_responses(*statuses: int, error_format: ErrorFormat) -> dict[int | str, dict[str, Any]]:
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


def request_body(model: str, arrow: bool = False) -> dict[str, Any]:
    """What a route that reads its body itself says of it. `model` is a class in service.routes.models."""
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model)}}}
    if arrow:
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    return {"required": True, "content": content}


class _Raw(NamedTuple):
    """What a raw route takes and gives.

    `help` is its description, `arrow_answer` that of its answer as an Arrow stream, where there is one.
    """

    summary: str
    tag: str
    model: str
    response: Any  # a model, or a union of models
    statuses: tuple[int, ...]
    help: str
    arrow: bool = False
    query: tuple[dict[str, Any], ...] = ()
    arrow_answer: str = ""


_DETAIL = {
    "name": "detail",
    "in": "query",
    "schema": {"type": "string", "enum": ["none", "failed", "all"], "default": "failed"},
    "description": "Whose outcomes are told: nobody's, those of rows that weren't written everywhere, or all rows'.",
}
_SOURCE = {
    "name": "push_source",
    "in": "query",
    "schema": {"type": "string"},
    "description": "With an Arrow stream: where it goes.",
}
_TO = {
    "name": "to",
    "in": "query",
    "schema": {"type": "string", "enum": ["online", "offline", "online_and_offline"], "default": "online"},
    "description": "With an Arrow stream: to which stores it goes.",
}
_UNIT = {
    "name": "timestamp_unit",
    "in": "query",
    "schema": {"type": "string", "enum": ["s", "ms", "us", "ns"]},
    "description": "With an Arrow stream: what integer times count.",
}
_LAYOUT = {
    "name": "layout",
    "in": "query",
    "schema": {"type": "string", "enum": list(LAYOUTS), "default": LAYOUTS[0]},
    "description": "Of a JSON answer: a vector for each name, or an object for each row.",
}
_INCLUDE = {
    "name": "include",
    "in": "query",
    "schema": {"type": "array", "items": {"type": "string", "enum": list(INCLUDED)}, "minItems": 1},
    "style": "form",
    "explode": False,
    "description": "Where the answer is in rows, or an Arrow stream: what it has beside the values. Columns in JSON have both.",
}
_RAW = {
    online_features.PATH: _Raw(
        "Get online features",
        "features",
        "OnlineFeaturesRequest",
        OnlineFeaturesResponse | OnlineFeaturesRows,
        (400, 404, 406, 413, 422, 500, 501, 503, 504),
        "Features of entities, with a status and an event time for each value.\n\n"
        "Vectors come in the order of the request: entity columns, then features. Whoever accepts an Arrow stream no less than "
        "JSON gets one.",
        query=(_LAYOUT, _INCLUDE),
        arrow_answer="One record batch, a column for each name in the order of the request: entity columns, then features.",
    ),
    push.PUSH_PATH: _Raw(
        "Push rows to a push source",
        "pushes",
        "PushBodyModel",
        PushResultModel,
        (400, 404, 413, 422, 500, 501, 503, 504),
        "Every row is checked by the push source's suite; what is right goes to all feature views that the source feeds, "
        "unless a newer row stands there. A request may be sent again.",
        arrow=True,
        query=(_DETAIL, _SOURCE, _TO, _UNIT),
    ),
    push.WRITE_PATH: _Raw(
        "Write rows to a feature view",
        "pushes",
        "WriteBodyModel",
        PushResultModel,
        (400, 404, 413, 422, 500, 501, 503, 504),
        "As a push, to one feature view. Feast's SDK calls it (`online_store: {type: remote}`).",
        query=(_DETAIL,),
    ),
}
RAW_PATHS = frozenset(_RAW)


def document_raw_routes(app: FastAPI, errors: Callable[..., dict[int | str, dict[str, Any]]]) -> None:
    """Put the routes that are answered before the router sees them into the document."""
    for path, raw in _RAW.items():
        responses = errors(*raw.statuses)
        if raw.response is PushResultModel:
            responses[202] = {"model": PushResultModel, "description": "Rows are on their way to the offline store."}
        if raw.arrow_answer:
            schema = {"type": "string", "format": "binary", "description": raw.arrow_answer}
            responses[200] = {"content": {ARROW: {"schema": schema}}}
        extra: dict[str, Any] = {"requestBody": request_body(raw.model, arrow=raw.arrow)}
        if raw.query:
            extra["parameters"] = list(raw.query)
        app.add_api_route(
            path,
            _answered_before,
            methods=["POST"],
            response_model=raw.response,
            responses=responses,
            summary=raw.summary,
            description=raw.help,
            operation_id=path.strip("/").replace("-", "_"),
            tags=[raw.tag],
            openapi_extra=extra,
        )


# Models that only requests or errors have, so that FastAPI doesn't see them.
_BODIES = (
    ProblemDetails, OnlineFeaturesRequest, PushBodyModel, WriteBodyModel, ValidateBodyModel, MaterializeBodyModel,
    IncrementalBodyModel,
)  # fmt: skip


async def _answered_before() -> Response:
    raise RuntimeError("Raw routes are answered before the router.")


def documented(app: FastAPI) -> dict[str, Any]:
    """The document; for FastAPI's `openapi` attribute."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in _BODIES:
            schema = model.model_json_schema(ref_template=_REFERENCE)
            schemas |= schema.pop("$defs", {})
            schemas[model.__name__] = schema
        app.openapi_schema = document
    return app.openapi_schema
