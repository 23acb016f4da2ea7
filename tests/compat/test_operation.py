"""How the servers behave while they run: without Redis, with a registry that can't be read, under their own limits."""

import inspect
import itertools
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import feast.feature_server
import httpx
import pytest
import redis as redis_py

from tests.servers.waiting import wait_until

from .kiosk import FEASTS, OK, OURS, PATHS, Kiosk, row, stock_client, stock_store

# What stock's refresh timer needs for a few rounds.
REFRESH_SECONDS = 0.05
ROUNDS_SECONDS = 0.4
PUSH = {"push_source_name": "visits_push", "df": row()}


def test_health_of_stock_without_redis(outage: Future[dict[str, httpx.Response]]) -> None:
    """It looks at the registry alone."""
    assert outage.result()["health"].status_code == OK


def test_a_read_of_stock_without_redis(outage: Future[dict[str, httpx.Response]]) -> None:
    """500, after it has tried for many seconds, and no word of when to come again."""
    answer = outage.result()["read"]
    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert "retry-after" not in answer.headers


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_stocks_refresh_ends_with_its_first_failure(kiosk: Kiosk, tmp_path: Path) -> None:
    """Its timer starts the next one only after a good one."""
    database = tmp_path / "registry.db"
    whole = (kiosk.world.repo / "registry.db").read_bytes()
    database.write_bytes(whole)
    registry = {"registry_type": "sql", "path": f"sqlite:///{database}"}
    online = {"type": "redis", "connection_string": f"{kiosk.redis.host}:{kiosk.redis.port},db={FEASTS}"}
    with stock_client(stock_store(kiosk.world, online, registry=registry), REFRESH_SECONDS) as stock:
        time.sleep(ROUNDS_SECONDS)
        assert _timers()
        database.write_bytes(b"rubbish" * 1000)
        wait_until(lambda: not _timers(), "that it has failed")
        database.write_bytes(whole)
        time.sleep(ROUNDS_SECONDS)
        assert not _timers()
        assert stock.get("/health").status_code == OK


def _timers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_stock_writes_after_it_has_read(kiosk: Kiosk) -> None:
    """So of two pushes at once the older may stay; ours compare and write in one command."""
    with closing(redis_py.Redis(host=kiosk.redis.host, port=kiosk.redis.port)) as client, client.monitor() as monitor:
        kiosk.push()
        client.echo("done")
        seen = list(itertools.takewhile(lambda one: not one["command"].startswith("ECHO"), monitor.listen()))
    writing = [one for one in seen if one["client_type"] != "lua"]
    words = {db: [one["command"].split(" ")[0] for one in writing if one["db"] == db] for db in (FEASTS, OURS)}
    assert words == {FEASTS: ["HMGET", "HSET"], OURS: ["EVALSHA"]}


def test_feature_logging_is_never_looked_at() -> None:
    """By stock's server."""
    assert "feature_logging" not in inspect.getsource(feast.feature_server)


def test_static_artifacts(kiosk: Kiosk) -> None:
    """Stock runs static_artifacts.py of the repository when it starts; ours runs nothing of it."""
    file = kiosk.world.repo / "static_artifacts.py"
    file.write_text("def load_artifacts(app):\n    app.state.loaded = True\n")
    try:
        with stock_client(kiosk.world.store) as stock:
            assert stock.app.state.loaded  # type: ignore[attr-defined]
    finally:
        file.unlink()


def test_pushes_carry_an_id(kiosk: Kiosk) -> None:
    """Ours: the caller's X-Request-ID, or one of its own."""
    answers = kiosk.ask("POST", PATHS["push"], json=PUSH, headers={"x-request-id": "order-17"})
    assert "x-request-id" not in answers.stock.headers
    assert answers.ours.json()["request_id"] == "order-17"
