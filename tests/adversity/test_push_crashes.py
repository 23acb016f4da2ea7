"""Pushes while Redis hangs or is gone, and while it or workers are killed: what was confirmed is there, whole."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from tests.servers.service_process import Answer, ServiceProcess
from tests.servers.waiting import until, wait_until

from .meters import FEATURES, SOURCE, START, at, rows
from .pushes import RECOVERY_SECONDS, WORKERS, WRITE_DEADLINE_SECONDS, Producers, PushSite

EX_CONFIG = 78
# What a busy machine may add to a deadline; far below what stock takes to give up.
MARGIN_SECONDS = 1.0
# What Feast's imports may take on a busy machine, in a writer that has its first push.
WRITTEN_SECONDS = 60.0
# More than what is sent to Redis in one piece.
MANY = 3000


@pytest.fixture
def site(lasting_push_site: PushSite) -> Iterator[PushSite]:
    """The site, well before each test and after it."""
    yield lasting_push_site
    if not lasting_push_site.redis.running:
        lasting_push_site.redis.start()
    lasting_push_site.proxy.heal()
    lasting_push_site.service.wait_ready(RECOVERY_SECONDS)


@pytest.fixture(scope="module")
def misconfigured(lasting_push_site: PushSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service of the same repository that wasn't told where the suites are. Take it early: it takes long to end."""
    log = tmp_path_factory.mktemp("misconfigured") / "service.log"
    service = ServiceProcess(lasting_push_site.repo.folder, log=log).start()
    yield service
    service.stop()


def customers(first: int, amount: int) -> list[int]:
    """Whom no other test knows."""
    return list(range(first, first + amount))


def refused(answer: Answer) -> None:
    """A 503 that says when to come again."""
    assert answer.status == 503, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


HURTS: dict[str, Callable[[PushSite], None]] = {
    "gone": lambda site: site.proxy.refuse(),
    "a black hole": lambda site: site.proxy.black_hole(),
    "frozen": lambda site: os.kill(site.redis.pid, signal.SIGSTOP),
}


@pytest.mark.parametrize("what", HURTS)
def test_a_push_without_redis_is_refused_within_the_deadline(site: PushSite, misconfigured: ServiceProcess, what: str) -> None:
    """503, nothing reported as written; the same request does it when Redis is back."""
    assert misconfigured.pid
    ids = customers(10**9 + 1000 * list(HURTS).index(what), 3)
    df = rows(ids, [1, 2, 3], [at(0)] * 3)
    df[FEATURES[0]][1] = -1  # and one of them is bad
    HURTS[what](site)
    try:
        for to in ("online", "offline", "online_and_offline"):
            began = time.monotonic()
            answer = site.push({**df, "created": [None] * 3}, to=to)
            assert time.monotonic() - began < 2 * WRITE_DEADLINE_SECONDS + MARGIN_SECONDS
            refused(answer)
            assert answer.json.get("written_rows", []) == []
    finally:
        if what == "frozen":
            os.kill(site.redis.pid, signal.SIGCONT)
        site.proxy.heal()
    site.service.wait_ready(RECOVERY_SECONDS)
    wait_until(lambda: site.push(df).status == 200, "that it is written", RECOVERY_SECONDS)
    found = [row and row.mark for row in site.standing(ids)]
    assert found == [1, None, 3]


def test_of_a_push_that_is_cut_off_only_what_was_confirmed_is_told(site: PushSite) -> None:
    """Row by row; the others may be there or not, none of them in part, and a retry writes all."""
    told = set()
    for attempt, size in enumerate((5, 200, 1000, 3000, 6000, 9000)):
        ids = customers(2 * 10**9 + attempt * MANY, MANY)
        df = rows(ids, [attempt + 1] * MANY, [at(attempt)] * MANY)
        site.proxy.cut_after(size)
        answer = site.push(df)
        if answer.status == 200:
            site.proxy.heal()
            continue
        refused(answer)
        if answer.json["type"] != "urn:feature-service:write-unconfirmed":
            continue  # the connection was lost before
        body = answer.json
        confirmed, unconfirmed = body["written_rows"], body["unconfirmed_rows"]
        assert sorted(confirmed + unconfirmed) == list(range(MANY))
        assert (body["written"], body["stale"], body["unconfirmed"]) == (len(confirmed), 0, len(unconfirmed))
        standing = site.standing(ids)
        assert all(standing[row] is not None for row in confirmed)
        told.add(bool(confirmed))
        wait_until(lambda: site.push(df).status == 200, "that all is written", RECOVERY_SECONDS)  # noqa: B023
        assert None not in site.standing(ids)
    assert told == {True, False}


