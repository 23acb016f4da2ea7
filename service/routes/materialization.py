"""The routes of materialization: one at a time, in a process of its own, awaited or asked after."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.catalog import Catalog, CatalogClient, nearest
from service.catalog.definitions import LABEL, ON_DEMAND, ViewDefinition
from service.errors import InvalidRequest, Problem, UnknownName
from service.keys import shorten
from service.materialization.job import Job
from service.materialization.jobs import Jobs
from service.materialization.status import Status
from service.routes.documentation import request_body
from service.routes.materialization_bodies import parse_incremental, parse_materialize
from service.routes.materialization_models import (
    AcceptedModel,
    MaterializationFailureModel,
    MaterializationModel,
    MaterializationsModel,
    ViewProgressModel,
)
from service.routes.raw import read_body
from service.settings import Settings

ADVICE = "name fewer feature views"

Errors = dict[int | str, dict[str, Any]]


Later = Annotated[bool, Query(alias="async", description="Answer 202 as soon as it has begun, instead of when it is done.")]
Force = Annotated[bool, Query(description="End the one that runs, if one does, instead of answering 409.")]


def materialization_routes(
    catalog: CatalogClient, jobs: Callable[[], Jobs], settings: Settings, errors: Callable[..., Errors]
) -> APIRouter:
    """The router. `jobs` raises CatalogUnavailable until the definitions are there, NotSupported where it is switched off."""
    router = APIRouter(tags=["materialization"])
    pace = settings.materialization_rows_per_second or None
    statuses = {**errors(400, 404, 409, 413, 422, 500, 501, 503), 202: {"model": AcceptedModel, "description": "It has begun."}}

    async def begin(job: Job, later: bool, force: bool) -> Response:
        running = jobs()
        run = await running.start(job, _views(catalog.require(), job.views), force)
        if not later:
            return _json(_model(await run.wait()))
        answer = _json(AcceptedModel(feature_views=run.status.feature_views, id=run.status.id), 202)
        answer.headers["location"] = f"/materialize/{run.status.id}"
        return answer

    def documented(model: str) -> dict[str, Any]:
        return {
            "response_model": MaterializationModel,
            "responses": statuses,
            "openapi_extra": {"requestBody": request_body(model)},
        }

    @router.post("/materialize", **documented("MaterializeBodyModel"))
    async def materialize(request: Request, later: Later = False, force: Force = False) -> Response:
        """Write what the offline store has of an interval into Redis, the newest row of each key, as `feast materialize`."""
        body = await read_body(request.receive, settings.max_body_bytes, ADVICE)
        return await begin(parse_materialize(body, pace), later, force)

    @router.post("/materialize-incremental", **documented("IncrementalBodyModel"))
    async def materialize_incremental(request: Request, later: Later = False, force: Force = False) -> Response:
        """The same, of each view from where it was materialized to."""
        body = await read_body(request.receive, settings.max_body_bytes, ADVICE)
        return await begin(parse_incremental(body, pace), later, force)

    @router.get("/materialize", response_model=MaterializationsModel, responses=errors(500, 501, 503))
    async def get_materializations() -> MaterializationsModel:
        """The newest materializations, whichever worker or replica runs them."""
        return MaterializationsModel(materializations=[_model(status) for status in await jobs().statuses.listed()])

    @router.get("/materialize/{materialization_id}", response_model=MaterializationModel, responses=errors(404, 500, 501, 503))
    async def get_materialization(materialization_id: str) -> MaterializationModel:
        """How far one is, or what became of it; kept for a week."""
        status = await jobs().statuses.get(materialization_id)
        if status is None:
            raise UnknownName.because(f"There is no materialization {shorten(materialization_id)}, or none any more.", "id")
        return _model(status)

    return router


def _views(catalog: Catalog, names: Sequence[str] | None) -> list[str]:
    """The views that are meant; raises UnknownName, InvalidRequest."""
    known = [name for name in catalog.definition.views if "@" not in name]
    if names is None:
        return [name for name in known if not _refusal(_view(catalog, name))]
    for name in names:
        if name not in known:
            close = nearest(shorten(name), known)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            message = f"Feature view {shorten(name)} does not exist in project {catalog.project}.{hint}"
            raise UnknownName.because(message, "feature_views")
    refusals = [(name, _refusal(_view(catalog, name))) for name in names]
    problems = [Problem(f"Feature view {name} {reason}.", "feature_views") for name, reason in refusals if reason]
    if problems:
        raise InvalidRequest(problems)
    return list(names)


def _view(catalog: Catalog, name: str) -> ViewDefinition:
    view = catalog.view(name)
    assert view is not None  # noqa: S101 - its name is the catalog's
    return view


def _refusal(view: ViewDefinition) -> str:
    """Why a view can't be materialized, in words that go on from its name."""
    if view.kind == LABEL:
        return "is a label view, which is only pushed to"
    if view.kind == ON_DEMAND and (view.computation is None or not view.computation.on_write):
        return "is computed when it is read: it isn't kept (write_to_online_store=False)"
    if not view.enabled:
        return f"is disabled: enable it with `feast feature-views enable {view.name}`"
    return "" if view.online else "isn't kept online (online=False)"


def _model(status: Status) -> MaterializationModel:
    error = status.error
    return MaterializationModel(
        id=status.id,
        state=status.state,
        incremental=status.incremental,
        start=status.start,
        end=status.end,
        feature_views=status.feature_views,
        rows=status.rows,
        seconds=round(status.seconds, 3),
        started_at=datetime.fromtimestamp(status.started_at, UTC),
        ended_at=None if status.ended_at is None else datetime.fromtimestamp(status.ended_at, UTC),
        views=[
            ViewProgressModel(
                view=view.view,
                state=view.state,
                start=view.start,
                end=view.end,
                rows=view.rows,
                of=view.of,
                seconds=view.seconds,
            )
            for view in status.views
        ],
        error=error and MaterializationFailureModel(kind=error.kind, message=error.message, view=error.view),
    )


def _json(model: MaterializationModel | AcceptedModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status, media_type="application/json")
