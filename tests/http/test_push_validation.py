"""Pushes are checked by the suite that the push source names, and its policy says what becomes of bad rows."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis as redis_py

from pipelines.local.redis import EmbeddedRedis
from tests.servers.waiting import wait_until

from .handmade import pushes
from .handmade.pushes import (
    POLICIES,
    SCORE_IN_RANGE,
    SUITE,
    Pusher,
    between,
    expectation,
    pushable,
    scores,
    source,
    validated,
    write_suite,
    write_suites,
)
from .handmade.registry import Registry
from .handmade.running import Running, running
from .test_push import CUSTOMERS

EX_CONFIG = 78
END_SECONDS = 60.0
# Importing Great Expectations takes some seconds on a free core.
GX_SECONDS = 60.0
SCORE_RULE = "score must be at least 0 and at most 1"
INCREASING = expectation("expect_column_values_to_be_increasing", column="visits")


@pytest.fixture
def customers() -> list[int]:
    """Three that nobody knows yet."""
    return [next(CUSTOMERS) for _ in range(3)]


def bad(customers: list[int], **columns: list[Any]) -> dict[str, list[Any]]:
    """Three rows, of which the second's score is out of range."""
    return scores(*customers, **{"score": [0.1, 1.5, 0.3], **columns})


def stored(pusher: Pusher, customers: list[int]) -> list[float | None]:
    """Their scores, as they stand."""
    return [pusher.score(customer) for customer in customers]


@contextmanager
def own(
    redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", project: Path | None, *sources: Any, **settings: Any
) -> Iterator[Pusher]:
    """A service with suites of its own, and further push sources."""
    with (
        Registry(pushable(redis.connection_string, *sources)) as registry,
        running(registry, expectations=project, **settings) as served,
    ):
        yield Pusher(served, client)


@pytest.mark.parametrize("policy", POLICIES)
def test_good_rows_are_written(pusher: Pusher, customers: list[int], policy: str) -> None:
    """Whatever the policy."""
    answer = pusher.push(policy, scores(*customers))
    assert (answer["written"], answer["quarantined"], answer["outcomes"]) == (3, 0, [])
    assert "warnings" not in answer
    assert stored(pusher, customers) == [0.5] * 3


def test_reject_writes_nothing(pusher: Pusher, customers: list[int]) -> None:
    """422 with the reasons row by row, and what GX would say."""
    response = pusher.send("reject", bad(customers, level=["low", "high", "medium"]))
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    body = response.json()
    assert body["type"] == "urn:feature-service:rejected-rows"
    messages = [error["message"] for error in body["errors"]]
    assert messages[0] == f"{SCORE_RULE}, not the number 1.5."
    assert messages[1].startswith("level must be one of ")
    assert messages[1].endswith(', not the string "medium".')
    assert body["errors"] == [
        {"field": "score", "row": 1, "message": messages[0]},
        {"field": "level", "row": 2, "message": messages[1]},
    ]
    assert body["outcomes"] == [
        {"row": row, "outcome": "rejected", "reasons": [message]} for row, message in enumerate(messages, start=1)
    ]
    assert stored(pusher, customers) == [None] * 3


def test_a_rejection_has_the_shape_of_gx(pusher: Pusher, customers: list[int]) -> None:
    """What ValidationResult.to_json_dict() has, of the expectations that failed."""
    validation = pusher.send("reject", bad(customers)).json()["validation"]
    assert {"success", "statistics", "results", "suite_name", "suite_parameters", "meta"} <= set(validation)
    assert (validation["success"], validation["suite_name"]) == (False, SUITE)
    of_all = validation["statistics"]
    assert (of_all["evaluated_expectations"], of_all["unsuccessful_expectations"]) == (len(pushes.SUITES[SUITE]), 1)
    (result,) = validation["results"]
    assert result["expectation_config"]["type"] == "expect_column_values_to_be_between"
    assert result["expectation_config"]["kwargs"] == {"column": "score", "min_value": 0.0, "max_value": 1.0}
    found = result["result"]
    assert (found["element_count"], found["unexpected_count"]) == (3, 1)
    assert (found["partial_unexpected_list"], found["partial_unexpected_index_list"]) == ([1.5], [1])
    assert result["exception_info"]["raised_exception"] is False


