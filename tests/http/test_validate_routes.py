"""POST /validate and the suites: what Great Expectations would answer, without Great Expectations."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis as redis_py

from pipelines.local.redis import EmbeddedRedis

from .handmade.pushes import SCORES, SUITE, SUITES, Pusher, between, expectation, pushable, scores, validated, write_suite
from .handmade.registry import Registry
from .handmade.running import Running, running
from .test_push import CUSTOMERS

BAD = {"score": [0.5, 1.5, None, -1.0], "level": ["low", "high", "medium", None]}
COUNTS = {
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "missing_count",
    "missing_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
}
BASIC = COUNTS | {"partial_unexpected_list"}
SUMMARY = BASIC | {"partial_unexpected_index_list", "partial_unexpected_counts"}
COMPLETE = SUMMARY | {"unexpected_list", "unexpected_index_list", "unexpected_index_query"}


def ask(service: Running, **body: Any) -> httpx.Response:
    """The answer to a body."""
    return service.client.post("/validate", json=body)


def result_of(service: Running, **body: Any) -> dict[str, Any]:
    """The result of a validation that can be made."""
    response = ask(service, **body)
    assert response.status_code == httpx.codes.OK, response.text
    found: dict[str, Any] = response.json()
    return found


def test_bad_data_is_a_result(pushing: Running) -> None:
    """200 with success false, and everything that ValidationResult.to_json_dict() has."""
    found = result_of(pushing, suite=SUITE, df=BAD)
    assert set(found) == {"success", "results", "suite_name", "suite_parameters", "statistics", "meta", "id"}
    assert (found["success"], found["suite_name"], found["suite_parameters"]) == (False, SUITE, {})
    assert found["statistics"] == {
        "evaluated_expectations": 2,
        "successful_expectations": 0,
        "unsuccessful_expectations": 2,
        "success_percent": 0.0,
    }
    score, level = found["results"]
    assert set(score) == {"success", "expectation_config", "result", "meta", "exception_info"}
    assert score["expectation_config"]["type"] == "expect_column_values_to_be_between"
    assert (score["result"]["unexpected_count"], score["result"]["missing_count"]) == (2, 1)
    assert level["result"]["partial_unexpected_counts"] == [{"value": "medium", "count": 1}]
    assert found["meta"]["great_expectations_version"]
    assert found["meta"]["validation_time"] == found["meta"]["run_id"]["run_time"]


def test_good_data_is_one_too(pushing: Running) -> None:
    """By column and by row."""
    for body in ({"df": {"score": [0.5], "level": ["low"]}}, {"rows": [{"score": 0.5, "level": "low"}]}):
        found = result_of(pushing, suite=SUITE, **body)
        assert (found["success"], found["statistics"]["success_percent"]) == (True, 100.0)


@pytest.mark.parametrize(
    ("level", "fields"), [("BOOLEAN_ONLY", set()), ("BASIC", BASIC), ("SUMMARY", SUMMARY), ("COMPLETE", COMPLETE)]
)
def test_as_much_is_said_as_is_asked_for(pushing: Running, level: str, fields: set[str]) -> None:
    """By GX's name of a level, or in GX's object."""
    found = result_of(pushing, suite=SUITE, df=BAD, result_format=level)
    assert [set(result["result"]) for result in found["results"]] == [fields, fields]
    again = result_of(pushing, suite=SUITE, df=BAD, result_format={"result_format": level})
    assert again["results"] == found["results"]
    if level == "SUMMARY":
        assert result_of(pushing, suite=SUITE, df=BAD)["results"] == found["results"]
    if level == "COMPLETE":
        result = found["results"][0]["result"]
        assert (result["unexpected_list"], result["unexpected_index_list"]) == ([1.5, -1.0], [1, 3])


def test_rows_can_be_named_by_a_column(pushing: Running) -> None:
    """GX's unexpected_index_column_names."""
    form = {"result_format": "COMPLETE", "unexpected_index_column_names": ["customer_id"]}
    found = result_of(pushing, suite=SUITE, df={**BAD, "customer_id": [11, 12, 13, 14]}, result_format=form)
    index = found["results"][0]["result"]["unexpected_index_list"]
    assert [entry["customer_id"] for entry in index] == [12, 14]


def test_an_empty_frame_is_validated(pushing: Running) -> None:
    """As GX does: a column that isn't there is told, an empty one has no bad values."""
    found = result_of(pushing, suite=SUITE, df={"score": [], "level": []})
    assert found["success"] is True
    missing = result_of(pushing, suite=SUITE, df={})
    assert missing["success"] is False
    assert all(result["exception_info"]["raised_exception"] for result in missing["results"])
    assert '"score"' in missing["results"][0]["exception_info"]["exception_message"]


def test_parameters_are_the_requests(pushing: Running) -> None:
    """One suite, different limits."""
    for most, success in ((1.0, False), (2.0, True)):
        found = result_of(pushing, suite="parametrized", df={"score": [1.5]}, expectation_parameters={"most": most})
        assert found["success"] is success
        assert found["results"][0]["expectation_config"]["kwargs"]["max_value"] == most


