"""Materialization by HTTP: awaited, in the background, one at a time over all replicas, and what becomes of it at an end."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from feast import FeatureStore, RepoConfig
from feast.types import Int64

from pipelines.local.redis import EmbeddedRedis
from tests.contract.test_document import check
from tests.servers.service_process import ServiceProcess, alive
from tests.servers.waiting import wait_until

from .shelf import END, MOMENT, OURS, START, Shelf, view, visits

INTERVAL = {"start_ts": START.isoformat(), "end_ts": END.isoformat()}
ROWS = 20_000
SLOW = {"FEATURE_SERVICE_MATERIALIZATION_ROWS_PER_SECOND": "500", "FEATURE_SERVICE_MATERIALIZATION_LEASE_SECONDS": "2"}
JOB_SECONDS = 60.0


@contextmanager
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    """An HTTP client that waits for as long as a job may take."""
    with httpx.Client(base_url=service.url, timeout=JOB_SECONDS) as connected:
        yield connected


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, server: EmbeddedRedis) -> Shelf:
    """Two small views, one with many rows, one whose file is gone, and one that isn't kept online."""
    shelf = Shelf(tmp_path_factory.mktemp("shop"), server)
    table = {
        "customer_id": pa.array(range(ROWS), pa.int64()),
        "x": pa.array(range(ROWS), pa.int64()),
        "event_timestamp": pa.array([MOMENT] * ROWS, pa.timestamp("us", "UTC")),
    }
    shelf.ours.apply(
        visits(shelf, {1: 10, 2: 20}),
        visits(shelf, {1: 7}, "others"),
        view("many", shelf.file("many", table), {"x": Int64}),
        visits(shelf, {1: 1}, "broken"),
        visits(shelf, {1: 1}, "offline_only", online=False),
    )
    (shelf.folder / "broken.parquet").unlink()
    return shelf


@pytest.fixture(scope="module")
def service(shop: Shelf) -> Iterator[ServiceProcess]:
    """A service that materializes slowly."""
    with ServiceProcess(shop.ours.folder, environment=SLOW) as started:
        yield started


@pytest.fixture
def http(service: ServiceProcess) -> Iterator[httpx.Client]:
    """A client of it; nothing runs before and after."""
    with client(service) as connected:
        yield connected
        idle(connected)


@pytest.fixture(scope="module")
def document(service: ServiceProcess) -> dict[str, Any]:
    """What the service says of its answers."""
    parsed: dict[str, Any] = service.get("/openapi.json").json
    return parsed


def ended(connected: httpx.Client, name: str) -> Callable[[], Any]:
    """What became of a materialization, once it is known."""

    def ask() -> Any:
        status = connected.get(f"/materialize/{name}").json()
        return status if status["state"] != "running" else None

    return ask


def idle(connected: httpx.Client) -> None:
    """Wait until nothing runs."""

    def nothing() -> bool:
        listed = connected.get("/materialize").json()["materializations"]
        return all(status["state"] != "running" for status in listed)

    wait_until(nothing, "the end of what runs", JOB_SECONDS)


def begun(connected: httpx.Client, name: str) -> None:
    """Wait until rows are being written."""
    wait_until(lambda: connected.get(f"/materialize/{name}").json()["rows"], "its first rows", JOB_SECONDS)


def start_many(connected: httpx.Client, **query: str) -> httpx.Response:
    """Begin one that takes half a minute."""
    return connected.post("/materialize", params={"async": "true", **query}, json={**INTERVAL, "feature_views": ["many"]})


def test_it_is_awaited(http: httpx.Client, service: ServiceProcess, shop: Shelf) -> None:
    """200 when it is done; the rows can be read, the registry knows, and it is listed and counted."""
    answer = http.post("/materialize", json={**INTERVAL, "feature_views": ["visits", "others"]})
    assert answer.status_code == 200, answer.text
    status = answer.json()
    assert (status["state"], status["rows"], status["incremental"]) == ("done", 3, False)
    assert [(one["view"], one["state"], one["rows"], one["of"]) for one in status["views"]] == [
        ("visits", "done", 2, 2),
        ("others", "done", 1, 1),
    ]
    read = service.read({"features": ["visits:visits"], "entities": {"customer_id": [1, 2]}})
    assert read.json["results"][1]["values"] == [10, 20]
    assert http.get("/materialize").json()["materializations"][0] == status == http.get(f"/materialize/{status['id']}").json()
    shop.ours.reopen()
    assert shop.ours.store.get_feature_view("visits").materialization_intervals == [(START, END)]
    assert service.metric("materializations_total", result="done") >= 1
    assert service.metric("materialized_rows_total", view="visits") == 2
    assert service.metric("last_materialization_timestamp_seconds", view="visits") > 1e9


