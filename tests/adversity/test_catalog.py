"""The registry changes, breaks and comes back while clients read all the time: the catalog follows, reads never fail."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from feast.types import Int64, String

from tests.servers.feast_repo import PROFILE, service, view
from tests.servers.load import Load
from tests.servers.service_process import Answer, ServiceProcess
from tests.servers.waiting import until, wait_until

from .site import PATIENT, QUESTIONS, SERVICE, Site, open_site

KINDS = ("sql", "file")
CACHE_TTL_SECONDS = 1
# The ttl, the time to read the registry, and what a busy machine adds.
SEEN_SECONDS = 8.0
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Started:
    """A site, and what its service said of itself while nothing had been applied."""

    site: Site
    unapplied: list[Answer] = field(default_factory=list)


def _reason(process: ServiceProcess) -> str | None:
    """Why the registry can't be read, once that is known."""
    try:
        said: str = process.get("/health/ready").json["catalog"]
    except OSError:
        return None
    return None if said == "not read yet" else said


@pytest.fixture(scope="module")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Started]]:
    """A service over each kind of registry, started at the same time, before anything was applied."""
    with ExitStack() as stack:
        started = {
            kind: Started(
                stack.enter_context(
                    open_site(
                        tmp_path_factory.mktemp(kind),
                        environment=PATIENT,
                        kind=kind,
                        cache_ttl_seconds=CACHE_TTL_SECONDS,
                        prepared=False,
                    )
                )
            )
            for kind in KINDS
        }
        for one in started.values():
            process = one.site.service
            wait_until(lambda: _reason(process), "a reason why it isn't ready", READY_SECONDS)  # noqa: B023
            one.unapplied.extend([process.get("/health"), process.get("/health/ready"), process.read(QUESTIONS[0].body)])
            one.site.prepare()
        for one in started.values():
            one.site.service.wait_ready()
            assert one.site.service.post("/catalog/refresh").status == 200  # it may be ready by half of what was applied
        yield started


@pytest.fixture(params=KINDS)
def started(request: pytest.FixtureRequest, _started: dict[str, Started]) -> Started:
    """One of them."""
    return _started[request.param]


@pytest.fixture
def site(started: Started) -> Iterator[Site]:
    """Its site, as it was applied, before the test and after it."""
    site = started.site
    definitions = site.repo.registry_file.read_bytes()
    yield site
    mend(site, definitions)
    site.repo.apply(PROFILE, service(SERVICE, PROFILE))
    wait_until(lambda: site.service.post("/catalog/refresh").status == 200, "a refresh", SEEN_SECONDS)


def mend(site: Site, definitions: bytes) -> None:
    """Put the registry back where it was, unless it is there and well."""
    file = site.repo.registry_file
    if not file.exists() or file.read_bytes().startswith(b"garbage"):
        file.write_bytes(definitions)
    site.repo.reopen()


def view_names(answer: Answer) -> set[str]:
    """The views in an answer of /catalog or /catalog/refresh."""
    return {view["name"] for view in answer.json["feature_views"]}


def request_for(name: str) -> dict[str, Any]:
    """Asks for the feature `amount` of a view."""
    return {"entities": {"customer_id": [1]}, "features": [f"{name}:amount"]}