def test_a_row_that_fails_twice_has_both_reasons(pusher: Pusher, customers: list[int]) -> None:
    """And is one row."""
    response = pusher.send("reject", bad(customers, level=["low", "x", "low"]))
    (outcome,) = response.json()["outcomes"]
    assert (outcome["row"], len(outcome["reasons"])) == (1, 2)


def test_quarantine_writes_the_good_rows(pusher: Pusher, customers: list[int]) -> None:
    """And keeps the bad ones."""
    answer = pusher.push("quarantine", bad(customers))
    assert (answer["rows"], answer["written"], answer["quarantined"]) == (3, 2, 1)
    reasons = [f"{SCORE_RULE}, not the number 1.5."]
    assert answer["outcomes"] == [{"row": 1, "outcome": "quarantined", "reasons": reasons}]
    assert stored(pusher, customers) == [0.1, None, 0.3]


def test_outcomes_of_all_kinds_stand_in_the_order_of_rows(pusher: Pusher, customers: list[int]) -> None:
    """Each under its place in the request, whatever was left out before it."""
    pusher.push("quarantine", scores(customers[2], seconds=5))
    answer = pusher.push("quarantine", scores(9, *customers, score=[7.0, 0.1, 8.0, 0.3]), "?detail=all")
    assert [(one["row"], one["outcome"]) for one in answer["outcomes"]] == [
        (0, "quarantined"),
        (1, "written"),
        (2, "quarantined"),
        (3, "stale"),
    ]
    assert (answer["written"], answer["stale"], answer["quarantined"]) == (1, 1, 2)


def test_warn_writes_everything_and_says_what_is_wrong(pusher: Pusher, customers: list[int]) -> None:
    """Counted by expectation."""
    name = "feature_service_expectations_failed_total"
    labels = {"expectation": "expect_column_values_to_be_between", "suite": SUITE}
    before = pusher.service.metric(name, **labels)
    answer = pusher.push("warn", bad(customers))
    assert (answer["written"], answer["quarantined"], answer["outcomes"]) == (3, 0, [])
    (warning,) = answer["warnings"]
    assert (warning["expectation"], warning["severity"], warning["rows"]) == (labels["expectation"], "critical", 1)
    assert warning["reason"].startswith(SCORE_RULE)
    assert stored(pusher, customers) == [0.1, 1.5, 0.3]
    assert pusher.service.metric(name, **labels) == before + 1


def test_severities_below_critical_only_warn(pusher: Pusher, customers: list[int]) -> None:
    """Under a policy that rejects; a critical one beside them rejects all the same."""
    df = bad(customers, visits=[-1, -1, 3])
    answer = pusher.push("advised", df)
    assert answer["written"] == 3
    told = [(one["severity"], one["rows"]) for one in answer["warnings"]]
    assert told == [("warning", 1), ("info", 2)]
    response = pusher.send("advised", {**df, "level": ["low", "low", "x"], "score": [9.0, 9.0, 9.0]})
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert [outcome["row"] for outcome in response.json()["outcomes"]] == [2]
    assert stored(pusher, customers) == [0.1, 1.5, 0.3]


AGGREGATES: dict[str, tuple[Mapping[str, Any], str, str | None]] = {
    "a mean": ({"visits": [100, 1, 1]}, "the mean of visits must be at least 1 and at most 10, not 34.0", "visits"),
    "a null mean": ({"visits": [None, None, None]}, "the mean of visits", "visits"),
}


@pytest.mark.parametrize("name", AGGREGATES)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_failed_aggregate_is_every_rows_fault(pusher: Pusher, customers: list[int], policy: str, name: str) -> None:
    """The whole batch is rejected, put aside, or written with a warning."""
    columns, words, field = AGGREGATES[name]
    response = pusher.send(f"aggregates_{policy}", scores(*customers, **columns))
    body = response.json()
    if policy == "reject":
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        (error,) = body["errors"]
        assert (error["field"], error["row"]) == (field, None)
        assert words in error["message"]
    elif policy == "quarantine":
        assert (body["written"], body["quarantined"]) == (0, 3)
    else:
        assert (body["written"], body["warnings"][0]["rows"]) == (3, None)
    if policy != "warn":
        assert [outcome["row"] for outcome in body["outcomes"]] == [0, 1, 2]
        assert all(words in outcome["reasons"][0] for outcome in body["outcomes"])
    assert stored(pusher, customers) == ([0.5] * 3 if policy == "warn" else [None] * 3)


