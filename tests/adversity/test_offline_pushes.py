"""Offline pushes: each row is in the offline store once, whoever dies, stops, refuses or isn't there."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.local.process import die_with_parent
from pipelines.local.redis import EmbeddedRedis
from service.errors import InvalidRequest, StoreUnavailable
from service.offline.appending import OfflineStore
from service.offline.entry import Entry, encode_columns
from service.offline.failures import OfflineStoreUnavailable
from tests.servers.service_process import _children as children_of
from tests.servers.service_process import sample_sum
from tests.servers.waiting import until, wait_until

from .offline import EVENT, SCHEMA, SOURCE, WRITTEN_SECONDS, Shop, batch, write_file, writer_process
from .site import Site

# So many rows that Feast is busy with the file for a while.
MANY = 100_000


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server that forgets nothing when it is killed."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), appendonly=True) as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, redis: EmbeddedRedis) -> Shop:
    """A project of its own for each test."""
    return Shop(tmp_path, redis)


def joined(shop: Shop, *customers: int) -> pd.DataFrame:
    """What Feast's point-in-time join gives for these customers, by two views."""
    entities = pd.DataFrame(
        {"customer_id": list(customers), "event_timestamp": [pd.Timestamp("2026-03-01", tz="UTC")] * len(customers)}
    )
    features = ["profile:visits", "profile:city", "profile:tags", "profile:photo", "profile:seen", "profile_again:spend"]
    found = shop.repo.store.get_historical_features(entities, features).to_df()
    return found.sort_values("customer_id").reset_index(drop=True)


async def test_pushes_arrive_as_they_were_pushed(shop: Shop) -> None:
    """Once, whatever the number of views; beside the rows that were there, in the file's types; and Feast joins them."""
    odd = batch(
        3,
        event_timestamp=["2026-01-31T13:00:00.123456789+01:00"],
        visits=[2**63 - 1],
        spend=[float("inf")],
        city=['"ñ\u2028\u0000'],
        tags=[[None, ""]],
        seen=[datetime(2026, 1, 1, 0, 0, 0, 999_999)],
    )
    nothing = {name: [None] for name in ("visits", "spend", "city", "tags", "photo", "seen")}
    async with shop.writer() as metrics, shop.queue() as queue:
        await queue.add(SOURCE, batch(1, 2), "a")
        await queue.add(SOURCE, odd, "b")
        await queue.add(SOURCE, batch(4, **nothing), "c")
        await shop.written([0, 1, 2, 3, 4])
        assert metrics.page().count(b"offline_failures_total{") == 0
        assert sample_sum(metrics.page().decode(), "offline_rows_written_total", source=SOURCE) == 4
    table = pq.read_table(shop.file)
    assert table.schema == SCHEMA
    expected = Path(shop.folder, "expected.parquet")
    write_file(expected, [0, 1, 2])
    rows = {row["customer_id"]: row for row in table.to_pylist()}
    assert [rows[number] for number in (0, 1, 2)] == pq.read_table(expected).to_pylist()
    assert rows[3]["event_timestamp"] == EVENT.replace(microsecond=123456)
    assert (rows[3]["visits"], rows[3]["spend"], rows[3]["tags"]) == (2**63 - 1, float("inf"), [None, ""])
    assert (rows[3]["town"], rows[3]["seen"]) == ('"ñ\u2028\u0000', datetime(2026, 1, 1, 0, 0, 0, 999_000, UTC))
    assert {rows[4][name] for name in ("visits", "spend", "town", "tags", "photo", "seen")} == {None}
    found = joined(shop, 0, 1, 2)
    assert found["visits"].tolist() == [0, 1000, 2000]
    assert found["city"].tolist() == ["city of 0", "city of 1", "city of 2"]
    assert found["spend"].tolist() == [0.0, 0.5, 1.0]


async def test_a_batch_waits_for_its_size(shop: Shop) -> None:
    """Three rows stay where they are until the fourth comes; then all are written at once."""
    async with shop.writer(offline_batch_rows=4, offline_batch_age_seconds=3600), shop.queue() as queue:
        ids = [await queue.add(SOURCE, batch(number), "r") for number in (1, 2, 3)]
        read = lambda: shop.redis.command("XPENDING", shop.keys.stream, "offline-writer")[0] == 3  # type: ignore[index]  # noqa: E731
        await until(read, "that the writer has them")
        assert shop.customers() == [0]
        ids.append(await queue.add(SOURCE, batch(4), "r"))
        await shop.written(range(5))
    # What the file says of itself: which entries were appended to it last.
    (mark,) = (value for key, value in pq.read_schema(shop.file).metadata.items() if key.endswith(SOURCE.encode()))
    assert json.loads(mark) == [ids[0], ids[3]]


