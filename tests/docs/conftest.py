"""The sample repository, prepared and served as `make serve` does it, for all that a reader of the pages may try."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.local.prepare import prepare
from tests.servers.service_process import ServiceProcess

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Site:
    """Where it is served, and what a shell has that has read `.local/environment`."""

    url: str
    environment: Mapping[str, str]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The sample repository, served as `make serve` serves it."""
    prepared = prepare(ROOT / "feast-repo/customer_features", tmp_path_factory.mktemp("local"))
    try:
        log = tmp_path_factory.mktemp("log") / "service.log"
        expectations = ROOT / "expectations"
        with ServiceProcess(prepared.config, environment=prepared.environment, log=log, expectations=expectations) as service:
            variables = {**os.environ, **prepared.environment, "FEAST_FS_YAML_FILE_PATH": str(prepared.config)}
            yield Site(service.url, variables)
    finally:
        prepared.redis.stop()


@pytest.fixture(scope="session")
def url(site: Site) -> str:
    """Its address."""
    return site.url