def test_answers_have_the_form_of_the_document(http: httpx.Client, document: dict[str, Any]) -> None:
    """All that there are."""
    body = {**INTERVAL, "feature_views": ["many"]}
    accepted = http.post("/materialize?async=true", json=body)
    check(document, "/materialize", accepted)
    name = accepted.json()["id"]
    begun(http, name)
    check(document, "/materialize/{materialization_id}", http.get(f"/materialize/{name}"))
    check(document, "/materialize", http.post("/materialize", json=body))
    incremental = http.post(
        "/materialize-incremental?force=true", json={"end_ts": INTERVAL["end_ts"], "feature_views": ["visits"]}
    )
    check(document, "/materialize-incremental", incremental)
    assert (accepted.status_code, incremental.status_code) == (202, 200)
    check(document, "/materialize", http.get("/materialize"))
    for each in (name, "nothing"):
        check(document, "/materialize/{materialization_id}", http.get(f"/materialize/{each}"))


def test_incremental(http: httpx.Client) -> None:
    """From where each view was materialized to."""
    http.post("/materialize", json={**INTERVAL, "feature_views": ["others"]})
    end = END + timedelta(hours=1)
    status = http.post("/materialize-incremental", json={"end_ts": end.isoformat(), "feature_views": ["others"]}).json()
    assert (status["state"], status["incremental"], status["start"]) == ("done", True, None)
    assert status["views"][0]["start"] == END.isoformat().replace("+00:00", "Z")


def test_in_the_background_one_at_a_time(http: httpx.Client, shop: Shelf) -> None:
    """202; a second one gets 409 from any replica, and reads go on; with force it takes the first one's place."""
    accepted = start_many(http)
    assert accepted.status_code == 202
    first = accepted.json()
    assert first == {"status": "accepted", "feature_views": ["many"], "id": first["id"]}
    assert accepted.headers["location"] == f"/materialize/{first['id']}"
    begun(http, first["id"])
    with ServiceProcess(shop.ours.folder, environment=SLOW) as replica, client(replica) as other:
        for connected in (http, other):
            refused = connected.post("/materialize-incremental", json={"end_ts": END.isoformat(), "feature_views": ["visits"]})
            assert refused.status_code == 409
            assert (refused.json()["feature_views"], refused.json()["id"]) == (["many"], first["id"])
            assert "force=true" in refused.json()["error"]
            status = connected.get(f"/materialize/{first['id']}").json()
            assert (status["state"], status["views"][0]["of"]) == ("running", ROWS)
            read = connected.post(
                "/get-online-features", json={"features": ["visits:visits"], "entities": {"customer_id": [1]}}
            )
            assert read.status_code == 200
        second = start_many(other, force="true")
        assert second.status_code == 202
        interrupted = wait_until(ended(http, first["id"]), "the end of the first", JOB_SECONDS)
        assert interrupted["state"] == "interrupted"
        assert "take its place" in interrupted["error"]["message"]
        begun(http, second.json()["id"])
    # The replica was stopped in the middle.
    status = wait_until(ended(http, second.json()["id"]), "the end of the second", JOB_SECONDS)
    assert status["state"] == "interrupted"
    assert "service was stopped" in status["error"]["message"]
    # And nothing is in the way of the next.
    assert http.post("/materialize", json={**INTERVAL, "feature_views": ["visits"]}).status_code == 200


def test_who_waits_is_answered_when_the_service_stops(shop: Shelf) -> None:
    """503, well within the grace period."""
    with (
        ServiceProcess(shop.ours.folder, environment=SLOW) as stopping,
        client(stopping) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(http.post, "/materialize", json={**INTERVAL, "feature_views": ["many"]})
        wait_until(lambda: stopping.get("/materialize").json["materializations"][0]["rows"], "its first rows", JOB_SECONDS)
        stopping.send_signal(signal.SIGTERM)
        answer = waiting.result()
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:feature-service:materialization-interrupted"
        assert stopping.wait_ended() == 0


def test_a_killed_worker_leaves_nothing_in_the_way(shop: Shelf) -> None:
    """Its process ends with it; the lease runs out, and the status says what happened."""
    with ServiceProcess(shop.ours.folder, environment=SLOW) as service, client(service) as http:
        name = start_many(http).json()["id"]
        begun(http, name)
        (worker,) = service.worker_pids
        children = [int(pid) for pid in Path(f"/proc/{worker}/task/{worker}/children").read_text().split()]
        assert children

        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, children)), "the end of its process", JOB_SECONDS)

    with ServiceProcess(shop.ours.folder, environment=SLOW) as service, client(service) as http:
        status = wait_until(ended(http, name), "the end of the lease", JOB_SECONDS)
        assert status["state"] == "interrupted"
        assert "ended in the middle" in status["error"]["message"]
        assert http.post("/materialize", json={**INTERVAL, "feature_views": ["visits"]}).status_code == 200