async def test_what_does_not_fit_takes_nothing_else_with_it(tmp_path: Path, redis: EmbeddedRedis) -> None:
    """Each bad entry ends among the dead letters, with the reason and all that it held; every good row is written."""
    shop = Shop(tmp_path, redis, lost_pushes=str(tmp_path / "nowhere.parquet"))
    without = batch(13)
    del without["created"]
    bad = {
        "visits of the offline store is int64, and gets the number 0.5": batch(10, visits=[0.5]),
        "too large": batch(11, visits=[2**63]),
        "spend of the offline store is float, and gets": batch(12, spend=["much"]),
        "without created": without,
        "unknown colour": batch(14, colour=["red"]),
        "event_timestamp of the offline store": batch(15, event_timestamp=[1_700_000_000]),
    }
    async with shop.queue() as queue:
        for number, columns in enumerate(bad.values(), start=1):
            await queue.add(SOURCE, batch(number), "good")
            await queue.add(SOURCE, columns, f"bad {number}")
        for number in (16, 17, 18):
            await queue.add("lost_pushes", batch(number), "lost")
        await queue.add("unheard_of", batch(19), "unheard of")
        redis.command("XADD", shop.keys.stream, "*", "what", "is this")
        await queue.add(SOURCE, batch(7), "good")
        async with shop.writer() as metrics:
            await shop.written(range(8))
            page = metrics.page().decode()
    assert len(shop.dead()) == len(bad) + 5
    dead = {letter["reason"]: letter for letter in shop.dead()}
    for number, (reason, columns) in enumerate(bad.items(), start=1):
        (letter,) = [letter for found, letter in dead.items() if reason in found]
        assert letter["request"] == f"bad {number}"
        assert letter["columns"] == encode_columns(columns).decode(errors="replace")
    assert [reason for reason in dead if reason.startswith("FileNotFoundError") and "nowhere.parquet" in reason]
    assert sample_sum(page, "offline_rows_dead_total", source="lost_pushes") == 3
    assert sample_sum(page, "offline_failures_total", source="lost_pushes") == 2
    assert "Unable to find push source 'unheard_of'." in dead
    assert sample_sum(page, "offline_rows_dead_total", source=SOURCE) == len(bad)
    assert sample_sum(page, "offline_failures_total", source=SOURCE, reason="refused") == 2 * len(bad)


async def test_while_the_store_cannot_be_used_nothing_is_given_up(shop: Shop) -> None:
    """More failures than refusals are allowed, since another process appends to the file; then it lets go."""
    async with shop.writer(offline_max_attempts=1) as metrics, shop.queue() as queue:
        with shop.file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            await queue.add(SOURCE, batch(1), "r")
            failures = lambda: sample_sum(metrics.page().decode(), "offline_failures_total", reason="unavailable")  # noqa: E731
            await until(lambda: failures() >= 2, "a second attempt", WRITTEN_SECONDS)
            assert shop.customers() == [0]
        await shop.written([0, 1])
    assert shop.dead() == []


async def test_s3_that_cannot_be_reached_is_no_fault_of_the_rows(tmp_path: Path, redis: EmbeddedRedis) -> None:
    """A connection that is refused may be accepted later."""
    shop = Shop(tmp_path, redis, s3_pushes="s3://bucket/x.parquet")
    store = OfflineStore(shop.repo.folder, "stream")
    entry = Entry(b"1-1", "s3_pushes", 1, "r", encode_columns(batch(1)))
    with pytest.raises(OfflineStoreUnavailable, match="NETWORK_CONNECTION"):
        await asyncio.to_thread(store.append, "s3_pushes", ["s3_pushes"], [entry], lambda: None)


async def test_a_file_that_another_changes_meanwhile_is_not_overwritten(shop: Shop) -> None:
    """The nightly job has put a new file in place since the rows were read: they are appended to that one."""
    store = OfflineStore(shop.repo.folder, "stream")
    entry = Entry(b"1-1", SOURCE, 1, "r", encode_columns(batch(1)))

    def job() -> None:
        write_file(shop.folder / "new.parquet", [5, 6])
        (shop.folder / "new.parquet").replace(shop.file)

    with pytest.raises(OfflineStoreUnavailable, match="changed by somebody else"):
        store.append(SOURCE, ["profile"], [entry], job)
    assert shop.customers() == [5, 6]
    store.append(SOURCE, ["profile"], [entry], lambda: None)
    assert shop.customers() == [1, 5, 6]
    assert list(shop.folder.glob(".*")) == []


