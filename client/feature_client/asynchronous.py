"""The client for asyncio. Its methods are those of `feature_client.sync`, where they are described."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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


class AsyncFeatureClient:
    """As FeatureClient, for the tasks of one event loop; an asynchronous context manager.

    httpx runs under trio, too: there `sleep` is trio's.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        retries: Retries = Retries(),  # noqa: B008 - it is frozen
        headers: Mapping[str, str] | None = None,
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As of FeatureClient."""
        self._connection = Connection(url, timeout, retries, headers or {})
        self._http = http or httpx.AsyncClient(limits=LIMITS)
        self._owns_http = http is None
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        if self._owns_http:
            await self._http.aclose()

    @overload
    async def get_online_features(
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
    async def get_online_features(
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
    async def get_online_features(
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

    async def get_online_features(
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
        """As FeatureClient.get_online_features."""
        return await self._send(read_call(features, feature_service, entities, full_feature_names, as_, include), timeout)

    async def push(
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
        """As FeatureClient.push."""
        return await self._send(push_call(source, rows, to, timestamp_unit, detail, request_id), timeout)

    async def write_to_online_store(
        self,
        view: str,
        rows: Rows,
        *,
        timestamp_unit: TimestampUnit | None = None,
        transform_on_write: bool = True,
        detail: Detail = "failed",
        timeout: float | None = None,
    ) -> PushReport:
        """As FeatureClient.write_to_online_store."""
        return await self._send(write_call(view, rows, timestamp_unit, transform_on_write, detail), timeout)

    async def validate(
        self,
        suite: str,
        rows: Rows,
        *,
        result_format: str | Mapping[str, Any] | None = None,
        expectation_parameters: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ValidationResult:
        """As FeatureClient.validate."""
        return await self._send(validate_call({"suite": suite}, rows, None, result_format, expectation_parameters), timeout)

    async def validate_push(
        self,
        source: str,
        rows: Rows,
        *,
        timestamp_unit: TimestampUnit | None = None,
        result_format: str | Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> ValidationResult:
        """As FeatureClient.validate_push."""
        return await self._send(validate_call({"push_source": source}, rows, timestamp_unit, result_format, None), timeout)

    async def catalog(self, *, timeout: float | None = None) -> dict[str, Any]:
        """As FeatureClient.catalog."""
        return await self._send(catalog_call(), timeout)

    async def health(self, *, timeout: float | None = None) -> Health:
        """As FeatureClient.health."""
        return await self._send(health_call(), timeout)

    async def _send(self, call: Call[T], timeout: float | None) -> T:
        """Hot."""
        connection = self._connection
        attempts = connection.attempts(timeout)
        while True:
            try:
                with httpx_errors_translated():
                    response = await self._http.send(connection.request(self._http.build_request, call, attempts.begin()))
                return connection.read(call, response)
            except FeatureClientError as error:
                wait = attempts.wait_after(error)
            await self._sleep(wait)
