"""One immutable snapshot of the registry, with what is compiled from it hanging off it."""

from typing import Any

from rapidfuzz import process as fuzzy

from service.catalog import definitions
from service.catalog.definitions import CatalogDefinition, ServiceDefinition, ViewDefinition

# Names less alike than this (0 to 100) aren't worth suggesting.
LEAST_SIMILARITY = 60
SUGGESTIONS = 3
# The listing of a catalog that isn't shown to anybody.
NOTHING_LISTED = b'{"feature_views":[],"feature_services":[],"push_sources":[]}'
# Memory for kept plans. A model server sends a handful of shapes for ever; the bound is for those who vary them.
MAX_PLAN_BYTES = 32 * 1024 * 1024
# What a plan takes for each feature, measured.
PLAN_BYTES_A_FEATURE = 600


class Catalog:
    """What a request may ask for.

    `plans` keeps what `service.plan` compiled, by the bytes of the request's shape: it goes when the snapshot goes, so
    a plan can't outlive its definitions. `functions` are those of the on-demand views, by name and version, as
    `service.transforms` has loaded them.
    """

    def __init__(self, definition: CatalogDefinition, listing: bytes = NOTHING_LISTED) -> None:
        """`listing` is what `service.catalog.listing` made of the same definitions."""
        self.definition = definition
        self.listing = listing
        self.plans: dict[Any, Any] = {}
        self.functions: dict[tuple[str, int], Any] = {}
        self._views: dict[str, ViewDefinition] = {}
        self._plan_bytes = 0

    @property
    def project(self) -> str:
        """The project's name."""
        return self.definition.project

    def view(self, name: str) -> ViewDefinition | None:
        """A view by its name, or by `name@vN`."""
        view = self._views.get(name)
        if view is None:
            raw = self.definition.views.get(name)
            if raw is None:
                return None
            view = self._views[name] = definitions.decode_view(raw)
        return view

    def service(self, name: str) -> ServiceDefinition | None:
        """A feature service by its name."""
        raw = self.definition.services.get(name)
        return None if raw is None else definitions.decode_service(raw)

    def keep_plan(self, key: Any, plan: Any, features: int, key_bytes: int) -> None:
        """Remember the compiled plan of a request for so many features, unless it would take too much of the memory."""
        size = features * PLAN_BYTES_A_FEATURE + key_bytes
        if size > MAX_PLAN_BYTES // 8:
            return
        self._plan_bytes += size
        if self._plan_bytes > MAX_PLAN_BYTES:
            self.plans.clear()
            self._plan_bytes = size
        self.plans[key] = plan


def nearest(name: str, names: list[str]) -> list[str]:
    """The few of `names` that `name` may have been meant to be, best first."""
    found = fuzzy.extract(name, names, limit=SUGGESTIONS, score_cutoff=LEAST_SIMILARITY)
    return [match for match, _, _ in found]