async def test_rows_whose_acknowledgement_failed_are_not_written_again(shop: Shop) -> None:
    """The writer dies between the file and XACK, again and again: the file says itself what it has."""
    shop.redis.command("ACL", "SETUSER", "default", "-xack")
    try:
        async with shop.queue() as queue:
            for round_number in (1, 2, 3):
                await queue.add(SOURCE, batch(round_number), "r")
                async with shop.writer():
                    there = lambda: round_number in shop.customers()  # noqa: B023, E731
                    await until(there, "the row", WRITTEN_SECONDS)
            assert shop.redis_length(shop.keys.stream) == 3
            assert shop.customers() == [0, 1, 2, 3]
    finally:
        shop.redis.command("ACL", "SETUSER", "default", "+xack")
    async with shop.writer():
        await shop.written([0, 1, 2, 3])


async def test_a_row_that_is_there_twice_is_joined_once(shop: Shop) -> None:
    """What other offline stores count on, to which a killed writer's entries are appended again: Feast drops equal rows."""
    entry = Entry(b"1-1", SOURCE, 3, "r", encode_columns(batch(1, 2, 3)))
    OfflineStore(shop.repo.folder, "one").append(SOURCE, ["profile"], [entry], lambda: None)
    once = joined(shop, 0, 1, 2, 3, 4)
    entry.written.clear()
    OfflineStore(shop.repo.folder, "another").append(SOURCE, ["profile"], [entry], lambda: None)
    assert shop.customers() == [0, 1, 1, 2, 2, 3, 3]
    pd.testing.assert_frame_equal(joined(shop, 0, 1, 2, 3, 4), once)


async def test_a_writer_that_has_lost_its_lease_leaves_the_file_alone(shop: Shop) -> None:
    """Another took it while rows were being appended: nothing is put in place and nothing acknowledged; later all is."""
    async with shop.queue() as queue, shop.writer() as metrics:
        await until(lambda: sample_sum(metrics.page().decode(), "offline_writers") == 1, "the lease")
        with shop.file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # so that it can't be done before the lease is gone
            await queue.add(SOURCE, batch(1), "r")
            await until(lambda: b"offline_failures_total{" in metrics.page(), "an attempt", WRITTEN_SECONDS)
            shop.redis.command("SET", shop.keys.lease, "another's")
        await until(lambda: sample_sum(metrics.page().decode(), "offline_writers") == 0, "that it has noticed", WRITTEN_SECONDS)
        assert shop.customers() == [0]
        assert shop.redis_length(shop.keys.stream) == 1
        shop.redis.command("DEL", shop.keys.lease)
        await shop.written([0, 1])


async def test_redis_killed_and_restarted(shop: Shop) -> None:
    """What was confirmed is written once; in between pushes are refused, and the writer waits."""
    confirmed = [0]
    async with shop.queue() as queue, shop.writer():
        for number in range(1, 40):
            if number % 10 == 5:
                shop.redis.kill()
                with pytest.raises(StoreUnavailable):
                    await queue.add(SOURCE, batch(number), "r")
                shop.redis.start()
            try:
                await queue.add(SOURCE, batch(number), "r")
                confirmed.append(number)
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        await shop.written(confirmed)
    assert len(confirmed) > 20


async def test_what_the_queue_cannot_keep_is_refused(shop: Shop) -> None:
    """By column and row."""
    async with shop.queue() as queue:
        with pytest.raises(InvalidRequest, match="Row 1: visits can't be kept") as refused:
            await queue.add(SOURCE, batch(1, 2, visits=[1, 2**70]), "r")
    assert (refused.value.problems[0].field, refused.value.problems[0].row) == ("visits", 1)
    assert shop.redis_length(shop.keys.stream) == 0