def test_a_table_is_judged_as_a_whole(pusher: Pusher) -> None:
    """Six rows are one too many for this suite."""
    rows = [next(CUSTOMERS) for _ in range(6)]
    response = pusher.send("aggregates_reject", scores(*rows))
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    (error,) = response.json()["errors"]
    assert (error["field"], error["row"]) == (None, None)
    assert pusher.push("aggregates_reject", scores(*rows[:5]))["written"] == 5


def test_bad_rows_of_a_bad_batch_have_their_own_reasons_too(pusher: Pusher, customers: list[int]) -> None:
    """The batch's reason once, then the rows'."""
    body = pusher.send("aggregates_reject", bad(customers, visits=[100, 1, 1])).json()
    assert [(error["row"], error["field"]) for error in body["errors"]] == [(None, "visits"), (1, "score")]
    assert [len(outcome["reasons"]) for outcome in body["outcomes"]] == [1, 2, 1]
    assert len(body["validation"]["results"]) == 2


@pytest.mark.parametrize("policy", [*POLICIES, "free"])
def test_a_row_that_cannot_be_typed(pusher: Pusher, customers: list[int], policy: str) -> None:
    """It is bad as one that fails the suite is; but what has no type can't be written with a mere warning."""
    df = scores(*customers, score=[0.1, "x", 0.3], visits=[1, 2, 3.5])
    response = pusher.send(policy, df)
    body = response.json()
    if policy == "quarantine":
        assert (body["written"], body["quarantined"]) == (1, 2)
        assert stored(pusher, customers) == [0.1, None, None]
        word = "quarantined"
    else:
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert [(error["row"], error["field"]) for error in body["errors"]] == [(1, "score"), (2, "visits")]
        assert stored(pusher, customers) == [None] * 3
        word = "rejected"
    assert [(outcome["row"], outcome["outcome"]) for outcome in body["outcomes"]] == [(1, word), (2, word)]


def test_rows_without_a_type_are_not_shown_to_the_suite(pusher: Pusher, customers: list[int]) -> None:
    """The others are, under their own places."""
    answer = pusher.push("quarantine", scores(*customers, score=["x", 0.2, 1.3]))
    assert (answer["written"], answer["quarantined"]) == (1, 2)
    reasons = [outcome["reasons"] for outcome in answer["outcomes"]]
    assert 'not the string "x"' in reasons[0][0]
    assert reasons[1] == [f"{SCORE_RULE}, not the number 1.3."]


def test_nothing_is_left_of_a_batch_without_a_good_row(pusher: Pusher, customers: list[int]) -> None:
    """It is put aside whole."""
    answer = pusher.push("quarantine", scores(*customers, score=["x", 2.0, None], level=["low", "low", "x"]))
    assert (answer["written"], answer["quarantined"], answer["views"]) == (0, 3, {})


def test_unknown_columns_are_nobodys_rows_fault(pusher: Pusher, customers: list[int]) -> None:
    """They are refused under every policy."""
    for policy in POLICIES:
        response = pusher.send(policy, scores(*customers, colour=["red"] * 3))
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert response.json()["type"] == "urn:feature-service:invalid-request"


def test_a_write_to_the_view_is_checked_too(redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path) -> None:
    """By the suite of the push source that feeds it: Feast's SDK can't get around it."""
    definition = pushable(redis.connection_string)
    definition.push_sources.clear()
    definition.push_sources["quarantine"] = validated("quarantine", SUITE, "quarantine")
    rows = [next(CUSTOMERS) for _ in range(3)]
    with Registry(definition) as registry, running(registry, expectations=write_suites(tmp_path)) as served:
        pusher = Pusher(served, client)
        answer = pusher.write("scores", bad(rows)).json()
        assert (answer["written"], answer["quarantined"]) == (2, 1)
        assert stored(pusher, rows) == [0.1, None, 0.3]
        (entry, *_) = served.client.get("/quarantine?source=scores").json()["entries"]
        assert entry["row"]["customer_id"] == rows[1]


