"""The services of tests/http, and both clients of them, so that each test holds for the one and for the other."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.http.conftest import client, expectations, pusher, pushing, redis, service

from .clients import CLIENTS, AnyClient

__all__ = ["client", "expectations", "pusher", "pushing", "redis", "service"]


@pytest.fixture(params=list(CLIENTS))
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., AnyClient]]:
    """Makes a client of an address, with whatever FeatureClient takes; it is closed at the end."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> AnyClient:
            return stack.enter_context(CLIENTS[request.param](url, **options))

        yield make
