"""Rows in quarantine, over HTTP: what is known of each, pages of them, another try after a suite was mended, and their end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pyarrow as pa
import pytest
import redis as redis_py

from pipelines.local.redis import EmbeddedRedis
from tests.servers.waiting import wait_until

from .handmade import pushes
from .handmade.pushes import SCORE_IN_RANGE, SUITE, Pusher, between, pushable, scores, validated, write_suite, write_suites
from .handmade.registry import Registry
from .handmade.running import Running, running
from .test_push import ARROW, CUSTOMERS, stream

CAP = 5
# A suite by which a score of 1.5 is right.
LENIENT = "lenient"
ODD = 'a/b?c=d#e ñ~%".1-0'
REASON = "score must be at least 0 and at most 1, not the number {}."


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Suites that these tests change, and leave as they were."""
    folder = write_suites(tmp_path_factory.mktemp("project"))
    write_suite(folder, LENIENT, [between("score", 0, 2)])
    return folder


@pytest.fixture(scope="module")
def serving(redis: EmbeddedRedis, project: Path) -> Iterator[Running]:
    """A service whose quarantine is small."""
    definition = pushable(redis.connection_string, validated(ODD, SUITE, "quarantine"))
    with (
        Registry(definition) as registry,
        running(registry, expectations=project, quarantine_max_rows_per_source=CAP) as served,
    ):
        yield served


@pytest.fixture
def pusher(serving: Running, client: "redis_py.Redis[bytes]") -> Iterator[Pusher]:
    """A client of it; nothing is in quarantine, and the suites are as they should be."""
    pusher = Pusher(serving, client)
    for name in serving.client.get("/quarantine").json()["sources"]:
        serving.client.delete("/quarantine", params={"source": name})
    yield pusher
    apply(pusher, SUITE)


def apply(pusher: Pusher, suite: str) -> None:
    """Have the push source name this suite, and return when the service knows."""
    registry = pusher.service.registry
    assert registry.current is not None
    wanted = validated("quarantine", suite, "quarantine")
    if registry.current.push_sources["quarantine"] != wanted:
        changed = msgspec.structs.replace(
            registry.current, push_sources={**registry.current.push_sources, "quarantine": wanted}
        )
        registry.publish(changed)
        known = lambda: pusher.service.app.catalog.require().definition.push_sources["quarantine"] == wanted  # noqa: E731
        wait_until(known, "the new definitions")


def put(pusher: Pusher, *given: float, push_source: str = "quarantine", **more: Any) -> list[int]:
    """Rows with such scores into quarantine, in one push; their customers."""
    customers = [next(CUSTOMERS) for _ in given]
    answer = pusher.push(push_source, scores(*customers, score=list(given)), **more)
    assert answer["quarantined"] == len(given)
    return customers


def page(pusher: Pusher, push_source: str = "quarantine", **query: Any) -> dict[str, Any]:
    """A page of a source's rows."""
    response = pusher.service.client.get("/quarantine", params={"source": push_source, **query})
    assert response.status_code == httpx.codes.OK, response.text
    found: dict[str, Any] = response.json()
    return found


def entries(pusher: Pusher, push_source: str = "quarantine", **query: Any) -> list[dict[str, Any]]:
    """The rows on it."""
    found: list[dict[str, Any]] = page(pusher, push_source, **query)["entries"]
    return found


def act(pusher: Pusher, method: str, entry_id: str, action: str = "", **query: Any) -> httpx.Response:
    """A request about one row."""
    return pusher.service.client.request(method, f"/quarantine/{entry_id}{action}", params=query)


def test_everything_is_known_of_a_row(pusher: Pusher) -> None:
    """The row as it was pushed, why it wasn't written, where it stood, when, and in which request."""
    customers = [next(CUSTOMERS) for _ in range(3)]
    df = scores(*customers, score=[0.1, 1.5, 0.2], level=["low", None, "high"], visits=[1, 2, "x"])
    before = datetime.now(UTC)
    answer = pusher.push("quarantine", df, headers={"X-Request-ID": "job 7, ñ".encode("latin-1")})
    assert answer["request_id"] == "job 7, ñ"
    second, first = entries(pusher)
    assert first["id"] != second["id"]
    assert (first["source"], first["position"], first["request_id"]) == ("quarantine", 1, "job 7, ñ")
    assert first["reasons"] == [REASON.format(1.5)]
    assert first["row"] == {name: column[1] for name, column in df.items()}
    assert abs(datetime.fromisoformat(first["time"]) - before) < timedelta(minutes=1)
    assert (second["position"], second["row"]["visits"]) == (2, "x")
    assert 'not the string "x"' in second["reasons"][0]
    response = act(pusher, "GET", first["id"])
    assert response.status_code == httpx.codes.OK
    assert response.json() == first


