"""The writer, where Redis goes away under it."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from pipelines.local.redis import EmbeddedRedis
from service.codec.event_times import store_times
from service.materialization.job import MaterializationFailed
from service.materialization.rows import EncodedRows
from service.materialization.writing import OnlineWriter
from service.store import parse_address
from service.store.writes import HashWrite

WRITE = HashWrite([(b"_ts:view", [b"f"])])
ROWS = 100


def batches(count: int) -> Iterator[EncodedRows]:
    """Rows of distinct keys."""
    for number in range(count):
        keys = [b"%d-%d" % (number, row) for row in range(ROWS)]
        yield EncodedRows(keys, store_times([1_700_000_000_000_000_000] * ROWS), [[b"value of " + key for key in keys]])


def test_all_rows_are_there_after_a_restart_in_the_middle(tmp_path: Path) -> None:
    """Whatever wasn't confirmed is written again."""
    reached, killed = threading.Event(), threading.Event()
    told: list[int] = []

    def some() -> Iterator[EncodedRows]:
        for number, batch in enumerate(batches(60)):
            if number == 20:
                reached.set()
                killed.wait()
            yield batch

    with EmbeddedRedis(tmp_path, appendonly=True) as server, ThreadPoolExecutor(1) as thread:
        writer = OnlineWriter(parse_address(f"127.0.0.1:{server.port}"))
        written = thread.submit(writer.write, "view", WRITE, some(), told.append)
        reached.wait()
        server.kill()
        killed.set()
        time.sleep(0.5)
        assert not written.done()
        server.start()
        assert written.result() == 60 * ROWS
        assert told == sorted(told)
        client = redis.Redis(port=server.port)
        assert told[-1] == 60 * ROWS == client.dbsize()
        assert client.hget(b"59-99", b"f") == b"value of 59-99"


def test_a_redis_that_stays_away_is_given_up(tmp_path: Path) -> None:
    """After its patience, saying what stands."""
    with EmbeddedRedis(tmp_path, persist=False) as server:
        address = parse_address(f"127.0.0.1:{server.port}")
    with pytest.raises(
        MaterializationFailed, match=r"view: Redis has confirmed nothing for 0 s: .*Connect call failed"
    ) as caught:
        OnlineWriter(address, patience_seconds=0.3).write("view", WRITE, batches(3), lambda rows: None)
    assert caught.value.kind == "store"


def test_a_redis_that_is_full_is_given_up(tmp_path: Path) -> None:
    """With what it says."""
    with EmbeddedRedis(tmp_path, persist=False) as server:
        server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(MaterializationFailed, match="OOM"):
            OnlineWriter(parse_address(f"127.0.0.1:{server.port}"), patience_seconds=0.2).write(
                "view", WRITE, batches(3), lambda rows: None
            )


def test_no_task_is_left_behind(tmp_path: Path) -> None:
    """Where encoding fails in the middle."""

    def some() -> Iterator[EncodedRows]:
        yield from batches(3)
        raise MaterializationFailed("other", "a row that can't be stored")

    with EmbeddedRedis(tmp_path, persist=False) as server, pytest.raises(MaterializationFailed, match="can't be stored"):
        OnlineWriter(parse_address(f"127.0.0.1:{server.port}")).write("view", WRITE, some(), lambda rows: None)
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