def test_a_push_source_means_its_suite(pushing: Running, pusher: Pusher) -> None:
    """What a push would be told, without a push: times as datetimes, in the unit that the request says."""
    customer = next(CUSTOMERS)
    found = result_of(pushing, push_source="reject", df=scores(customer, score=[1.5]))
    rejection = pusher.send("reject", scores(customer, score=[1.5])).json()["validation"]
    assert [result for result in found["results"] if not result["success"]] == rejection["results"]
    assert result_of(pushing, push_source="reject", df=scores(customer))["success"] is True
    number = scores(customer, event_timestamp=[1_700_000_000])
    assert result_of(pushing, push_source="reject", df=number, timestamp_unit="s")["success"] is True
    response = ask(pushing, push_source="reject", df=number)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.json()["errors"][0]["field"] == "event_timestamp"
    assert pusher.stored(SCORES, {"customer_id": customer}) is None


def test_a_push_sources_columns_are_renamed_as_in_a_push(
    redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", tmp_path: Path
) -> None:
    """To the names of the view; and its times are times."""
    late = between("moved", None, "2026-02-01T00:00:00+00:00")
    write_suite(tmp_path, "homes_suite", [late, expectation("expect_column_to_exist", column="city")])
    with (
        Registry(pushable(redis.connection_string, validated("homes_push", "homes_suite", "reject", ["homes"]))) as registry,
        running(registry, expectations=tmp_path) as served,
    ):
        for moved, success in (("2026-02-01T01:00:00+02:00", True), ("2026-02-01T00:00:00-02:00", False)):
            df = {"customer": [1], "town": ["Ulm"], "rooms": [1], "moved": [moved]}
            assert result_of(served, push_source="homes_push", df=df)["success"] is success


@pytest.mark.parametrize("value", [2**70, -(2**70), {"a": 2**70}, [1, [2]], {"a": {}}, "x", True, 1e300, "\u2028"], ids=str)
@pytest.mark.parametrize("level", ["SUMMARY", "COMPLETE"])
def test_values_of_any_kind_are_repeated(pushing: Running, value: Any, level: str) -> None:
    """Integers of more than 64 bits, lists and objects included."""
    found = result_of(pushing, suite=SUITE, df={"score": [0.5], "level": [value]}, result_format=level)
    assert found["results"][1]["result"]["partial_unexpected_list"] == [value]


def test_large_frames_are_validated_too(pushing: Running) -> None:
    """Beside the event loop."""
    df = {"score": [number / 10_000 for number in range(20_000)], "level": ["low"] * 20_000}
    found = result_of(pushing, suite=SUITE, df=df)
    assert found["results"][0]["result"]["unexpected_count"] == 9999


def test_what_is_validated_is_counted(pushing: Running) -> None:
    """By suite and verdict."""
    name = "feature_service_validations_total"
    before = {result: pushing.metric(name, result=result, suite=SUITE) for result in ("success", "failure")}
    result_of(pushing, suite=SUITE, df=BAD)
    result_of(pushing, suite=SUITE, df={"score": [0.5], "level": ["low"]})
    after = {result: pushing.metric(name, result=result, suite=SUITE) for result in before}
    assert after == {result: amount + 1 for result, amount in before.items()}