async def test_of_two_writers_one_is_killed_while_it_writes(shop: Shop) -> None:
    """The file stays whole, the other takes over what was pending and what comes, and every row is there once."""
    write_file(shop.file, range(MANY))
    async with writer_process(shop) as killed, shop.queue() as queue, shop.writer() as metrics:
        for number in range(MANY, MANY + 10):
            await queue.add(SOURCE, batch(number), "r")
        await until(lambda: list(shop.folder.glob(".*.appending")), "that it writes", WRITTEN_SECONDS)
        assert killed.holds_the_lease
        killed.send(signal.SIGKILL)
        assert len(shop.customers()) in range(MANY, MANY + 11)
        for number in range(MANY + 10, MANY + 30):
            await queue.add(SOURCE, batch(number), "r")
        await shop.written(range(MANY + 30))
        assert sample_sum(metrics.page().decode(), "offline_rows_written_total") >= 20
        assert list(shop.folder.glob(".*")) == []


async def test_of_two_writers_one_sleeps_while_it_writes(shop: Shop) -> None:
    """The lease passes on; the sleeper puts nothing in place when it wakes. Then it has its turn, and ends in order."""
    write_file(shop.file, range(MANY))
    async with writer_process(shop) as sleeper, shop.queue() as queue:
        async with shop.writer() as metrics:
            await queue.add(SOURCE, batch(MANY), "r")
            await until(lambda: list(shop.folder.glob(".*.appending")), "that it writes", WRITTEN_SECONDS)
            assert sleeper.holds_the_lease
            sleeper.send(signal.SIGSTOP)
            await queue.add(SOURCE, batch(MANY + 1), "r")
            locked = lambda: sample_sum(metrics.page().decode(), "offline_failures_total", reason="unavailable")  # noqa: E731
            await until(locked, "that the other has the lease, and finds the file locked", WRITTEN_SECONDS)
            assert shop.customers() == list(range(MANY))
            sleeper.send(signal.SIGCONT)
            await shop.written(range(MANY + 2))
            assert sample_sum(metrics.page().decode(), "offline_rows_written_total") == 2
        await until(lambda: sleeper.holds_the_lease, "that the lease passes on", WRITTEN_SECONDS)
        await queue.add(SOURCE, batch(MANY + 2), "r")
        await shop.written(range(MANY + 3))
        sleeper.send(signal.SIGTERM)
        assert await asyncio.to_thread(sleeper.child.wait, 20) == 0
        assert shop.redis.command("EXISTS", shop.keys.lease) == 0


async def test_what_was_deleted_while_it_was_pending_is_forgotten(shop: Shop) -> None:
    """By somebody who didn't want it to be written: the others are, and no letter is left of it."""
    group = [shop.keys.stream, "offline-writer"]
    async with shop.queue() as queue:
        ids = [await queue.add(SOURCE, batch(number), "r") for number in range(1, 121)]
        shop.redis.command("XGROUP", "CREATE", *group, "0")
        shop.redis.command("XREADGROUP", "GROUP", group[1], "writer", "STREAMS", group[0], ">")
        shop.redis.command("XDEL", group[0], *ids[:60])
        async with shop.writer():
            await shop.written([0, *range(61, 121)])
    assert shop.redis.command("XPENDING", *group) == [0, None, None, None]
    assert shop.dead() == []


def test_the_service_keeps_a_writer_that_is_light_at_first(site: Site) -> None:
    """Without Feast, pandas and pyarrow in its memory; one that is killed is replaced."""
    wait_until(lambda: site.service.metric("offline_writers") == 1, "that it writes", WRITTEN_SECONDS)
    (writer,) = children_of(site.service.pid, "service.offline.process")
    mapped = Path(f"/proc/{writer}/maps").read_text()
    assert not [name for name in ("feast", "pandas", "pyarrow", "numpy") if f"/site-packages/{name}" in mapped]
    os.kill(writer, signal.SIGKILL)
    wait_until(lambda: children_of(site.service.pid, "service.offline.process") not in ([], [writer]), "another")
    assert site.service.metric("offline_entries") == 0
    assert site.service.metric("offline_dead_entries") == 0


def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    """Killed at ten moments of the appending: what is there is what was there before or after, line for line."""
    file = tmp_path / "numbers"
    script = f"""
from pathlib import Path
from service.offline.files import append_whole
def append(copy):
    count = len(copy.read_bytes().split())
    copy.write_text(chr(10).join(map(str, range(count + 5000))))
    return True
Path("{file}").write_text("0")
print("ready", flush=True)
while True:
    append_whole(Path("{file}"), append, lambda: None)
"""
    for number in range(10):
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, preexec_fn=die_with_parent())
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(number / 100)
            child.kill()
        numbers = list(map(int, file.read_text().split()))
        assert len(numbers) % 5000 == 1
        assert numbers == list(range(len(numbers)))