async def aside(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run it in a thread, so that the load goes on."""
    return await asyncio.to_thread(work, *arguments)


def test_before_anything_is_applied(started: Started) -> None:
    """Up, not ready, with a message that says what to do; reads are 503; after `feast apply` it became ready."""
    health, ready, read = started.unapplied
    assert health.status == 200
    assert ready.status == 503
    assert ready.json["ready"] is False
    assert "feast apply" in ready.json["catalog"]
    assert read.status == 503
    assert read.headers["content-type"] == "application/problem+json"
    assert "feast apply" in read.json["detail"]


async def test_a_changed_registry_is_seen_by_itself(site: Site) -> None:
    """Within the cache's ttl new features can be read and new definitions are shown, and no read of old ones fails."""
    name = "seen_by_ttl"
    added = view(name, {"amount": Int64})
    assert site.service.read(request_for(name)).status == 404
    async with Load(site.service.url, QUESTIONS, clients=6, pause=0.003) as load:
        await aside(site.repo.apply, PROFILE, added, service(SERVICE, PROFILE))
        await aside(site.repo.write, added, {1: {"amount": 77}})
        await aside(wait_until, lambda: site.service.read(request_for(name)).status == 200, "the view", SEEN_SECONDS)
        await load.more(20)
    answer = site.service.read(request_for(name))
    assert answer.json["results"][1]["values"] == [77]
    assert name in view_names(site.service.get("/catalog"))
    assert set(load.statuses) == {200}, load
    assert not load.wrong
    assert not load.lost


async def test_a_forced_refresh_is_in_force_when_it_is_answered(site: Site) -> None:
    """Behind POST /catalog/refresh there is no waiting: what was applied before it can be read."""
    async with Load(site.service.url, QUESTIONS, clients=4, pause=0.003) as load:
        for number in range(4):
            name = f"forced_{number}"
            await aside(site.repo.apply, view(name, {"amount": Int64}))
            refreshed = await aside(site.service.post, "/catalog/refresh")
            assert refreshed.status == 200
            assert name in view_names(refreshed)
            assert (await aside(site.service.read, request_for(name))).status == 200
        gone = view("forced_0", {"amount": Int64})
        await aside(site.repo.remove, gone)
        assert "forced_0" not in view_names(await aside(site.service.post, "/catalog/refresh"))
        assert (await aside(site.service.read, request_for("forced_0"))).status == 404
    assert set(load.statuses) == {200}, load
    assert not load.wrong


async def test_applies_and_refreshes_all_the_time(site: Site) -> None:
    """Swap after swap, while registries are half written: not one wrong or failed answer for what was always there."""
    stop = asyncio.Event()
    refused: list[Answer] = []

    async def refresh() -> None:
        while not stop.is_set():
            answer = await aside(site.service.post, "/catalog/refresh")
            if answer.status != 200:
                refused.append(answer)

    async with Load(site.service.url, QUESTIONS, clients=4, pause=0.003) as load:
        refreshes = [asyncio.create_task(refresh()) for _ in range(2)]
        swaps = site.service.metric("catalog_swaps_total")
        number = 0
        while number < 12 or site.service.metric("catalog_swaps_total") < swaps + 5:
            number += 1
            assert number < 200
            added = view(f"always_{number}", {"amount": Int64, f"n{number}": String})
            await aside(site.repo.apply, PROFILE, added, service("of_new", PROFILE, added), service(SERVICE, PROFILE))
        stop.set()
        await asyncio.gather(*refreshes)
        await load.more(20)
    assert set(load.statuses) == {200}, load
    assert not load.wrong
    assert not load.lost
    assert not refused, refused[0].body
    assert f"always_{number}" in view_names(site.service.post("/catalog/refresh"))


async def test_a_feature_service_that_changes_is_whole_before_and_after(site: Site) -> None:
    """A service that is given a view that is just being made always answers, with that view's features or without."""
    body = {"entities": {"customer_id": [3]}, "feature_service": "growing"}
    site.repo.apply(service("growing", PROFILE))
    assert site.service.post("/catalog/refresh").status == 200
    statuses: set[int] = set()
    stop = asyncio.Event()

    async def work(do: Callable[[], Answer]) -> None:
        while not stop.is_set():
            statuses.add((await aside(do)).status)

    tasks = [
        asyncio.create_task(work(lambda: site.service.read(body))),
        asyncio.create_task(work(lambda: site.service.post("/catalog/refresh"))),
    ]
    for number in range(10):
        added = view(f"grown_{number}", {f"amount_{number}": Int64})
        await aside(site.repo.apply, added, service("growing", PROFILE, added))
    stop.set()
    await asyncio.gather(*tasks)
    assert statuses == {200}


def garbage(site: Site) -> None:
    """Another program has written over it."""
    site.repo.registry_file.write_bytes(b"garbage" * 5000)


def moved_away(site: Site) -> None:
    """It isn't where it was."""
    site.repo.registry_file.rename(site.repo.registry_file.with_suffix(".moved"))


@pytest.mark.parametrize("breaking", [garbage, moved_away])
async def test_a_broken_registry(site: Site, breaking: Callable[[Site], None]) -> None:
    """Reads go on, every failure is counted, the age grows, a refresh is 503 with the reason; mended, it is seen again."""
    metric = site.service.metric
    whole = site.repo.registry_file.read_bytes()

    def failures() -> float:
        return metric("catalog_refreshes_total", result="failure")

    async with Load(site.service.url, QUESTIONS, clients=4, pause=0.005) as load:
        before = failures()
        breaking(site)
        await aside(wait_until, lambda: failures() >= before + 2, "failures, one after another", SEEN_SECONDS)
        for _ in range(10):
            refreshed = await aside(site.service.post, "/catalog/refresh")
            assert refreshed.status == 503
        assert failures() >= before + 12
        assert refreshed.headers["content-type"] == "application/problem+json"
        assert refreshed.headers["retry-after"]
        assert "registry" in refreshed.json["detail"]
        assert "\n" not in refreshed.json["detail"]
        assert metric("catalog_age_seconds") > CACHE_TTL_SECONDS
        catalog = (await aside(site.service.get, "/catalog")).json
        assert catalog["age_seconds"] > CACHE_TTL_SECONDS
        assert catalog["failure"] == refreshed.json["detail"]
        assert (await aside(site.service.get, "/health/ready")).status == 200
        await load.more(20)
        mend(site, whole)
        successes = metric("catalog_refreshes_total", result="success")
        await until(
            lambda: metric("catalog_refreshes_total", result="success") > successes, "a reading by itself", SEEN_SECONDS
        )
        assert (await aside(site.service.post, "/catalog/refresh")).status == 200
        assert (await aside(site.service.get, "/catalog")).json["failure"] is None
        await load.more(20)
    assert metric("catalog_age_seconds") < SEEN_SECONDS
    assert set(load.statuses) == {200}, load
    assert not load.wrong
    assert not load.lost


async def test_another_registry_in_the_place_of_the_old(site: Site) -> None:
    """A file that is replaced, as by a deployment that renames a new one over it, is read; the old one isn't held on to."""
    new = view("in_the_new_file", {"amount": Int64})
    old = site.repo.registry_file.read_bytes()
    site.repo.apply(new)
    whole = site.repo.registry_file.read_bytes()
    site.repo.registry_file.write_bytes(old)
    assert "in_the_new_file" not in view_names(site.service.post("/catalog/refresh"))
    replacement = site.repo.registry_file.with_suffix(".new")
    replacement.write_bytes(whole)
    replacement.replace(site.repo.registry_file)
    site.repo.reopen()
    assert "in_the_new_file" in view_names(site.service.post("/catalog/refresh"))


async def test_many_refreshes_at_once(site: Site) -> None:
    """Fifty clients that force a refresh at the same moment are all answered, while reads go on."""
    async with Load(site.service.url, QUESTIONS, clients=2, pause=0.005) as load:
        answers = await asyncio.gather(*[aside(site.service.post, "/catalog/refresh") for _ in range(50)])
        await load.more(5)
    assert {answer.status for answer in answers} == {200}
    assert set(load.statuses) == {200}


@pytest.mark.parametrize("started", ["file"], indirect=True)
async def test_everything_is_replaced_while_the_registry_is_broken(site: Site) -> None:
    """Neither the definitions process nor the worker that come in the place of killed ones need the registry to serve."""
    process = site.service
    definitions, (worker,) = process.definitions_pid, process.worker_pids
    assert definitions is not None
    moved_away(site)
    os.kill(definitions, signal.SIGKILL)
    await until(lambda: process.definitions_pid not in (None, definitions), "another one", READY_SECONDS)
    failures = process.metric("catalog_refreshes_total", result="failure")
    await until(
        lambda: process.metric("catalog_refreshes_total", result="failure") > failures, "its first failure", READY_SECONDS
    )
    os.kill(worker, signal.SIGKILL)
    await until(lambda: process.worker_pids not in ([], [worker]), "another worker", READY_SECONDS)
    await aside(process.wait_ready)
    for question in QUESTIONS:
        assert question.is_answered_by(process.read(question.body))
    assert process.metric("catalog_age_seconds") > CACHE_TTL_SECONDS
    assert process.get("/catalog").json["failure"]
