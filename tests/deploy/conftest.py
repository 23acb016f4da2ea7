"""What the tests of a deployment share."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.local.redis import EmbeddedRedis
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesApi, kustomize
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Server

from .stack import ROOT, Stack, compose


@pytest.fixture(scope="session")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example overlay as a reader of it makes it: copied, with the secrets' example for secrets."""
    folder = tmp_path_factory.mktemp("k8s")
    shutil.copytree(ROOT / "deploy" / "k8s", folder, dirs_exist_ok=True)
    example = folder / "overlays" / "example"
    (example / "secrets.env").write_text((example / "secrets.env.example").read_text())
    return example


@pytest.fixture(scope="session")
def manifests(overlay: Path) -> list[dict[str, Any]]:
    """All objects that it makes."""
    return kustomize(overlay)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    """Kubernetes' API."""
    if (reason := kubernetes.missing()) is not None:
        pytest.skip(reason)
    with KubernetesApi(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What docker-compose.yml runs, with its commands and its environment, on servers of this machine; prepared."""
    folder = tmp_path_factory.mktemp("stack")
    document = compose()["services"]
    s3 = S3Server(folder / "s3")
    s3.access_key, s3.secret_key = (
        document["s3"]["environment"][f"AWS_{key}"] for key in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    )
    redis = EmbeddedRedis(folder / "redis", password=document["redis"]["environment"]["REDISCLI_AUTH"], appendonly=True)
    with s3, PostgresServer() as postgres, redis:
        stack = Stack(folder, s3, postgres, redis)
        try:
            stack.prepare()
            yield stack
        finally:
            stack.close()


@pytest.fixture(scope="session")
def documented_paths(stack: Stack) -> set[str]:
    """The paths of the service's OpenAPI document."""
    return set(httpx.get(f"{stack.service().url}/openapi.json").json()["paths"])
