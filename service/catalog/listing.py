"""What a user may ask for, as the JSON of GET /catalog.

Made in the definitions process: for a registry of a thousand views it takes tens of milliseconds in which a worker would
answer nobody.
"""

from typing import Any

import msgspec

from service.catalog.definitions import (
    CatalogDefinition,
    ComputationDefinition,
    ProjectionDefinition,
    ServiceDefinition,
    ViewDefinition,
    decode_service,
    decode_view,
)


def render_listing(catalog: CatalogDefinition) -> bytes:
    """A JSON object of feature views (without their earlier versions), feature services and push sources."""
    return msgspec.json.encode(
        {
            "feature_views": [_view(decode_view(raw)) for name, raw in catalog.views.items() if "@" not in name],
            "feature_services": [_service(decode_service(raw)) for raw in catalog.services.values()],
            "push_sources": list(catalog.push_sources.values()),
        }
    )


def _view(view: ViewDefinition) -> dict[str, Any]:
    return {
        "name": view.name,
        "kind": view.kind,
        "version": view.version,
        "ttl_seconds": view.ttl_nanoseconds / 1e9 if view.ttl_nanoseconds else None,
        "entities": [{"name": entity.name, "join_key": entity.join_key, "type": entity.value_type} for entity in view.entities],
        "features": [
            {"name": feature.name, "type": feature.value_type, "description": feature.description} for feature in view.features
        ],
        "servable": not view.refusal,
        "reason": view.refusal,
        "on_demand": view.computation and _computation(view.computation),
        "description": view.description,
        "owner": view.owner,
        "tags": view.tags,
    }


def _computation(computation: ComputationDefinition) -> dict[str, Any]:
    return {
        "mode": computation.mode,
        "singleton": computation.singleton,
        "sources": [reference for source in computation.sources for reference in _references(source)],
        "request_data": [{"name": field.name, "type": field.value_type} for field in computation.request],
        "write_to_online_store": computation.on_write,
    }


def _references(projection: ProjectionDefinition) -> list[str]:
    label = projection.alias or projection.view
    label += "" if projection.version is None else f"@v{projection.version}"
    return [f"{label}:{feature}" for feature in projection.features]


def _service(service: ServiceDefinition) -> dict[str, Any]:
    return {
        "name": service.name,
        "features": [reference for projection in service.projections for reference in _references(projection)],
        "description": service.description,
        "owner": service.owner,
        "tags": service.tags,
    }
