"""Airflow's scheduler and the API server that its tasks talk to, for what `dags test` doesn't do: schedules and backfills."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx

from pipelines.local.redis import HOST, free_port
from tests.servers.child import ServerProcess

from .platform import AIRFLOW, Platform

READY_SECONDS = 60.0


@contextmanager
def scheduler(platform: Platform) -> Iterator[Platform]:
    """The same platform with both running; its commands know where they are."""
    port = free_port()
    environment = {
        **platform.environment,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    }
    served = replace(platform, environment=environment)
    stored = served.airflow("dags", "reserialize")
    assert stored.returncode == 0, stored.stdout + stored.stderr
    with ExitStack() as stack:
        server = [AIRFLOW, "api-server", "--host", HOST, "--port", str(port), "--workers", "1"]
        api = ServerProcess(server, platform.folder / "api-server.log", environment)
        stack.callback(api.end)
        # Its server of logs would take a port that isn't ours to choose.
        running = ServerProcess([AIRFLOW, "scheduler", "--skip-serve-logs"], platform.folder / "scheduler.log", environment)
        stack.callback(running.end)
        api.wait_until(lambda: _answers(port), READY_SECONDS)
        yield served


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/api/v2/monitor/health").is_success
    except httpx.HTTPError:
        return False
