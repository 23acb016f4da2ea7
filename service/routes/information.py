"""The routes around the reads: what there is to ask for, whether the service is well, what it counts."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.catalog import CatalogClient
from service.errors import StoreUnavailable
from service.metrics import Metrics
from service.routes.models import CatalogModel, HealthModel, ReadyModel
from service.store import RedisStore


def information_routes(
    catalog: CatalogClient,
    store: Callable[[], RedisStore | None],
    metrics: Metrics,
    documented_errors: Callable[..., dict[int | str, dict[str, Any]]],
) -> APIRouter:
    """The router. `store` gives None until the first catalog has said where Redis is."""
    router = APIRouter()
    errors, only_500 = documented_errors(500, 503), documented_errors(500)

    @router.get("/catalog", response_model=CatalogModel, responses=errors, tags=["catalog"])
    async def get_catalog() -> Response:
        """What can be asked for: views, features, types, ttl, services, push sources."""
        return _page(catalog)

    @router.post("/catalog/refresh", response_model=CatalogModel, responses=errors, tags=["catalog"])
    async def refresh_catalog() -> Response:
        """Read the registry now, for all workers, and show what it defines."""
        await catalog.refresh()
        return _page(catalog)

    @router.head("/health", include_in_schema=False)
    @router.get("/health", responses=only_500, tags=["health"])
    async def get_health() -> HealthModel:
        """The process can make progress; it says nothing of Redis or the registry. For a liveness probe."""
        return HealthModel(status="ok")

    @router.head("/health/ready", include_in_schema=False)
    @router.get(
        "/health/ready",
        response_model=ReadyModel,
        responses={503: {"model": ReadyModel, "description": "Requests can't be answered now."}, **only_500},
        tags=["health"],
    )
    async def get_ready() -> JSONResponse:
        """There are definitions and Redis answers. For a readiness probe."""
        catalog_state = "ok" if catalog.current else catalog.failure or "not read yet"
        redis_state = await _redis_state(store())
        ready = catalog.current is not None and redis_state == "ok"
        body = ReadyModel(ready=ready, catalog=catalog_state, redis=redis_state)
        return JSONResponse(body.model_dump(), status_code=200 if ready else 503)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}, **only_500},
        tags=["health"],
    )
    async def get_metrics() -> Response:
        """Prometheus's text, of all workers together."""
        return Response(await asyncio.to_thread(metrics.page), media_type=CONTENT_TYPE_LATEST)

    return router


async def _redis_state(store: RedisStore | None) -> str:
    if store is None:
        return "its address isn't known before the definitions are read"
    try:
        await store.ping()
    except StoreUnavailable as error:
        return str(error)
    return "ok"


def _page(client: CatalogClient) -> Response:
    """The listing that came with the definitions, with what is known of their age."""
    catalog = client.require()
    head = orjson.dumps({"project": catalog.project, "age_seconds": round(client.age_seconds, 3), "failure": client.failure})
    return Response(b"%s,%s" % (head[:-1], catalog.listing[1:]), media_type="application/json")
