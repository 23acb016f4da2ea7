"""The routes of validation: a frame checked by a suite, and which suites there are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from service.catalog import CatalogClient, nearest
from service.errors import InvalidRequest, UnknownName
from service.push_planner import plan_push
from service.push_rows import parse_times
from service.routes.documentation import request_body
from service.routes.push_bodies import ValidateBody, columns_of, parse_validate
from service.routes.push_models import SuiteModel, SuitesModel, ValidationResultModel
from service.routes.raw import read_body
from service.settings import Settings
from service.suites import Suite
from service.validator import Validator

ADVICE = "validate fewer rows at a time, or use `feature-service validate` for files"

# Not orjson: values that GX's results repeat may be integers of any size.
_encoder = msgspec.json.Encoder(enc_hook=str)

Errors = dict[int | str, dict[str, Any]]
Documented = Callable[..., Errors]


def validation_routes(catalog: CatalogClient, validator: Validator, settings: Settings, errors: Documented) -> APIRouter:
    """The router; `errors` gives what the document says of statuses."""
    router = APIRouter(tags=["validation"])

    @router.post(
        "/validate",
        response_model=ValidationResultModel,
        responses=errors(400, 404, 413, 422, 500, 501, 503),
        openapi_extra={"requestBody": request_body("ValidateBodyModel")},
    )
    async def validate(request: Request) -> Response:
        """Check rows by a suite, and change nothing. 200 whether they pass (`success`) or not."""
        body = parse_validate(await read_body(request.receive, settings.max_body_bytes, ADVICE))
        columns, _ = columns_of(body)
        suite, columns = _suite_and_frame(catalog, validator, body, columns)
        return _json(await validator.validate(suite, columns, body.result_format, body.expectation_parameters))

    @router.get("/suites", response_model=SuitesModel, responses=errors(500))
    async def get_suites() -> Response:
        """Every suite, with how much of it is compiled and whether its newest file is in force."""
        return _json({"suites": [_summary(validator, suite) for suite in validator.suites.values()]})

    @router.get("/suites/{name}", response_model=SuiteModel, responses=errors(404, 500))
    async def get_suite(name: str) -> Response:
        """One suite: each expectation, and whether it is compiled or falls back to Great Expectations."""
        suite = validator.find(name, nearest(name, list(validator.suites)))
        expectations = [
            {
                "type": one.type,
                "id": one.id,
                "kwargs": one.kwargs,
                "meta": one.meta,
                "severity": one.severity,
                "compiled": one.compiled,
                "reason": one.why,
            }
            for one in suite.expectations
        ]
        return _json({**_summary(validator, suite), "expectations": expectations})

    return router


def _suite_and_frame(
    client: CatalogClient, validator: Validator, body: ValidateBody, columns: Mapping[str, Sequence[Any]]
) -> tuple[Suite, Mapping[str, Sequence[Any]]]:
    """The suite that is asked for, and the frame that it sees: for a push source, the one that a push would give it."""
    if bool(body.suite) == bool(body.push_source):
        message = "Give either suite, a suite's name, or push_source, whose suite is meant."
        raise InvalidRequest.because(message, "suite")
    if body.suite:
        return validator.find(body.suite, nearest(body.suite, list(validator.suites))), columns
    try:
        plan = plan_push(client.require(), body.push_source or "")
    except UnknownName as error:
        raise UnknownName.because(str(error), "push_source") from None
    if plan.validation.suite is None:
        message = f"Push source {body.push_source} has no suite: its tags have no validation_suite."
        raise InvalidRequest.because(message, "push_source")
    return validator.find(plan.validation.suite, ()), parse_times(plan, columns, body.timestamp_unit)


def _summary(validator: Validator, suite: Suite) -> dict[str, Any]:
    compiled = sum(expectation.compiled for expectation in suite.expectations)
    return {
        "name": suite.name,
        "compiled": compiled,
        "fallback": len(suite.expectations) - compiled,
        "meta": suite.document.get("meta") or {},
        "failure": validator.load_failures.get(suite.name),
    }


def _json(content: Any) -> Response:
    return Response(_encoder.encode(content), media_type="application/json")