@pytest.mark.parametrize("given", [None, "", "a" * 300])
def test_every_request_has_an_id(pusher: Pusher, given: str | None) -> None:
    """Its own where it brings one that isn't endless, else a new one."""
    put(pusher, 7.0, headers={} if given is None else {"x-request-id": given})
    (entry,) = entries(pusher)
    assert entry["request_id"] == ("a" * 128 if given else entry["request_id"])
    assert len(entry["request_id"]) == (128 if given else 32)


def test_rows_of_every_form_are_kept(pusher: Pusher) -> None:
    """What only Arrow has in the words that a push takes; and integers of any size."""
    columns = {
        "customer_id": pa.array([1]),
        "score": pa.array([float("nan")]),
        "level": pa.array([[b"\x00\xff"]]),
        "visits": pa.array([Decimal("1.10")]),
        "event_timestamp": pa.array([datetime(2026, 1, 31, 10, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
    }
    pusher.service.client.post(
        "/push?push_source=quarantine", content=stream(pa.table(columns)), headers={"content-type": ARROW}
    )
    (entry,) = entries(pusher)
    time = entry["row"].pop("event_timestamp")
    assert datetime.fromisoformat(time) == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert entry["row"] == {"customer_id": 1, "score": "NaN", "level": ["AP8="], "visits": "1.10"}
    pusher.push("quarantine", scores(1, level=[{"a": [2**70]}]))
    assert entries(pusher, count=1)[0]["row"]["level"] == {"a": [2**70]}


def test_pages_lead_from_one_to_the_next(pusher: Pusher) -> None:
    """Newest first, each row once; the last page says that it is."""
    customers = put(pusher, 2.0, 3.0, 4.0)
    seen, after = [], None
    for _ in range(4):
        found = page(pusher, count=1, **({"after": after} if after else {}))
        seen += [entry["row"]["customer_id"] for entry in found["entries"]]
        after = found["next"]
        if after is None:
            break
    assert seen == customers[::-1]
    assert page(pusher, count=100)["next"] is None


def test_sources_are_counted(pusher: Pusher) -> None:
    """Those of views that were written to by their name too."""
    put(pusher, 2.0, 3.0)
    put(pusher, 2.0, push_source=ODD)
    found = pusher.service.client.get("/quarantine").json()
    assert (found["entries"], found["next"]) == ([], None)
    assert {name: rows for name, rows in found["sources"].items() if rows} == {"quarantine": 2, ODD: 1}
    assert page(pusher, "nobody") == {"sources": {}, "entries": [], "next": None}


def test_a_source_may_be_called_anything(pusher: Pusher) -> None:
    """Its rows' ids stand in a path as they are."""
    put(pusher, 2.0, push_source=ODD)
    (entry,) = entries(pusher, ODD)
    assert quote(entry["id"], safe="~") == entry["id"]
    assert act(pusher, "GET", entry["id"]).json() == entry
    assert act(pusher, "DELETE", entry["id"]).status_code == httpx.codes.NO_CONTENT
    assert entries(pusher, ODD) == []


def test_a_full_quarantine_drops_the_oldest(pusher: Pusher) -> None:
    """And counts what it dropped."""
    dropped = "feature_service_quarantine_dropped_rows_total"
    before = pusher.service.metric(dropped, source="quarantine")
    customers = put(pusher, *[2.0] * 4) + put(pusher, *[3.0] * 4)
    assert [entry["row"]["customer_id"] for entry in entries(pusher)] == customers[: -CAP - 1 : -1]
    assert pusher.service.metric(dropped, source="quarantine") == before + 8 - CAP
    assert pusher.service.metric("feature_service_quarantine_max_rows") == CAP


def test_a_row_is_written_when_its_suite_was_mended(pusher: Pusher, project: Path) -> None:
    """Before, the answer says what is still wrong, and it stays where it is; afterwards it is gone."""
    (customer,) = put(pusher, 1.5, headers={"x-request-id": "first"})
    (entry,) = entries(pusher)
    response = act(pusher, "POST", entry["id"], "/replay")
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    body = response.json()
    assert body["outcomes"] == [{"row": 0, "outcome": "rejected", "reasons": [REASON.format(1.5)]}]
    assert body["validation"]["suite_name"] == SUITE
    assert entries(pusher) == [entry]
    write_suite(project, SUITE, [between("score", 0, 2)])
    swaps = "feature_service_suite_swaps_total"
    wait_until(lambda: pusher.service.metric(swaps, suite=SUITE) == 1, "the mended suite")
    response = act(pusher, "POST", entry["id"], "/replay")
    assert (response.status_code, response.json()) == (
        httpx.codes.OK,
        {"id": entry["id"], "written": 1, "stale": 0, "queued": 0},
    )
    assert pusher.score(customer) == 1.5
    assert entries(pusher) == []
    assert act(pusher, "POST", entry["id"], "/replay").status_code == httpx.codes.NOT_FOUND
    write_suite(project, SUITE, [SCORE_IN_RANGE])
    wait_until(lambda: pusher.service.metric(swaps, suite=SUITE) == 2, "the suite as it was")


def test_a_row_that_is_old_by_now_leaves_the_quarantine_unwritten(pusher: Pusher) -> None:
    """A newer one stands."""
    (customer,) = put(pusher, 1.5)
    pusher.push("free", scores(customer, seconds=5))
    apply(pusher, LENIENT)
    (entry,) = entries(pusher)
    body = act(pusher, "POST", entry["id"], "/replay").json()
    assert (body["written"], body["stale"]) == (0, 1)
    assert pusher.score(customer) == 0.5
    assert entries(pusher) == []


def test_a_row_can_be_sent_to_the_offline_store(pusher: Pusher) -> None:
    """As a push can."""
    customer = next(CUSTOMERS)
    df = scores(customer, score=[1.5], created_timestamp=[None])
    assert pusher.push("quarantine", df, to="offline")["quarantined"] == 1
    apply(pusher, LENIENT)
    (entry,) = entries(pusher)
    body = act(pusher, "POST", entry["id"], "/replay", to="offline").json()
    assert (body["written"], body["queued"]) == (0, 1)
    assert pusher.score(customer) is None


def test_a_row_whose_times_are_integers_needs_their_unit_again(pusher: Pusher) -> None:
    """It isn't guessed."""
    customer = next(CUSTOMERS)
    df = scores(customer, score=[1.5], event_timestamp=[1_769_853_600])
    assert pusher.push("quarantine", df, timestamp_unit="s")["quarantined"] == 1
    apply(pusher, LENIENT)
    (entry,) = entries(pusher)
    response = act(pusher, "POST", entry["id"], "/replay")
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert "event_timestamp" in response.json()["detail"]
    assert act(pusher, "POST", entry["id"], "/replay", timestamp_unit="s").json()["written"] == 1
    stored = pusher.stored(pushes.SCORES, {"customer_id": customer})
    assert stored is not None
    assert stored[0] == datetime(2026, 1, 31, 10, tzinfo=UTC)


def test_a_row_from_arrow_can_be_replayed(pusher: Pusher) -> None:
    """What was kept as text means what it meant."""
    customer = next(CUSTOMERS)
    moment = pa.array([1_769_853_600_123_456_789], pa.timestamp("ns"))
    table = pa.table({**scores(customer, score=[1.5]), "event_timestamp": moment})
    pusher.service.client.post("/push?push_source=quarantine", content=stream(table), headers={"content-type": ARROW})
    apply(pusher, LENIENT)
    (entry,) = entries(pusher)
    assert act(pusher, "POST", entry["id"], "/replay").json()["written"] == 1
    newer = scores(customer, event_timestamp=["2026-01-31T10:00:00.123456788"])
    assert pusher.push("free", newer)["stale"] == 1


def test_a_row_that_cannot_be_typed_stays(pusher: Pusher) -> None:
    """Whatever the suite says."""
    put_one = scores(next(CUSTOMERS), visits=[2.5])
    assert pusher.push("quarantine", put_one)["quarantined"] == 1
    (entry,) = entries(pusher)
    assert act(pusher, "POST", entry["id"], "/replay").status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert len(entries(pusher)) == 1


def test_rows_go_one_by_one_or_all_at_once(pusher: Pusher) -> None:
    """For good."""
    put(pusher, 2.0, 3.0, 4.0)
    first, second, _ = entries(pusher)
    response = act(pusher, "DELETE", second["id"])
    assert (response.status_code, response.content) == (httpx.codes.NO_CONTENT, b"")
    assert act(pusher, "DELETE", second["id"]).status_code == httpx.codes.NOT_FOUND
    assert [entry["id"] for entry in entries(pusher)][:1] == [first["id"]]
    response = pusher.service.client.delete("/quarantine", params={"source": "quarantine"})
    assert (response.status_code, response.json()) == (httpx.codes.OK, {"removed": 2})
    assert entries(pusher) == []
    put(pusher, 5.0)
    assert entries(pusher)[0]["id"] not in {first["id"], second["id"]}


BAD: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "an id that is none": ("GET", "/x", {}, 404, "There is no row x in quarantine"),
    "an id of nobody": ("GET", "/quarantine.1-0", {}, 404, "There is no row"),
    "an id with too many digits": ("GET", "/quarantine.99999999999999999999-0", {}, 404, "There is no row"),
    "an empty half of an id": ("GET", "/quarantine.-", {}, 404, "There is no row"),
    "replay of nobody": ("POST", "/quarantine.1-0/replay", {}, 404, "There is no row"),
    "deletion of nobody": ("DELETE", "/quarantine.1-0", {}, 404, "There is no row"),
    "an unknown target": ("POST", "/quarantine.1-0/replay", {"to": "x"}, 422, "to"),
    "an unknown unit": ("POST", "/quarantine.1-0/replay", {"timestamp_unit": "h"}, 422, "timestamp_unit"),
    "a page behind nothing": ("GET", "", {"source": "quarantine", "after": "x"}, 422, "after is the id of an entry"),
    "a page behind another's row": ("GET", "", {"source": "quarantine", "after": "other.1-0"}, 422, "after is the id"),
    "no rows on a page": ("GET", "", {"source": "quarantine", "count": "0"}, 422, "count"),
    "too many rows on a page": ("GET", "", {"source": "quarantine", "count": "1001"}, 422, "count"),
    "a count that is none": ("GET", "", {"source": "quarantine", "count": "many"}, 422, "count"),
    "deletion of no source": ("DELETE", "", {}, 422, "source"),
    "deletion of an empty source": ("DELETE", "", {"source": ""}, 422, "source"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told(pusher: Pusher, name: str) -> None:
    """In the form of all errors."""
    method, path, query, status, said = BAD[name]
    response = pusher.service.client.request(method, f"/quarantine{path}", params=query)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.json()["detail"]


def test_rows_that_cannot_be_kept_are_told_beside_those_that_are_written(pusher: Pusher) -> None:
    """503 with both; the same push again keeps the bad row, and does no harm to the good one."""
    good, bad = next(CUSTOMERS), next(CUSTOMERS)
    stream_key = f"feature-service:{pushes.PROJECT}:quarantine:quarantine"
    pusher.redis.delete(stream_key)
    pusher.redis.set(stream_key, "no stream")
    try:
        refused = pusher.send("quarantine", scores(good, bad, score=[0.5, 1.5]))
    finally:
        pusher.redis.delete(stream_key)
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    body = refused.json()
    assert body["type"] == "urn:feature-service:write-unconfirmed"
    assert (body["written_rows"], body["unconfirmed_rows"]) == ([0], [1])
    assert "Redis confirmed 1 of 2 rows" in body["detail"]
    assert pusher.score(good) == 0.5
    again = pusher.push("quarantine", scores(good, bad, score=[0.5, 1.5]))
    assert (again["written"], again["quarantined"]) == (1, 1)
