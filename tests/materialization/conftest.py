"""One Redis for all; each test gets a repository of its own, over empty databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.local.redis import EmbeddedRedis

from .shelf import Shelf


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        yield server


@pytest.fixture
def shelf(tmp_path: Path, server: EmbeddedRedis) -> Shelf:
    """A repository without definitions."""
    return Shelf(tmp_path, server)