def test_a_failure_is_told(http: httpx.Client) -> None:
    """To who waits as 503, and kept for who asks; what was done before stays."""
    answer = http.post("/materialize", json={**INTERVAL, "feature_views": ["visits", "broken"]})
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:feature-service:source-unavailable"
    assert "broken: its source broken can't be read" in answer.json()["detail"]
    status = http.get("/materialize").json()["materializations"][0]
    assert (status["state"], status["error"]["kind"], status["error"]["view"]) == ("failed", "offline_store", "broken")
    assert [one["state"] for one in status["views"]] == ["done", "running"]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/materialize", {**INTERVAL, "feature_views": ["vistis"]}, 404, "does not exist in project shop. Did you mean visits"),
        ("/materialize", {**INTERVAL, "feature_views": ["offline_only"]}, 422, "offline_only isn't kept online"),
        ("/materialize", {**INTERVAL, "feature_views": []}, 422, "feature_views is empty"),
        ("/materialize", {**INTERVAL, "feature_views": ["visits", "visits"]}, 422, "visits more than once"),
        ("/materialize", {**INTERVAL, "feature_views": "visits"}, 422, "must be a list of names of feature views, not"),
        ("/materialize", {"start_ts": "2026-01-01"}, 422, "end_ts is missing"),
        ("/materialize", {}, 422, "start_ts is missing"),
        ("/materialize", {"start_ts": "last week", "end_ts": "2026-01-01"}, 422, "start_ts must be a time as an ISO 8601"),
        ("/materialize", {"start_ts": "2026-02-01", "end_ts": "2026-01-01"}, 422, "start_ts must be before end_ts"),
        ("/materialize", {**INTERVAL, "feature_view": ["visits"]}, 422, "Did you mean feature_views?"),
        ("/materialize", {**INTERVAL, "version": 2}, 422, "version must be a string, not the number 2"),
        ("/materialize", {**INTERVAL, "version": "v2"}, 422, "version"),
        ("/materialize-incremental", {}, 422, "end_ts is missing"),
        ("/materialize-incremental", {"end_ts": "soon"}, 422, "end_ts must be a time"),
        ("/materialize-incremental", {"end_ts": None}, 422, "end_ts must be a time"),
    ],
)  # fmt: skip
def test_what_cant_be_meant(
    http: httpx.Client, document: dict[str, Any], path: str, body: dict[str, Any], status: int, words: str
) -> None:
    """Is refused by name, and nothing begins."""
    answer = http.post(path, json=body)
    assert answer.status_code == status, answer.text
    check(document, path, answer)
    assert words in answer.text.replace('\\"', '"')


def test_what_isnt_json_or_isnt_there(http: httpx.Client) -> None:
    """400 and 404; a parameter that is no truth value is 422."""
    assert http.post("/materialize", content=b"{").status_code == 400
    assert http.get("/materialize/nothing").status_code == 404
    answer = http.post("/materialize?async=maybe", json=INTERVAL)
    assert answer.status_code == 422
    assert "async" in answer.text


def test_it_can_be_switched_off(shop: Shelf) -> None:
    """501, and the start doesn't wait for anything else."""
    with ServiceProcess(shop.ours.folder, environment={"FEATURE_SERVICE_MATERIALIZATION_ENABLED": "false"}) as service:
        answer = service.post("/materialize", INTERVAL)
        assert answer.status == 501
        assert "switched off" in answer.json["detail"]
        assert service.get("/materialize").status == 501


def test_feasts_sdk_materializes_by_it(service: ServiceProcess, http: httpx.Client, shop: Shelf) -> None:
    """With a remote online store, awaited and in the background; a conflict is a RuntimeError of its user's."""
    configuration = {**shop.ours.configuration, "online_store": {"type": "remote", "path": service.url}}
    store = FeatureStore(config=RepoConfig(**configuration))
    shop.redis(OURS).delete(*[key for key in shop.redis(OURS).scan_iter() if not key.startswith(b"feature-service")])
    store.materialize(START, END, ["visits"])
    assert store.get_online_features(["visits:visits"], [{"customer_id": 1}]).to_dict()["visits"] == [10]
    store.materialize(START, END, ["many"], run_async=True)
    with pytest.raises(RuntimeError, match=r"conflict \(409\): A materialization of many is running already"):
        store.materialize_incremental(END, ["visits"])
    store.materialize_incremental(END + timedelta(days=1), ["visits"], run_async=True, force=True)
    idle(http)
    assert http.get("/materialize").json()["materializations"][0]["state"] == "done"
