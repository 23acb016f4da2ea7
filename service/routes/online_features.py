"""POST /get-online-features: body bytes to a plan to bytes, with nothing of a framework between."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, NamedTuple

from service.arrow_answers import ArrowAnswer
from service.catalog import CatalogClient
from service.errors import InvalidRequest, RequestTooLarge
from service.metrics import Metrics
from service.plan import ReadPlan, Shape, compile_plan
from service.reader import Reader
from service.routes.answer_forms import COLUMNS, Form, form_of
from service.routes.bodies import OnlineFeaturesBody, parse_body, parse_features
from service.routes.problems import Answer
from service.routes.raw import Headers
from service.row_answers import RowAnswer
from service.settings import Settings

PATH = "/get-online-features"
ADVICE = "ask for fewer entities at a time"


class Prepared(NamedTuple):
    """A plan whose answer isn't of the usual form, and what makes that."""

    plan: ReadPlan
    answer: ArrowAnswer | RowAnswer


class OnlineFeatures:
    """What the endpoint does with a body; for a RawEndpoint."""

    def __init__(self, catalog: CatalogClient, reader: Reader, metrics: Metrics, settings: Settings) -> None:
        self._catalog = catalog
        self._reader = reader
        self._max_features = settings.max_features
        self._parse_seconds = metrics.histogram("read_phase_seconds", "parse")

    def __call__(self, body: bytes, headers: Headers, query: bytes) -> Awaitable[bytes | Answer]:
        """The read that a body asks for. Hot. Not a coroutine itself: the read's is the only one."""
        started = time.perf_counter()
        form = form_of(headers, query)
        request = parse_body(body)
        plan = self._plan(request, body, form)
        self._parse_seconds.observe(time.perf_counter() - started)
        if isinstance(plan, Prepared):
            return self._read_as(plan, form, request.entities)
        return self._reader.read(plan, request.entities)

    async def _read_as(self, prepared: Prepared, form: Form, entities: Mapping[str, Sequence[Any]]) -> Answer:
        """An answer of another form than the usual one."""
        columns = await self._reader.read_columns(prepared.plan, entities)
        encode = prepared.answer.encode
        if prepared.answer.is_quick(len(columns[0].values)):
            content = encode(columns)
        else:
            content = await asyncio.get_running_loop().run_in_executor(None, encode, columns)
        return Answer(200, content, form.media_type.encode())

    def _plan(self, request: OnlineFeaturesBody, body: bytes, form: Form) -> ReadPlan | Prepared:
        """The plan of a request's shape, compiled on its first appearance. Hot on a hit."""
        catalog = self._catalog.require()
        key = (
            bytes(request.features),
            request.feature_service,
            request.full_feature_names,
            request.include_feature_view_version_metadata,
            tuple(request.entities),
            None if form is COLUMNS else form,
        )
        found: ReadPlan | Prepared | None = catalog.plans.get(key)
        if found is None:
            plan = compile_plan(catalog, self._shape(request, body, form))
            found = plan if form is COLUMNS else Prepared(plan, form.answer(plan))
            catalog.keep_plan(key, found, plan.reads, len(body))
        return found

    def _shape(self, request: OnlineFeaturesBody, body: bytes, form: Form) -> Shape:
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
            as_columns=form is not COLUMNS,
            with_times=form is COLUMNS or form.times,
            is_packed=form.is_arrow,
        )