def test_a_suite_sees_times_and_the_names_of_the_view(
    redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path
) -> None:
    """Whichever of the names that a field mapping allows a client uses; event times are datetimes in UTC."""
    not_so_old = between("moved", "2026-01-01T00:00:00+00:00", None)
    known_city = expectation("expect_column_values_to_be_in_set", column="city", value_set=["Ulm"])
    write_suite(tmp_path, "homes_suite", [not_so_old, known_city])
    with own(redis, client, tmp_path, validated("homes_push", "homes_suite", "reject", ["homes"])) as pusher:
        for names in (("town", "customer"), ("city", "customer_id")):
            for city, moved, wrong in (
                ("Ulm", "2026-01-01T01:00:00+00:30", []),
                ("Bonn", "2026-02-01", ["city"]),
                ("Ulm", "2026-01-01T00:00:00+00:30", ["moved"]),
            ):
                df = {names[0]: [city], names[1]: [next(CUSTOMERS)], "rooms": [1], "moved": [moved]}
                body = pusher.send("homes_push", df).json()
                assert [error["field"] for error in body.get("errors", [])] == wrong, body


def test_offline_pushes_are_checked_too(pusher: Pusher, customers: list[int]) -> None:
    """What is bad doesn't get into history."""
    df = bad(customers, created_timestamp=[None] * 3)
    assert pusher.send("reject", df, to="offline").status_code == httpx.codes.UNPROCESSABLE_ENTITY
    answer = pusher.push("quarantine", df, to="offline")
    assert (answer["written"], answer["queued"], answer["quarantined"]) == (0, 2, 1)


def test_large_batches_are_checked_alike(pusher: Pusher) -> None:
    """They are looked at beside the event loop."""
    amount = 5000
    wrong = {17: 1.5, 4999: -1.0}
    df = scores(*range(10**7, 10**7 + amount), score=[wrong.get(row, 0.5) for row in range(amount)], visits=[1] * amount)
    response = pusher.send("reject", df)
    assert [outcome["row"] for outcome in response.json()["outcomes"]] == [17, 4999]
    answer = pusher.push("quarantine", df)
    assert (answer["written"], answer["quarantined"]) == (amount - 2, 2)


def test_values_of_any_size_are_repeated(redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path) -> None:
    """Integers of more than 64 bits within JSON that fails a suite."""
    write_suite(tmp_path, "kinds_suite", [expectation("expect_column_values_to_be_null", column="JSON")])
    with own(redis, client, tmp_path, validated("kinds_push", "kinds_suite", "reject", ["kinds"])) as pusher:
        row = {**dict.fromkeys(pushes.TYPES), "customer_id": 1, "event_timestamp": pushes.at(), "JSON": {"a": 2**70}}
        response = pusher.send("kinds_push", rows=[row])
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert str(2**70) in response.text


def test_a_suite_that_changes_is_in_force_within_seconds(
    redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path
) -> None:
    """One that breaks, or is gone, stays as it was, and a metric says so until it is mended."""
    rows = [next(CUSTOMERS)]
    with own(redis, client, write_suites(tmp_path)) as pusher:
        metric = pusher.service.metric

        def failing() -> float:
            return metric("feature_service_suite_load_failures", suite=SUITE)

        def refused(score: float) -> bool:
            return pusher.send("reject", scores(*rows, score=[score])).status_code == httpx.codes.UNPROCESSABLE_ENTITY

        assert refused(1.5)
        write_suite(tmp_path, SUITE, [between("score", 0, 2)])
        wait_until(lambda: metric("feature_service_suite_swaps_total", suite=SUITE) == 1, "the changed suite")
        assert not refused(1.5)
        path = tmp_path / "suites" / f"{SUITE}.json"
        for spoil in (
            lambda: path.write_text('{"name": "scores_suite", "expectations": ['),
            path.unlink,
        ):
            spoil()
            wait_until(lambda: failing() == 1, "that it is told")
            assert pusher.service.client.get(f"/suites/{SUITE}").json()["failure"]
            assert refused(2.5)
            assert not refused(1.5)
            write_suite(tmp_path, SUITE, [between("score", 0, 2)])
            wait_until(lambda: failing() == 0, "that it is mended")


