"""What a client sees while Redis is gone, slow or silent, and when it is back."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.servers.http_connection import HttpConnection
from tests.servers.load import Load
from tests.servers.waiting import wait_until

from .site import DEADLINE_SECONDS, MARGIN_SECONDS, QUESTIONS, RECOVERY_SECONDS, Site, body, question

HURTS: dict[str, tuple[Callable[[Site], None], Callable[[Site], object]]] = {
    "killed": (lambda site: site.redis.kill(), lambda site: site.redis.start()),
    "refused": (lambda site: site.proxy.refuse(), lambda site: site.proxy.heal()),
    "black hole": (lambda site: site.proxy.black_hole(), lambda site: site.proxy.heal()),
    "late": (lambda site: site.proxy.delay(3.0), lambda site: site.proxy.heal()),
}


@pytest.mark.parametrize("hurt", HURTS)
def test_without_redis(site: Site, hurt: str) -> None:
    """Reads are 503 with Retry-After within the deadline, health is fine, readiness isn't; within a second all is well."""
    harm, heal = HURTS[hurt]
    harm(site)
    for _ in range(4):
        began = time.monotonic()
        answer = site.service.read(body([1, 2]))
        assert time.monotonic() - began < DEADLINE_SECONDS + MARGIN_SECONDS
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json["status"] == 503
        assert answer.json["type"] in ("urn:feature-service:store-timeout", "urn:feature-service:store-unavailable")
        assert answer.json["detail"]
    assert site.service.get("/health").status == 200
    began = time.monotonic()
    ready = site.service.get("/health/ready")
    assert time.monotonic() - began < DEADLINE_SECONDS + MARGIN_SECONDS
    assert ready.status == 503
    assert ready.json["catalog"] == "ok"
    assert ready.json["redis"] not in ("ok", "")
    heal(site)
    wait_until(lambda: site.service.read(body([1])).status == 200, "right answers", RECOVERY_SECONDS)
    assert question([1, 2]).is_answered_by(site.service.read(body([1, 2])))
    wait_until(lambda: site.service.get("/health/ready").status == 200, "readiness", RECOVERY_SECONDS)


def test_what_happens_to_redis_is_counted(site: Site) -> None:
    """Timeouts and reconnections show in /metrics, and so do the 503s."""

    def counted() -> tuple[float, ...]:
        metric = site.service.metric
        refused = metric("requests_total", route="/get-online-features", status="503")
        return metric("redis_timeouts_total"), metric("redis_connects_total"), refused

    before = counted()
    site.proxy.black_hole()
    for _ in range(3):
        site.service.read(body([1]))
    site.proxy.heal()
    wait_until(lambda: site.service.read(body([1])).status == 200, "right answers", RECOVERY_SECONDS)
    timeouts, connects, refused = (now - then for now, then in zip(counted(), before, strict=True))
    assert timeouts >= 1
    assert connects >= 1
    assert refused >= 3


def test_a_large_request_keeps_the_deadline(site: Site) -> None:
    """A request that is read from Redis in many parts waits for all of them together no longer than the deadline."""
    site.proxy.delay(DEADLINE_SECONDS * 0.8)
    began = time.monotonic()
    answer = site.service.read(body(range(1, 10_001)))
    assert time.monotonic() - began < DEADLINE_SECONDS + MARGIN_SECONDS
    assert answer.status in (200, 503)


async def test_redis_killed_and_restarted_under_load(site: Site) -> None:
    """In between only 503s, never a wrong answer or a lost connection; right answers within a second of its return."""
    async with Load(site.service.url, QUESTIONS, clients=8, pause=0.005) as load:
        for _ in range(2):
            site.redis.kill()
            await asyncio.sleep(0.4)
            assert load.statuses[503]
            site.redis.start()
            await load.more(20, RECOVERY_SECONDS)
    assert set(load.statuses) == {200, 503}
    assert not load.wrong
    assert not load.lost


async def test_the_network_cut_again_and_again_under_load(site: Site) -> None:
    """Cuts in the middle of replies give 503s and nothing worse."""
    async with Load(site.service.url, QUESTIONS, clients=8) as load:
        for count in range(0, 6000, 250):
            site.proxy.cut_after(count)
            await asyncio.sleep(0.04)
        site.proxy.heal()
        await load.more(20, RECOVERY_SECONDS)
    assert set(load.statuses) <= {200, 503}
    assert not load.wrong
    assert not load.lost


async def test_a_slow_read_holds_nobody_up(site: Site) -> None:
    """While reads wait for Redis, the same worker answers what doesn't need it."""
    site.proxy.delay(DEADLINE_SECONDS * 0.8)
    async with await HttpConnection.open(site.service.url) as slow, await HttpConnection.open(site.service.url) as quick:
        waiting = asyncio.create_task(slow.post("/get-online-features", body([1])))
        await asyncio.sleep(0.02)
        for _ in range(10):
            assert (await quick.request("GET", "/health")).status == 200
        assert not waiting.done()
        assert question([1]).is_answered_by(await waiting)