async def test_killed_workers_lose_nothing_that_was_confirmed(site: PushSite) -> None:
    """Producers go on with the others, and with those that take their places."""
    async with Producers(site, 4) as producers:
        for _ in range(2):
            await producers.more(20)
            before = site.service.worker_pids
            for pid in before[:1]:
                os.kill(pid, signal.SIGKILL)
            await until(
                lambda: len(site.service.worker_pids) == WORKERS and before[0] not in site.service.worker_pids,  # noqa: B023
                "another worker",
                RECOVERY_SECONDS,
            )
        for pid in site.service.worker_pids:  # all at once
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(site.service.wait_ready, RECOVERY_SECONDS)
        await producers.more(20)
    assert producers.lost
    assert set(producers.statuses) <= {200, 503}
    producers.check()


async def test_a_killed_redis_loses_nothing_that_was_confirmed(site: PushSite) -> None:
    """It has each row in its file before it confirms; in between pushes are refused, and none of its rows is half there."""
    async with Producers(site, 4) as producers:
        for _ in range(3):
            await producers.more(20)
            site.redis.kill()
            refusals = producers.statuses[503]
            await until(lambda: producers.statuses[503] > refusals, "a refusal")  # noqa: B023
            site.redis.start()  # in this thread, since it ends with the one that starts it
            await producers.more(5)
    assert set(producers.statuses) == {200, 503}
    assert not producers.lost
    producers.check()


def test_pushes_arrive_in_the_offline_store(site: PushSite) -> None:
    """Through the whole service: 202, and soon the rows that passed validation are in the file, once."""
    ids = customers(3 * 10**9, 4)
    df = rows(ids, [1, 2, 3, 4], [at(0)] * 4, created=[at(1)] * 4)
    df[FEATURES[0]][2] = -1
    for to, online in (("offline", 0), ("online_and_offline", 3)):
        answer = site.push(df, to=to)
        assert answer.status == 202
        assert (answer.json["queued"], answer.json["quarantined"], answer.json["written"]) == (3, 1, online)
        assert len([row for row in site.standing(ids) if row]) == online

    def arrived() -> list[tuple[int, int, datetime]]:
        table = pq.read_table(site.history, columns=["customer_id", FEATURES[1], "event_timestamp"]).to_pylist()
        found = [(row["customer_id"], row[FEATURES[1]], row["event_timestamp"]) for row in table]
        return sorted(row for row in found if row[0] in ids)

    wanted = [(ids[row], row + 1, START.astimezone(UTC)) for row in (0, 1, 3)]
    # Two pushes were asked for.
    wait_until(lambda: arrived() == sorted(wanted * 2), "that they have arrived", WRITTEN_SECONDS)
    wait_until(lambda: site.service.metric("offline_rows_written_total", source=SOURCE) >= 6, "that it is counted")


def test_a_read_sees_a_push_of_another_worker(site: PushSite) -> None:
    """At once, since Redis has it."""
    for customer in customers(4 * 10**9, 20):
        assert site.push(rows([customer], [customer % 97], [at(0)])).status == 200
        answer = site.service.read({"features": [f"meters:{FEATURES[4]}"], "entities": {"customer_id": [customer]}})
        assert answer.json["results"][1]["values"] == [customer % 97]


def test_a_source_without_its_suite_ends_the_service_at_its_start(misconfigured: ServiceProcess) -> None:
    """Exit code 78, with what is wrong; nothing was served unchecked."""
    assert misconfigured.wait_ended(WRITTEN_SECONDS) == EX_CONFIG
    assert f"Push source {SOURCE} is to be validated by the suite" in misconfigured.log
    assert "without --expectations" in misconfigured.log
    assert "another is started" not in misconfigured.log
