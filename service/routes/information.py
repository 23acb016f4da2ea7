"""The routes around the reads: what there is to ask for, whether the service is well, what it counts."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.catalog import Catalog, CatalogClient
from service.catalog.definitions import ServiceDefinition, ViewDefinition
from service.errors import StoreUnavailable
from service.metrics import Metrics
from service.routes import models
from service.routes.models import CatalogModel, HealthModel, ReadyModel
from service.store import RedisStore


def information_routes(
    catalog: CatalogClient,
    store: Callable[[], RedisStore | None],
    metrics: Metrics,
    errors: dict[int | str, dict[str, Any]],
) -> APIRouter:
    """The router. `store` gives None until the first catalog has said where Redis is; `errors` are for the document."""
    router = APIRouter()
    only_500: dict[int | str, dict[str, Any]] = {500: errors[500]}

    @router.get("/catalog", response_model=CatalogModel, responses=errors, tags=["catalog"])
    async def get_catalog() -> Response:
        """What can be asked for: views, features, types, ttl, services, push sources."""
        current = catalog.require()
        return await asyncio.to_thread(_render, current, catalog)

    @router.post("/catalog/refresh", response_model=CatalogModel, responses=errors, tags=["catalog"])
    async def refresh_catalog() -> Response:
        """Read the registry now, for all workers, and show what it defines."""
        current = await catalog.refresh()
        return await asyncio.to_thread(_render, current, catalog)

    @router.get("/health", responses=only_500, tags=["health"])
    async def get_health() -> HealthModel:
        """The process can make progress; it says nothing of Redis or the registry. For a liveness probe."""
        return HealthModel(status="ok")

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


def _render(catalog: Catalog, client: CatalogClient) -> Response:
    views = [catalog.view(name) for name in catalog.definition.views if "@" not in name]
    services = [catalog.service(name) for name in catalog.definition.services]
    model = CatalogModel(
        project=catalog.project,
        age_seconds=round(client.age_seconds, 3),
        failure=client.failure,
        feature_views=[_view(view) for view in views if view],
        feature_services=[_service(service) for service in services if service],
        push_sources=[
            models.PushSourceModel(
                name=source.name,
                views=source.views,
                description=source.description,
                owner=source.owner,
                tags=source.tags,
            )
            for source in catalog.definition.push_sources.values()
        ],
    )
    return Response(model.model_dump_json(), media_type="application/json")


def _view(view: ViewDefinition) -> models.ViewModel:
    return models.ViewModel(
        name=view.name,
        kind=view.kind,
        version=view.version,
        ttl_seconds=view.ttl_nanoseconds / 1e9 if view.ttl_nanoseconds else None,
        entities=[
            models.EntityModel(name=entity.name, join_key=entity.join_key, type=entity.value_type) for entity in view.entities
        ],
        features=[
            models.FeatureModel(name=feature.name, type=feature.value_type, description=feature.description)
            for feature in view.features
        ],
        servable=not view.unservable and not view.on_demand,
        reason=view.unservable or ("On-demand feature views aren't computed yet." if view.on_demand else ""),
        description=view.description,
        owner=view.owner,
        tags=view.tags,
    )


def _service(service: ServiceDefinition) -> models.ServiceModel:
    features = []
    for projection in service.projections:
        label = projection.alias or projection.view
        label += "" if projection.version is None else f"@v{projection.version}"
        features += [f"{label}:{feature}" for feature in projection.features]
    return models.ServiceModel(
        name=service.name,
        features=features,
        description=service.description,
        owner=service.owner,
        tags=service.tags,
    )
