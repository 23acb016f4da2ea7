"""Both clients as one: the asynchronous one is waited for, so that a test needn't know which it has."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from feature_client import AsyncFeatureClient, FeatureClient


class Awaited:
    """AsyncFeatureClient with an event loop of its own; `sleep` is a plain function, as FeatureClient's is."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] | None = None, **options: Any) -> None:
        async def asleep(seconds: float) -> None:
            assert sleep is not None
            await asyncio.to_thread(sleep, seconds)

        self._runner = asyncio.Runner()
        self._client = AsyncFeatureClient(url, **options, **({} if sleep is None else {"sleep": asleep}))

    def __enter__(self) -> Self:
        """Open the client."""
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close both."""
        self._runner.run(self._client.__aexit__(kind, error, trace))
        self._runner.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *values, **named: self._runner.run(method(*values, **named))


AnyClient = FeatureClient | Awaited
CLIENTS: dict[str, Callable[..., AnyClient]] = {"sync": FeatureClient, "async": Awaited}
