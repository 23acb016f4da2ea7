"""Two replicas behind nginx, set up as the Ingress has it: no client notices that one of them ends."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import nginx
from tests.servers.load import Load, Question
from tests.servers.nginx import Nginx
from tests.servers.service_process import ServiceProcess
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.waiting import is_ok, wait_until

from .stack import Stack
from .test_compose import READ, ROW

pytestmark = pytest.mark.timeout(300)
READERS = 4
MANY, SECONDS = 500, 60.0
# On a busy machine a worker may not get its turn for as long as the usual deadline.
PATIENT = {"FEATURE_SERVICE_READ_DEADLINE_MS": "5000"}


def ingress(manifests: list[dict[str, Any]], path: str) -> dict[str, str]:
    """The annotations of the Ingress that has a path."""
    for each in manifests:
        if each["kind"] == "Ingress" and path in {rule["path"] for rule in each["spec"]["rules"][0]["http"]["paths"]}:
            annotations: dict[str, str] = each["metadata"]["annotations"]
            return annotations
    raise AssertionError(path)


@pytest.fixture
def replicas(stack: Stack) -> Iterator[list[ServiceProcess]]:
    """Two that are ready."""
    if (reason := nginx.missing()) is not None:
        pytest.skip(reason)
    with ExitStack() as all_of_them:
        both = [all_of_them.enter_context(stack.replica(environment=PATIENT)) for _ in range(2)]
        yield both


async def test_no_read_fails_while_replicas_are_replaced(
    stack: Stack, replicas: list[ServiceProcess], manifests: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A third one takes the place of the first when it is ready; then the second one is killed, in the middle of its reads."""
    first, second = replicas
    with (
        Nginx(tmp_path, [first.port, second.port], ingress(manifests, "/get-online-features")) as proxy,
        stack.replica(environment=PATIENT) as third,
    ):
        async with Load(proxy.url, [question(first)], clients=READERS) as load:
            await load.more(MANY, SECONDS)
            await asyncio.to_thread(proxy.switch, [second.port, third.port])
            await load.more(MANY, SECONDS)
            closed = load.lost  # by nginx, which closes connections of clients when it reads its configuration anew
            await asyncio.to_thread(first.stop)
            await load.more(MANY, SECONDS)
            kill_at_once(second)
            await load.more(MANY, SECONDS)
        assert (set(load.statuses), load.lost, load.wrong) == ({200}, closed, []), load


def test_a_replica_that_is_ready_is_so_with_all_of_its_workers(stack: Stack) -> None:
    """No read is refused because it meets a worker that is behind the others: Kubernetes sends clients when one is ready."""
    replica = stack.replica(environment=PATIENT)
    try:
        replica.start()
        wait_until(lambda: len(replica.worker_pids) == replica.workers > 1, "that its workers are started", SECONDS)
        late = replica.worker_pids[-1]
        os.kill(late, signal.SIGSTOP)
        wait_until(lambda: is_ok(f"{replica.url}/health/ready"), "that another one is ready", SECONDS)
        os.kill(late, signal.SIGCONT)
        statuses: Counter[int] = Counter()
        while replica.metric("redis_connections", purpose="writes") < replica.workers:
            statuses.update(replica.read(READ).status for _ in range(READERS))
        assert statuses.keys() == {200}, statuses
    finally:
        replica.stop()


def kill_at_once(service: ServiceProcess) -> None:
    """The supervisor first, which would replace a worker; workers would otherwise let their requests end."""
    for pid in (service.pid, *service.worker_pids):
        os.kill(pid, signal.SIGKILL)


def question(service: ServiceProcess) -> Question:
    """A read, and what one replica answers."""
    answer = service.read(READ).json
    names, vectors = answer["metadata"]["feature_names"], answer["results"]
    return Question(READ, {name: vector["values"] for name, vector in zip(names, vectors, strict=True)})


def test_a_push_that_was_sent_is_not_sent_again(stack: Stack, manifests: list[dict[str, Any]], tmp_path: Path) -> None:
    """Where nobody listens another replica gets it; where the answer breaks off the producer is told, and decides."""
    if (reason := nginx.missing()) is not None:
        pytest.skip(reason)
    service = stack.service()
    with (
        TcpProxy(service.port) as one,
        TcpProxy(service.port) as other,
        Nginx(tmp_path, [one.port, other.port], ingress(manifests, "/push")) as proxy,
    ):
        one.refuse()
        assert [push(proxy) for _ in range(4)] == [200] * 4
        one.heal()
        before = service.metric("pushed_rows_total")
        for each in (one, other):
            each.cut_after(1)
        assert push(proxy) == 502
        assert service.metric("pushed_rows_total") == before + 1


def push(proxy: Nginx) -> int:
    """The status of a push of one row."""
    row = {**ROW, "event_timestamp": datetime.now(UTC).isoformat()}
    return httpx.post(f"{proxy.url}/push", json={"push_source_name": "customer_push_source", "rows": [row]}).status_code
