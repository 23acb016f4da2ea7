"""The routes of the quarantine: what was pushed and not written, to be looked at, pushed again, or thrown away."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from service.catalog import Catalog, CatalogClient
from service.errors import UnknownName
from service.push_plan import PushPlan
from service.push_planner import plan_push
from service.quarantine import Entry, Quarantine
from service.routes.push_models import QuarantineEntryModel, QuarantinePageModel, RemovedModel, ReplayModel
from service.view_writes import plan_view_write
from service.writer import PushRequest, Writer

Errors = dict[int | str, dict[str, Any]]


def quarantine_routes(
    catalog: CatalogClient,
    quarantine: Callable[[], Quarantine],
    writer: Callable[[], Writer],
    errors: Callable[..., Errors],
) -> APIRouter:
    """The router. `quarantine` and `writer` raise CatalogUnavailable until the definitions say where Redis is."""
    router = APIRouter(tags=["quarantine"])

    @router.get("/quarantine", response_model=QuarantinePageModel, responses=errors(422, 500, 503))
    async def get_quarantine(
        source: Annotated[str | None, Query(description="A push source; without it: how many rows each has.")] = None,
        after: Annotated[str | None, Query(description="The id that the page before ended with.")] = None,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> QuarantinePageModel:
        """The rows of a source, newest first, page by page; or the sources that have any."""
        held = quarantine()
        if source is None:
            return QuarantinePageModel(sources=await held.sources(), entries=[], next=None)
        entries = await held.page(source, after, count)
        more = entries[-1].id if len(entries) == count else None
        return QuarantinePageModel(sources={}, entries=[_model(entry) for entry in entries], next=more)

    @router.get("/quarantine/{entry_id}", response_model=QuarantineEntryModel, responses=errors(404, 422, 500, 503))
    async def get_entry(entry_id: str) -> QuarantineEntryModel:
        """One row, with what was wrong with it."""
        return _model(await _find(quarantine(), entry_id))

    @router.post("/quarantine/{entry_id}/replay", response_model=ReplayModel, responses=errors(404, 422, 500, 501, 503))
    async def replay(
        entry_id: str,
        to: Literal["online", "offline", "online_and_offline"] = "online",
        timestamp_unit: Annotated[Literal["s", "ms", "us", "ns"] | None, Query(description="What integer times count.")] = None,
    ) -> ReplayModel:
        """Push one row again, through validation as it is now: for after a suite was mended.

        It leaves the quarantine when it is written, or when a newer row stands; else the answer says what is still wrong.
        """
        held = quarantine()
        entry = await _find(held, entry_id)
        plan = _plan(catalog.require(), entry.source)
        columns = {name: [value] for name, value in entry.row.items()}
        report = await writer().push(plan, PushRequest(columns, 1, to, timestamp_unit, entry.request_id))
        await held.remove(entry_id)
        return ReplayModel(id=entry_id, written=report.written, stale=report.stale, queued=report.queued)

    @router.delete("/quarantine/{entry_id}", status_code=204, response_class=Response, responses=errors(404, 422, 500, 503))
    async def delete_entry(entry_id: str) -> Response:
        """Throw one row away."""
        if not await quarantine().remove(entry_id):
            raise _unknown(entry_id)
        return Response(status_code=204)

    @router.delete("/quarantine", response_model=RemovedModel, responses=errors(422, 500, 503))
    async def delete_source(source: Annotated[str, Query(min_length=1)]) -> RemovedModel:
        """Throw all rows of a source away."""
        return RemovedModel(removed=await quarantine().remove_all(source))

    return router


def _plan(catalog: Catalog, source: str) -> PushPlan:
    """What a row of a source was pushed by; a row that is still bad stays where it is, so the policy is to reject."""
    plan = plan_push(catalog, source) if source in catalog.definition.push_sources else plan_view_write(catalog, source)
    return plan.rejecting()


async def _find(held: Quarantine, entry_id: str) -> Entry:
    entry = await held.get(entry_id)
    if entry is None:
        raise _unknown(entry_id)
    return entry


def _unknown(entry_id: str) -> UnknownName:
    return UnknownName.because(f"There is no row {entry_id} in quarantine.", "id")


def _model(entry: Entry) -> QuarantineEntryModel:
    return QuarantineEntryModel(
        id=entry.id,
        source=entry.source,
        time=entry.time,
        request_id=entry.request_id,
        position=entry.position,
        reasons=entry.reasons,
        row=entry.row,
    )
