"""What a user may ask for, as the JSON of GET /catalog.

Made in the definitions process: for a registry of a thousand views it takes tens of milliseconds in which a worker would
answer nobody.
"""

from typing import Any

import msgspec

from service.catalog.definitions import CatalogDefinition, ServiceDefinition, ViewDefinition, decode_service, decode_view


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
        "servable": not view.unservable and not view.on_demand,
        "reason": view.unservable or ("On-demand feature views aren't computed yet." if view.on_demand else ""),
        "description": view.description,
        "owner": view.owner,
        "tags": view.tags,
    }


def _service(service: ServiceDefinition) -> dict[str, Any]:
    features = []
    for projection in service.projections:
        label = projection.alias or projection.view
        label += "" if projection.version is None else f"@v{projection.version}"
        features += [f"{label}:{feature}" for feature in projection.features]
    return {
        "name": service.name,
        "features": features,
        "description": service.description,
        "owner": service.owner,
        "tags": service.tags,
    }