def test_a_source_that_becomes_misconfigured_refuses_its_pushes(
    redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path
) -> None:
    """503 says why, and a metric shows it; other sources and reads go on, and so does it when it is mended."""
    rows = [next(CUSTOMERS)]

    with own(redis, client, write_suites(tmp_path)) as pusher:

        def misconfigured(name: str) -> float:
            return pusher.service.metric("feature_service_push_sources_misconfigured", source=name)

        pusher.push("reject", scores(*rows))
        changed = {
            "reject": (validated("reject", "no_such_suite", "reject"), "no_such_suite, but there is no such suite"),
            "quarantine": (validated("quarantine", SUITE, "ask"), "'ask'; there are reject, quarantine, warn"),
            "warn": (validated("warn", "parametrized", "warn"), "takes parameters"),
        }
        applied = pushable(redis.connection_string, *[changed_source for changed_source, _ in changed.values()])
        pusher.service.registry.publish(applied)
        for name, (_, words) in changed.items():
            wait_until(lambda: misconfigured(name) == 1, "that it is told")  # noqa: B023
            response = pusher.send(name, scores(*rows, score=[0.9]))
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert response.headers["retry-after"]
            assert response.json()["type"] == "urn:feature-service:validation-misconfigured"
            assert words in response.json()["detail"]
        assert pusher.service.read(["scores:score"], {"customer_id": rows})["results"][1]["values"] == [0.5]
        assert pusher.push("free", scores(*rows, score=[0.8]))["written"] == 1
        gone = pushable(redis.connection_string)
        del gone.push_sources["warn"]
        pusher.service.registry.publish(gone)
        wait_until(lambda: [misconfigured(name) for name in changed] == [0, 0, 0], "that it is mended")
        assert pusher.push("reject", scores(*rows))["written"] == 1


def test_a_suite_that_comes_later_mends_its_source(
    redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path
) -> None:
    """No apply is needed."""
    rows = [next(CUSTOMERS)]
    with own(redis, client, write_suites(tmp_path), validated("later", "later_suite", "reject")) as pusher:
        assert pusher.send("later", scores(*rows)).status_code == httpx.codes.SERVICE_UNAVAILABLE
        write_suite(tmp_path, "later_suite", [SCORE_IN_RANGE])
        wait_until(lambda: pusher.send("later", scores(*rows)).status_code == httpx.codes.OK, "the suite")
        assert pusher.send("later", bad(rows * 3)).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_without_suites_what_names_one_is_refused(redis: EmbeddedRedis, client: "redis_py.Redis[bytes]") -> None:
    """Rather than written unchecked; for a worker that takes another's place, and so goes on."""
    rows = [next(CUSTOMERS)]
    with own(redis, client, None) as pusher:
        for policy in POLICIES:
            response = pusher.send(policy, scores(*rows))
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert "without --expectations" in response.json()["detail"]
        assert pusher.score(rows[0]) is None
        assert pusher.push("free", scores(*rows))["written"] == 1


def test_a_worker_that_takes_anothers_place_goes_on(
    redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path
) -> None:
    """With a suite that broke meanwhile: reads and other pushes are served, its own are refused until it is mended."""
    rows = [next(CUSTOMERS)]
    with own(redis, client, unknown_type(tmp_path)) as pusher:
        assert pusher.push("free", scores(*rows))["written"] == 1
        assert pusher.service.read(["scores:score"], {"customer_id": rows})["results"][1]["values"] == [0.5]
        assert pusher.send("reject", scores(*rows)).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert pusher.service.metric("feature_service_suite_load_failures", suite=SUITE) == 1
        assert pusher.push("advised", scores(*rows))["written"] == 1
        write_suite(tmp_path, SUITE, [SCORE_IN_RANGE])
        wait_until(lambda: pusher.send("reject", scores(*rows)).status_code == httpx.codes.OK, "that it is mended")


