"""Earlier versions of Feast's views. Runs in the definitions process."""

from typing import Any

from feast.infra.registry.registry import Registry
from feast.infra.registry.sql import SqlRegistry

# Kinds of views that may have a function, as Feast's histories call them.
_WITH_FUNCTIONS = {"feature_view", "stream_feature_view", "on_demand_feature_view"}


def view_versions(registry: Any, name: str, project: str) -> dict[str, Any]:
    """The versions of a view, each as a Feast view, by `name@v2`."""
    found = {}
    for version in registry.list_feature_view_versions(name, project):
        number = version["version_number"]
        view = _view(registry, name, project, number)
        view.projection.version_tag = number
        found[f"{name}@v{number}"] = view
    return found


def _view(registry: Any, name: str, project: str, number: int) -> Any:
    """As registry.get_feature_view_by_version gives it, but with functions as `feast apply` wrote them.

    Feast would run their source text here, in this process, and forget what dill kept.
    """
    kind, content = _written(registry, name, project, number)
    if kind not in _WITH_FUNCTIONS:
        return registry.get_feature_view_by_version(name, project, number)
    proto, python = registry._proto_class_for_type(kind)
    view = python.from_proto(proto.FromString(content), skip_udf=True)
    view.current_version_number = number
    return view


def _written(registry: Any, name: str, project: str, number: int) -> tuple[str, bytes]:
    """Kind and protobuf of a version; empty where this registry keeps them elsewhere."""
    if isinstance(registry, Registry):
        record = registry._get_version_record(name, project, number)
        return (record.feature_view_type, record.feature_view_proto) if record else ("", b"")
    if isinstance(registry, SqlRegistry):
        return registry._get_version_snapshot(name, project, number) or ("", b"")
    return "", b""
