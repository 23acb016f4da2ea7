"""The client for threads."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import httpx

from feature_client.answers import FeatureAnswer
from feature_client.connection import LIMITS, TIMEOUT_SECONDS, Connection
from feature_client.errors import FeatureClientError, httpx_errors_translated
from feature_client.reports import Health, PushReport, ValidationResult
from feature_client.requests import (
    As,
    Call,
    Detail,
    Include,
    TimestampUnit,
    To,
    catalog_call,
    health_call,
    push_call,
    read_call,
    validate_call,
    write_call,
)
from feature_client.retries import Retries
from feature_client.rows import Rows

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import pyarrow as pa

T = TypeVar("T")


class FeatureClient:
    """A client of one feature service; threads may share it. A context manager: it closes its connections.

    Every call raises FeatureClientError (see `feature_client.errors`), and repeats what may pass (`feature_client.retries`).
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        retries: Retries = Retries(),  # noqa: B008 - it is frozen
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`timeout` is the seconds that a call may take, retries and waits included; each call may be given another.

        `http` is for proxies, certificates and authentication; who gives it closes it.
        """
        self._connection = Connection(url, timeout, retries, headers or {})
        self._http = http or httpx.Client(limits=LIMITS)
        self._owns_http = http is None
        self._sleep = sleep

    def __enter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        if self._owns_http:
            self._http.close()

    @overload
    def get_online_features(
        self,
        features: Sequence[str] | None = None,
        entities: Rows = ...,
        *,
        feature_service: str | None = None,
        full_feature_names: bool = False,
        as_: Literal["answer"] = "answer",
        timeout: float | None = None,
    ) -> FeatureAnswer: ...

    @overload
    def get_online_features(
        self,
        features: Sequence[str] | None = None,
        entities: Rows = ...,
        *,
        feature_service: str | None = None,
        full_feature_names: bool = False,
        as_: Literal["pandas"],
        include: Collection[Include] = (),
        timeout: float | None = None,
    ) -> "pd.DataFrame": ...

    @overload
    def get_online_features(
        self,
        features: Sequence[str] | None = None,
        entities: Rows = ...,
        *,
        feature_service: str | None = None,
        full_feature_names: bool = False,
        as_: Literal["arrow"],
        include: Collection[Include] = (),
        timeout: float | None = None,
    ) -> "pa.Table": ...

    def get_online_features(
        self,
        features: Sequence[str] | None = None,
        entities: Rows = (),
        *,
        feature_service: str | None = None,
        full_feature_names: bool = False,
        as_: As = "answer",
        include: Collection[Include] = (),
        timeout: float | None = None,
    ) -> Any:
        """The newest features of entities: those in `features` ("view:feature"), or all of a feature service.

        `entities` has the join keys, and what on-demand views want of the request, in any form of `feature_client.rows`.
        A FeatureAnswer, or what `as_` says: "pandas" a DataFrame, "arrow" a pyarrow.Table, which travel as Arrow and are
        the quicker the more rows there are. `include` adds to these `<name>__status` and `<name>__ts` of each feature.
        """
        return self._send(read_call(features, feature_service, entities, full_feature_names, as_, include), timeout)

    def push(
        self,
        source: str,
        rows: Rows,
        *,
        to: To = "online",
        timestamp_unit: TimestampUnit | None = None,
        detail: Detail = "failed",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> PushReport:
        """Push rows to a push source, and learn what became of each.

        Times have an offset, or are integers that count `timestamp_unit`; what is missing becomes null. `detail` says whose
        outcomes the report has. Raises RowsRejected where a row is bad and the source's policy is to reject.
        """
        return self._send(push_call(source, rows, to, timestamp_unit, detail, request_id), timeout)

    def write_to_online_store(
        self,
        view: str,
        rows: Rows,
        *,
        timestamp_unit: TimestampUnit | None = None,
        transform_on_write: bool = True,
        detail: Detail = "failed",
        timeout: float | None = None,
    ) -> PushReport:
        """As a push, to one feature view; one that is computed on demand gets rows for its function, or else its results."""
        return self._send(write_call(view, rows, timestamp_unit, transform_on_write, detail), timeout)

    def validate(
        self,
        suite: str,
        rows: Rows,
        *,
        result_format: str | Mapping[str, Any] | None = None,
        expectation_parameters: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ValidationResult:
        """Check rows by a suite, and change nothing; the answer is Great Expectations', `success` or not."""
        return self._send(validate_call({"suite": suite}, rows, None, result_format, expectation_parameters), timeout)

    def validate_push(
        self,
        source: str,
        rows: Rows,
        *,
        timestamp_unit: TimestampUnit | None = None,
        result_format: str | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ValidationResult:
        """Check rows by the suite of a push source, as a push of them would, and change nothing."""
        return self._send(validate_call({"push_source": source}, rows, timestamp_unit, result_format, None), timeout)

    def catalog(self, *, timeout: float | None = None) -> dict[str, Any]:
        """What can be asked for: views, features, types, ttl, services, push sources."""
        return self._send(catalog_call(), timeout)

    def health(self, *, timeout: float | None = None) -> Health:
        """Whether the server can answer requests; raises only where it doesn't answer at all."""
        return self._send(health_call(), timeout)

    def _send(self, call: Call[T], timeout: float | None) -> T:
        """Hot."""
        connection = self._connection
        attempts = connection.attempts(timeout)
        while True:
            try:
                with httpx_errors_translated():
                    response = self._http.send(connection.request(self._http.build_request, call, attempts.begin()))
                return connection.read(call, response)
            except FeatureClientError as error:
                wait = attempts.wait_after(error)
            self._sleep(wait)