def worker(registry: Registry, folder: Path, project: Path | None, *more: str) -> "subprocess.Popen[str]":
    """`service.worker` as the supervisor starts it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "service.worker", "--listen", str(listener.fileno()), *more]
        command += ["--definitions", str(registry.socket), "--metrics", str(folder / "metrics")]
        command += [] if project is None else ["--expectations", str(project)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            pass_fds=[listener.fileno()],
        )  # fmt: skip


def unknown_type(folder: Path) -> Path:
    """A suite with an expectation that GX doesn't know."""
    write_suite(write_suites(folder), SUITE, [expectation("expect_the_unexpected", column="score")])
    return folder


WRONG: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "no folder of suites": (None, None, ("reject", SUITE, "without --expectations")),
    "no such policy": (write_suites, source("ask", ["scores"], on_invalid="ask"), ("ask", "reject, quarantine, warn")),
    "no such expectation": (unknown_type, None, (f"{SUITE}.json", "expect_the_unexpected")),
}


def test_what_is_wrong_with_validation_ends_the_start(tmp_path: Path) -> None:
    """Exit code 78, and a message that names the source, the suite and what is wrong; nothing is served unchecked."""
    processes = {}
    registries = []
    for name, (make, added, _) in WRONG.items():
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        registry = Registry(pushable("127.0.0.1:1", *([added] if added else [])))
        registries.append(registry.__enter__())
        processes[name] = worker(registry, folder, make and make(folder / "project"), "--strict")
    for name, process in processes.items():
        with process:  # whose stdin stays open until it has ended: it ends when its supervisor does
            assert process.stdout is not None
            printed = process.stdout.read()
            assert process.wait(END_SECONDS) == EX_CONFIG, f"{name}: {printed}"
        for word in WRONG[name][2]:
            assert word in printed, f"{name}: {printed}"
        assert "Traceback" not in printed
    for registry in registries:
        registry.__exit__(None, None, None)


@pytest.fixture(scope="module")
def falling_back(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a suite of which Great Expectations itself has to evaluate a part."""
    project = tmp_path_factory.mktemp("falling_back")
    write_suite(write_suites(project), "gx_suite", [INCREASING, SCORE_IN_RANGE])
    sources = [validated(f"gx_{policy}", "gx_suite", policy) for policy in POLICIES]
    with (
        Registry(pushable(redis.connection_string, *sources)) as registry,
        running(registry, wait=False, expectations=project, gx_deadline_seconds=60) as served,
    ):
        wait_until(lambda: served.ready, "that it is ready", GX_SECONDS)
        yield served


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_not_compiled_is_asked_of_gx(
    falling_back: Running, client: "redis_py.Redis[bytes]", customers: list[int], policy: str
) -> None:
    """With the same consequences, beside what is compiled."""
    pusher = Pusher(falling_back, client)
    df = scores(*customers, visits=[3, 2, 5], score=[0.1, 0.2, 1.5])
    response = pusher.send(f"gx_{policy}", df)
    body = response.json()
    if policy == "reject":
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert {(error["row"], error["field"]) for error in body["errors"]} == {(1, "visits"), (2, "score")}
        kinds = {result["expectation_config"]["type"] for result in body["validation"]["results"]}
        assert kinds == {"expect_column_values_to_be_increasing", "expect_column_values_to_be_between"}
    elif policy == "quarantine":
        assert (body["written"], body["quarantined"]) == (1, 2)
        assert stored(pusher, customers) == [0.1, None, None]
    else:
        assert (body["written"], len(body["warnings"])) == (3, 2)
    assert pusher.push(f"gx_{policy}", scores(*customers, seconds=1))["written"] == 3


def test_what_falls_back_is_told(falling_back: Running) -> None:
    """With the reason."""
    suite = falling_back.client.get("/suites/gx_suite").json()
    assert (suite["compiled"], suite["fallback"]) == (1, 1)
    assert [(one["compiled"], bool(one["reason"])) for one in suite["expectations"]] == [(False, True), (True, False)]
