"""POST /push and POST /write-to-online-store as raw endpoints: bodies to pushes, reports to answers."""

import asyncio
import functools
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from service.catalog import Catalog, CatalogClient
from service.errors import InvalidRequest, Problem, RejectedRows
from service.metrics import Metrics
from service.push_plan import PushPlan
from service.push_planner import plan_push
from service.push_report import PushReport, outcome
from service.routes.arrow_bodies import ARROW, ARROW_START, read_arrow
from service.routes.problems import Answer
from service.routes.push_bodies import PushBody, WriteBody, columns_of, parse_push, parse_write
from service.routes.query import choice, parse_query
from service.routes.raw import Headers
from service.view_writes import plan_view_write
from service.writer import ONLINE, PushRequest, Writer

PUSH_PATH = "/push"
WRITE_PATH = "/write-to-online-store"
ADVICE = "push fewer rows at a time"

REQUEST_ID = b"x-request-id"
# A client's own id goes into answers, logs and the quarantine: no longer than this.
LONGEST_REQUEST_ID = 128
DETAILS = ("none", "failed", "all")
TARGETS = ("online", "offline", "online_and_offline")


class Pushes:
    """What /push does with a body; for a RawEndpoint."""

    def __init__(self, catalog: CatalogClient, writer: Writer, metrics: Metrics) -> None:
        self._catalog = catalog
        self._writer = writer
        self._rows = metrics.histogram("push_rows")

    async def __call__(self, body: bytes, headers: Headers, query: bytes) -> Answer:
        """Hot for JSON without a query. Awaits nothing but futures."""
        options = parse_query(query, {"push_source", "to", "detail", "timestamp_unit"}) if query else {}
        detail = choice(options, "detail", DETAILS, "failed")
        if body.startswith(ARROW_START) or _content_type(headers) == ARROW:
            request, name, cached = await self._from_arrow(body, headers, options)
        else:
            request, name, cached = self._from_json(parse_push(body), headers, options)
        self._rows.observe(request.rows)
        plan = await planned(self._catalog, cached, "push", name, request, plan_push)
        return await pushed(self._writer, plan, request, detail)

    @staticmethod
    def _from_json(body: PushBody, headers: Headers, options: dict[str, str]) -> tuple[PushRequest, str, bool]:
        surplus = sorted(set(options) - {"detail"})
        if surplus:
            raise InvalidRequest(Problem(f"{name} belongs into the body of a JSON push.", name) for name in surplus)
        columns, rows = columns_of(body)
        request = PushRequest(columns, rows, body.to, body.timestamp_unit, request_id(headers))
        return request, body.push_source_name, body.allow_registry_cache

    async def _from_arrow(self, body: bytes, headers: Headers, options: dict[str, str]) -> tuple[PushRequest, str, bool]:
        name = options.get("push_source")
        if not name:
            message = "An Arrow stream doesn't say where it goes: add ?push_source=NAME to the address."
            raise InvalidRequest.because(message, "push_source")
        columns, rows = await asyncio.get_running_loop().run_in_executor(None, read_arrow, body, self._writer.check_rows)
        to = choice(options, "to", TARGETS, ONLINE)
        unit = choice(options, "timestamp_unit", ("s", "ms", "us", "ns"), "") or None
        return PushRequest(columns, rows, to, unit, request_id(headers)), name, True


class ViewWrites:
    """What /write-to-online-store does with a body; for a RawEndpoint."""

    def __init__(self, catalog: CatalogClient, writer: Writer, metrics: Metrics) -> None:
        self._catalog = catalog
        self._writer = writer
        self._rows = metrics.histogram("push_rows")

    async def __call__(self, body: bytes, headers: Headers, query: bytes) -> Answer:
        """Awaits nothing but futures."""
        options = parse_query(query, {"detail"}) if query else {}
        detail = choice(options, "detail", DETAILS, "failed")
        write: WriteBody = parse_write(body)
        columns, rows = columns_of(write)
        request = PushRequest(columns, rows, ONLINE, write.timestamp_unit, request_id(headers))
        self._rows.observe(rows)
        cached, name = write.allow_registry_cache, write.feature_view_name
        if write.transform_on_write:
            plan = await planned(self._catalog, cached, "write", name, request, plan_view_write)
        else:
            as_it_is = functools.partial(plan_view_write, transform=False)
            plan = await planned(self._catalog, cached, "write as it is", name, request, as_it_is)
        return await pushed(self._writer, plan, request, detail)


async def planned(
    client: CatalogClient,
    cached: bool,
    kind: str,
    name: str,
    request: PushRequest,
    compile_plan: Callable[[Catalog, str], PushPlan],
) -> PushPlan:
    """The plan of a push. A client that doesn't trust the cached definitions gets new ones where its rows don't fit these.

    Stock reads the whole registry for each such push, which Feast's SDK always asks for.
    """
    try:
        return _plan(client.require(), kind, name, request, compile_plan)
    except InvalidRequest:
        if cached:
            raise
    refreshed: asyncio.Task[Catalog] = asyncio.get_running_loop().create_task(client.refresh())
    return _plan(await refreshed, kind, name, request, compile_plan)


def _plan(
    catalog: Catalog, kind: str, name: str, request: PushRequest, compile_plan: Callable[[Catalog, str], PushPlan]
) -> PushPlan:
    key = (kind, name)
    plan: PushPlan | None = catalog.plans.get(key)
    if plan is None:
        plan = compile_plan(catalog, name)
        catalog.keep_plan(key, plan, len(plan.features), len(name))
    if request.rows:
        plan.layout(tuple(request.columns))
    return plan


async def pushed(writer: Writer, plan: PushPlan, request: PushRequest, detail: str) -> Answer:
    """The answer to a push that isn't an error; errors say no more than `detail` asks for, too."""
    try:
        return report_answer(await writer.push(plan, request), detail)
    except RejectedRows as error:
        if detail == "none":
            error.details["outcomes"] = []
        raise


def report_answer(report: PushReport, detail: str) -> Answer:
    """202 where rows are on their way to the offline store, else 200; `detail` says whose outcomes are told."""
    body: dict[str, Any] = {
        "rows": report.rows,
        "written": report.written,
        "stale": report.stale,
        "quarantined": report.quarantined,
        "queued": report.queued,
        "views": report.views,
        "request_id": report.request_id,
    }
    if report.warnings:
        body["warnings"] = report.warnings
    if detail == "failed":
        body["outcomes"] = report.outcomes
    elif detail == "all":
        told = {entry["row"] for entry in report.outcomes}
        written = [outcome(row, "written", ()) for row in report.written_rows if row not in told]
        body["outcomes"] = sorted([*report.outcomes, *written], key=lambda entry: int(entry["row"]))
    return Answer(202 if report.queued else 200, orjson.dumps(body))


def request_id(headers: Headers) -> str:
    """The client's X-Request-ID, or a new one."""
    for name, value in headers:
        if name == REQUEST_ID and value:
            return value[:LONGEST_REQUEST_ID].decode("latin-1")
    return uuid.uuid4().hex


def _content_type(headers: Headers) -> str:
    for name, value in headers:
        if name == b"content-type":
            return value.decode("latin-1").partition(";")[0].strip().lower()
    return ""
