"""POST /get-online-features: body bytes to a plan to bytes, with nothing of a framework between."""

import time
from collections.abc import Awaitable

from service.catalog import CatalogClient
from service.errors import InvalidRequest, RequestTooLarge
from service.metrics import Metrics
from service.plan import ReadPlan, Shape, compile_plan
from service.reader import Reader
from service.routes.bodies import OnlineFeaturesBody, parse_body, parse_features
from service.routes.raw import Headers
from service.settings import Settings

PATH = "/get-online-features"
ADVICE = "ask for fewer entities at a time"


class OnlineFeatures:
    """What the endpoint does with a body; for a RawEndpoint."""

    def __init__(self, catalog: CatalogClient, reader: Reader, metrics: Metrics, settings: Settings) -> None:
        self._catalog = catalog
        self._reader = reader
        self._max_features = settings.max_features
        self._parse_seconds = metrics.histogram("read_phase_seconds", "parse")

    def __call__(self, body: bytes, headers: Headers, query: bytes) -> Awaitable[bytes]:
        """The read that a body asks for. Hot. Not a coroutine itself: the read's is the only one."""
        started = time.perf_counter()
        request = parse_body(body)
        plan = self._plan(request, body)
        self._parse_seconds.observe(time.perf_counter() - started)
        return self._reader.read(plan, request.entities)

    def _plan(self, request: OnlineFeaturesBody, body: bytes) -> ReadPlan:
        """The plan of a request's shape, compiled on its first appearance. Hot on a hit."""
        catalog = self._catalog.require()
        key = (
            bytes(request.features),
            request.feature_service,
            request.full_feature_names,
            request.include_feature_view_version_metadata,
            tuple(request.entities),
        )
        plan: ReadPlan | None = catalog.plans.get(key)
        if plan is None:
            plan = compile_plan(catalog, self._shape(request, body))
            catalog.keep_plan(key, plan, plan.features, len(body))
        return plan

    def _shape(self, request: OnlineFeaturesBody, body: bytes) -> Shape:
        features = parse_features(request, body)
        if features and request.feature_service:
            message = "Give either features or feature_service, not both."
            raise InvalidRequest.because(message, "feature_service")
        if not features and not request.feature_service:
            message = 'No features are asked for: give features, a list of "view:feature", or feature_service, a name.'
            raise InvalidRequest.because(message, "features")
        if len(features) > self._max_features:
            message = f"{len(features)} features are more than the {self._max_features} that one request may ask for; split it."
            raise RequestTooLarge.because(message, "features")
        return Shape(
            columns=tuple(request.entities),
            features=features or None,
            service=request.feature_service or None,
            full_names=request.full_feature_names,
            view_metadata=request.include_feature_view_version_metadata,
        )