ONE = {"score": [0.5], "level": ["low"]}
REFUSED: dict[str, tuple[dict[str, Any], int, str | None, str]] = {
    "nothing": ({}, 422, "df", "either as df"),
    "no rows": ({"suite": SUITE}, 422, "df", "either as df"),
    "both forms": ({"suite": SUITE, "df": ONE, "rows": []}, 422, "df", "either as df"),
    "no suite": ({"df": ONE}, 422, "suite", "either suite"),
    "suite and push source": ({"suite": SUITE, "push_source": "reject", "df": ONE}, 422, "suite", "either suite"),
    "unknown suite": ({"suite": "score_suite", "df": ONE}, 404, "suite", "Did you mean scores_suite"),
    "unknown push source": ({"push_source": "rejct", "df": ONE}, 404, "push_source", "Did you mean reject"),
    "push source without a suite": ({"push_source": "free", "df": ONE}, 422, "push_source", "no validation_suite"),
    "unknown field": ({"suit": SUITE, "df": ONE}, 422, "suit", "Did you mean suite?"),
    "ragged columns": ({"suite": SUITE, "df": {**ONE, "level": []}}, 422, "df.level", "level has 0, score has 1"),
    "uneven rows": ({"suite": SUITE, "rows": [{"score": 1}, {}]}, 422, "score", "has no score"),
    "suite of the wrong kind": ({"suite": 7, "df": ONE}, 422, "suite", "a string"),
    "unknown level": ({"suite": SUITE, "df": ONE, "result_format": "ALL"}, 422, "result_format", "BOOLEAN_ONLY, BASIC"),
    "level of the wrong kind": ({"suite": SUITE, "df": ONE, "result_format": 7}, 422, "result_format", "a string or an object"),
    "level of the wrong kind within": (
        {"suite": SUITE, "df": ONE, "result_format": {"result_format": ["COMPLETE"]}}, 422, "result_format", "one of",
    ),
    "empty object for a level": ({"suite": SUITE, "df": ONE, "result_format": {}}, 422, "result_format", "one of"),
    "unknown option": (
        {"suite": SUITE, "df": ONE, "result_format": {"result_format": "BASIC", "x": 1}}, 422, "result_format.x", "isn't known",
    ),
    "index column that isn't there": (
        {"suite": SUITE, "df": BAD, "result_format": {"result_format": "COMPLETE", "unexpected_index_column_names": ["x"]}},
        422, "result_format.unexpected_index_column_names", "x",
    ),
    "index columns of the wrong kind": (
        {"suite": SUITE, "df": ONE, "result_format": {"result_format": "COMPLETE", "unexpected_index_column_names": 5}},
        422, "result_format.unexpected_index_column_names", "must be a list of",
    ),
    "what only GX can": (
        {"suite": SUITE, "df": ONE, "result_format": {"result_format": "COMPLETE", "include_unexpected_rows": True}},
        501, None, "include_unexpected_rows",
    ),
    "parameter that is missing": ({"suite": "parametrized", "df": ONE}, 422, "expectation_parameters", "most"),
    "parameter that doesn't fit": (
        {"suite": "parametrized", "df": ONE, "expectation_parameters": {"most": "x"}},
        422, "expectation_parameters", "max_value",
    ),
    "parameters of the wrong kind": (
        {"suite": SUITE, "df": ONE, "expectation_parameters": []}, 422, "expectation_parameters", "an object",
    ),
    "unit of the wrong kind": ({"suite": SUITE, "df": ONE, "timestamp_unit": "h"}, 422, "timestamp_unit", '"s" or "ms"'),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_request_is_told(pushing: Running, name: str) -> None:
    """What, where, and what would be right."""
    body, status, field, words = REFUSED[name]
    response = ask(pushing, **body)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert words in problem["detail"]
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 10_000, b'{"suite":"x","df":{"a":[NaN]}}', b'{"suite":"\xff"}'])
def test_what_is_not_json_is_told(pushing: Running, data: bytes) -> None:
    """400."""
    assert pushing.client.post("/validate", content=data).status_code == httpx.codes.BAD_REQUEST


def test_values_nested_too_deeply_are_told(pushing: Running) -> None:
    """In rows, columns or parameters."""
    deep = json.loads("[" * 200 + "]" * 200)
    for body in ({"df": {"level": [deep]}}, {"rows": [{"level": deep}]}, {"df": ONE, "expectation_parameters": {"a": deep}}):
        response = ask(pushing, suite=SUITE, **body)
        assert response.status_code == httpx.codes.BAD_REQUEST, response.text
        assert "64 levels" in response.json()["detail"]


def test_a_body_over_the_limit_is_told(pushing: Running) -> None:
    """413 with the limit."""
    response = pushing.client.post("/validate", content=b'{"suite":"x"}' + b" " * 4 * 1024 * 1024)
    assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert "4194304 bytes" in response.json()["detail"]
    assert pushing.client.get("/health").status_code == httpx.codes.OK


def test_there_is_a_list_of_suites(pushing: Running) -> None:
    """With how much of each is compiled."""
    suites = {suite["name"]: suite for suite in pushing.client.get("/suites").json()["suites"]}
    assert set(suites) == set(SUITES)
    for name, expectations in SUITES.items():
        assert suites[name] == {
            "name": name,
            "compiled": len(expectations),
            "fallback": 0,
            "meta": {"owner": "tests"},
            "failure": None,
        }


def test_each_expectation_of_a_suite_can_be_seen(pushing: Running) -> None:
    """As in its file, and whether it is compiled."""
    suite = pushing.client.get("/suites/advice").json()
    assert suite["name"] == "advice"
    told = [(one["type"], one["kwargs"], one["severity"], one["compiled"]) for one in suite["expectations"]]
    wanted = [(one["type"], one["kwargs"], one.get("severity", "critical"), True) for one in SUITES["advice"]]
    assert told == wanted


def test_an_unknown_suite_is_told_with_the_nearest(pushing: Running) -> None:
    """404."""
    response = pushing.client.get("/suites/advce")
    assert response.status_code == httpx.codes.NOT_FOUND
    assert "Did you mean advice?" in response.json()["detail"]


def test_without_a_folder_of_suites_there_are_none(service: Running) -> None:
    """And the service works."""
    assert service.client.get("/suites").json() == {"suites": []}
    assert ask(service, suite="any", df=ONE).status_code == httpx.codes.NOT_FOUND
