"""The image: built from the Dockerfile, run as compose and Kubernetes run it, on the servers of the stack."""

import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from pipelines.local.redis import free_port
from tests.servers.image import Containers, missing
from tests.servers.waiting import is_ok, wait_until

from .stack import ROOT, Stack
from .test_compose import READ, ROW

NAME = "feature-service-test"
READY_SECONDS = 90.0
STOP_SECONDS = 30
# Debian's packages and ours are installed while it is built.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    """The image is there."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="image-", ignore_cleanup_errors=True) as folder:
        containers = Containers(Path(folder))
        containers.build(ROOT)
        yield containers


@pytest.fixture(scope="module")
def url(containers: Containers, stack: Stack) -> Iterator[str]:
    """Of a container that is ready."""
    port = free_port()
    given = stack.document["services"]["feature-service"]["environment"]
    environment = {name: stack.environment("feature-service")[name] for name in given}
    command = stack.document["services"]["feature-service"]["command"]
    arguments = [str(port) if each == "6566" else "127.0.0.1" if each == "0.0.0.0" else each for each in command]
    containers.start(NAME, environment, arguments)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_ok(f"{address}/health/ready"), "that the container is ready", READY_SECONDS)
        yield address
    finally:
        containers.podman("rm", "--force", "--time=0", NAME)


def test_it_serves(url: str) -> None:
    """On a read-only root, without capabilities, as a user without a name; with the definitions and suites that it holds."""
    answer = httpx.post(f"{url}/get-online-features", json=READ)
    assert answer.status_code == 200
    row = {**ROW, "loyalty_score": 1.85, "event_timestamp": datetime.now(UTC).isoformat()}
    pushed = httpx.post(f"{url}/push", json={"push_source_name": "customer_push_source", "rows": [row]})
    assert pushed.json()["quarantined"] == 1, pushed.text


def test_nobody_in_it_is_root(url: str, containers: Containers) -> None:
    """Every process has the image's user."""
    users = containers.podman("top", NAME, "huser").split()[1:]
    assert len(users) >= 4
    assert set(users) == {"10001"}


def test_it_holds_nothing_but_what_is_served(url: str, containers: Containers) -> None:
    """No tests, no environment of this machine, no secrets: what .dockerignore lets through."""
    listed = containers.podman("exec", NAME, "find", "/srv", "-type", "f")
    ours = {str(Path(line).relative_to("/srv")) for line in listed.splitlines() if line.startswith("/srv/")}
    assert "feast-repo/feature_store.yaml" in ours
    assert "expectations/suites/customer_push_suite.json" in ours
    assert not {path for path in ours if path.endswith((".env", ".db", ".parquet", ".pyc"))}


def test_it_ends_in_order(url: str, containers: Containers) -> None:
    """SIGTERM, as Docker and Kubernetes send it: exit code 0, long before it would be killed."""
    containers.podman("kill", f"--signal={signal.SIGTERM.value}", NAME)
    wait_until(lambda: _state(containers) == "exited", "that the container ends", STOP_SECONDS)
    assert containers.podman("inspect", "--format={{.State.ExitCode}}", NAME).strip() == "0", containers.podman("logs", NAME)


def _state(containers: Containers) -> str:
    return containers.podman("inspect", "--format={{.State.Status}}", NAME).strip()
