"""On-demand features over HTTP: values, statuses, times, and whose fault it is when there are none."""

import datetime as datetime_module
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from pipelines.local.redis import EmbeddedRedis
from tests.http.conftest import ABSENT, EXPIRED, FRESH, NULL
from tests.http.handmade.on_demand import MISFITS, MODES, computing
from tests.http.handmade.registry import Registry
from tests.http.handmade.running import Running, running

EPOCH = "1970-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def service(redis: EmbeddedRedis) -> Iterator[Running]:
    """A service of on-demand views."""
    with Registry(computing(redis.connection_string)) as registry, running(registry) as served:
        yield served


def columns(answer: dict[str, Any]) -> dict[str, Any]:
    """Vectors by name."""
    return dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))


def refused(service: Running, status: int, features: list[str], **entities: Any) -> dict[str, Any]:
    """The body of a read that must fail with this status."""
    response = service.post({"features": features, "entities": entities})
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_computes_the_same(service: Running, mode: str) -> None:
    """With what its function uses of its module; null where an input is null or isn't there."""
    entities = {"balance": [10.0, 3, None, 4.0], "customer_id": [FRESH, EXPIRED, FRESH, ABSENT]}
    found = columns(service.read([f"{mode}:is_adult", f"{mode}:ratio"], entities))
    assert list(found) == ["customer_id", "is_adult", "ratio"]
    assert found["ratio"]["values"] == [5.0, 1.5, None, None]
    assert found["ratio"]["statuses"] == ["PRESENT", "PRESENT", "NULL_VALUE", "NOT_FOUND"]
    assert found["is_adult"]["values"] == [1, 1, 1, None]
    assert found["is_adult"]["statuses"] == ["PRESENT", "PRESENT", "PRESENT", "NOT_FOUND"]


def test_features_keep_their_places_and_inputs_stay_inside(service: Running) -> None:
    """Stored and computed ones as they were asked for, however often; what only a function reads isn't answered."""
    asked = ["columns:ratio", "profile:age", "frame:is_adult", "columns:ratio"]
    answer = service.read(asked, {"customer_id": [FRESH], "balance": [10]}, full_feature_names=True)
    names = ["customer_id", "columns__ratio", "profile__age", "frame__is_adult", "columns__ratio"]
    assert answer["metadata"]["feature_names"] == names
    assert [vector["values"] for vector in answer["results"]] == [[FRESH], [5.0], [41], [1], [5.0]]


def test_a_service_may_have_computed_features(service: Running) -> None:
    """Under an alias, too."""
    found = columns(service.read("model", {"customer_id": [FRESH], "balance": [10]}))
    assert {name: vector["values"] for name, vector in found.items()} == {
        "customer_id": [FRESH], "age": [41], "ratio": [5.0], "is_adult": [1],
    }  # fmt: skip
    found = columns(service.read("aliased", {"customer_id": [FRESH], "balance": [10]}, full_feature_names=True))
    assert found["mine__ratio"]["values"] == [5.0]


def test_a_computed_value_is_as_good_as_its_worst_input(service: Running) -> None:
    """And as old as its oldest one that is there."""
    customers = [FRESH, EXPIRED, NULL, ABSENT]
    asked = ["both_views:sum", "profile:age", "visits:count"]
    found = columns(service.read(asked, {"customer_id": customers}))
    assert found["sum"]["values"] == [48, 42, 0, 0]
    assert found["sum"]["statuses"] == ["PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND", "NOT_FOUND"]
    times = zip(found["age"]["event_timestamps"], found["count"]["event_timestamps"], strict=True)
    assert found["sum"]["event_timestamps"] == [min(pair) for pair in times]
    assert found["sum"]["event_timestamps"][3] == EPOCH


def test_an_input_that_is_not_there_does_not_make_a_value_old(service: Running) -> None:
    """Its time is no time."""
    found = columns(service.read(["both_keys:sum", "visits:count"], {"customer_id": [FRESH], "store_id": ["nowhere"]}))
    assert found["sum"]["statuses"] == ["NOT_FOUND"]
    assert found["sum"]["event_timestamps"] == found["count"]["event_timestamps"] != [EPOCH]


def test_inputs_may_have_different_keys(service: Running) -> None:
    """Each view by its own."""
    found = columns(service.read(["both_keys:sum"], {"customer_id": [FRESH, FRESH], "store_id": ["north", "süd"]}))
    assert found["sum"]["values"] == [1007, 2007]
    assert list(found) == ["customer_id", "store_id", "sum"]


def test_a_source_may_be_joined_by_another_column(service: Running) -> None:
    """As a projection of it says."""
    found = columns(service.read(["renamed:sum"], {"buyer_id": [EXPIRED], "customer_id": [FRESH]}))
    assert found["sum"]["values"] == [49]
    body = refused(service, 422, ["renamed:sum"], customer_id=[FRESH])
    assert [error["field"] for error in body["errors"]] == ["entities.buyer_id"]


def test_a_value_of_request_data_alone_is_of_this_moment(service: Running) -> None:
    """There is no other time, and 1970 would be wrong; no key is needed."""
    found = columns(service.read(["request_only:twice"], {"balance": [1.25, None]}))
    assert list(found) == ["twice"]
    assert found["twice"]["values"] == [2.5, None]
    assert found["twice"]["statuses"] == ["PRESENT", "NULL_VALUE"]
    assert all(time > "2026" for time in found["twice"]["event_timestamps"])


def test_request_data_keep_their_precision_and_outputs_their_type(service: Running) -> None:
    """A double of the client reaches the function as it is; what a Float32 feature gets is rounded to it, as if stored."""
    found = columns(service.read(["request_only:twice"], {"balance": [0.1]}))
    assert found["twice"]["values"] == [0.2]
    found = columns(service.read(["request_only_float:twice"], {"balance": [0.1]}))
    assert found["twice"]["values"] == [0.20000000298023224]


def test_a_function_gets_what_it_may_know(service: Running) -> None:
    """Inputs under both names, join keys, request data; nulls as None; nothing else that the request asks for."""
    asked = ["seen:seen", "visits:count"]
    found = columns(service.read(asked, {"customer_id": [FRESH, NULL], "balance": [0.1, None]}))
    first, second = [eval(text) for text in found["seen"]["values"]]  # noqa: S307 - the repr of a dict of ours
    assert first == {
        "age": 41, "name": "customer 1", "spend": 0.5, "tags": ["a", "b"],
        "profile__age": 41, "profile__name": "customer 1", "profile__spend": 0.5, "profile__tags": ["a", "b"],
        "customer_id": FRESH, "balance": 0.1,
    }  # fmt: skip
    assert second == dict.fromkeys(first) | {"customer_id": NULL}


def test_a_frame_has_the_types_of_a_training_set(service: Running) -> None:
    """Numbers beside a null are doubles, as pandas has it."""
    read = ["seen_frame:seen"]
    (types,) = columns(service.read(read, {"customer_id": [FRESH], "balance": [0.1]}))["seen"]["values"]
    plain = {"age": "int64", "name": "object", "spend": "float32", "tags": "object", "count": "int64", "score": "float64"}
    full = {f"{'visits' if name in ('count', 'score') else 'profile'}__{name}": dtype for name, dtype in plain.items()}
    assert eval(types) == {**plain, **full, "customer_id": "int64", "balance": "float64"}  # noqa: S307
    types, _ = columns(service.read(read, {"customer_id": [FRESH, ABSENT], "balance": [0.1, 1]}))["seen"]["values"]
    assert eval(types)["age"] == eval(types)["count"] == "float64"  # noqa: S307


@pytest.mark.parametrize("view", ["changing", "changing_row"])
def test_what_a_function_changes_is_its_own(service: Running, view: str) -> None:
    """Neither the stored feature nor another function sees it."""
    asked = [f"{view}:n", "profile:tags", "counting:m"]
    found = columns(service.read(asked, {"customer_id": [FRESH, FRESH]}))
    assert found["n"]["values"] == [3, 3]
    assert found["tags"]["values"] == [["a", "b"]] * 2
    assert found["m"]["values"] == [2, 2]


def test_times_are_times_wherever_they_come_from(service: Running) -> None:
    """Keys and request data as features are; not numbers of who knows what."""
    seconds = 1_767_225_600
    answer = service.read(
        ["seen_slot:seen", "seen_slot_frame:seen"], {"starts_at": [seconds], "at": [seconds]}, full_feature_names=True
    )
    found = columns(answer)
    moment = datetime.fromtimestamp(seconds, UTC)
    known = eval(found["seen_slot__seen"]["values"][0], {"datetime": datetime_module})  # noqa: S307
    assert known["starts_at"] == known["at"] == moment
    assert eval(found["seen_slot_frame__seen"]["values"][0])["starts_at"].startswith("datetime64[")  # noqa: S307


def test_times_that_a_function_gives(service: Running) -> None:
    """In whatever form, to the second, as Feast keeps them."""
    forms = ["plain", "pandas", "numpy", "array"]
    found = columns(service.read([f"timely:{form}" for form in forms], {"customer_id": [FRESH]}))
    assert {form: found[form]["values"] for form in forms} == {form: [1_767_225_601] for form in forms}


def test_a_time_that_is_no_time_is_told(service: Running) -> None:
    """Microseconds for seconds, say."""
    body = refused(service, 422, ["seen_slot:seen"], starts_at=[0, 0], at=[0, 1_767_225_600_000_000])
    (error,) = body["errors"]
    assert (error["field"], error["row"]) == ("entities.at", 1)
    assert "in seconds since 1970" in error["message"]


def test_a_function_knows_a_key_by_its_name(service: Running) -> None:
    """Though the request may call it by the entity's."""
    found = columns(service.read(["seen_till:seen"], {"store": ["north"]}))
    assert eval(found["seen"]["values"][0])["store_id"] == "north"  # noqa: S307


def test_request_data_have_the_type_that_each_view_gives_them(service: Running) -> None:
    """Also where two views want one column."""
    answer = service.read(["seen_whole:seen", "seen_double:seen"], {"x": [5]}, full_feature_names=True)
    found = columns(answer)
    assert found["seen_whole__seen"]["values"] == ["{'x': 5}"]
    assert found["seen_double__seen"]["values"] == ["{'x': 5.0}"]


BAD_DATA: dict[str, tuple[dict[str, Any], str, int | None, str]] = {
    "missing": ({"customer_id": [1]}, "entities.balance", None, "Request data balance is missing: columns can't be computed"),
    "text": ({"customer_id": [1, 2], "balance": [1, "2"]}, "entities.balance", 1, 'must be a number'),
    "flag": ({"customer_id": [1], "balance": [True]}, "entities.balance", 0, "not true"),
    "too large for 32 bits": ({"customer_id": [1], "balance": [1e39]}, "entities.balance", 0, "FLOAT"),
    "ragged": ({"customer_id": [1, 2], "balance": [1]}, "entities.balance", None, "same number of rows"),
    "misspelt": ({"customer_id": [1], "ballance": [1]}, "entities.ballance", None, "Did you mean balance?"),
    "no key": ({"balance": [1]}, "entities.customer_id", None, "profile can't be read without it"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_request_data_are_told(service: Running, name: str) -> None:
    """422, by field and row."""
    entities, field, row, message = BAD_DATA[name]
    errors = refused(service, 422, ["columns:ratio"], **entities)["errors"]
    (error,) = [error for error in errors if error["field"] == field and message in error["message"]]
    assert error["row"] == row


def test_a_function_that_raises_is_named_with_the_row(service: Running, caplog: pytest.LogCaptureFixture) -> None:
    """500, without a word of the data; the log has the trace."""
    with caplog.at_level(logging.ERROR):
        body = refused(service, 500, ["failing:x"], customer_id=[NULL, EXPIRED, FRESH, EXPIRED])
    assert body["type"] == "urn:feature-service:computation-failed"
    assert body["detail"] == "On-demand feature view failing: its function failing raises ZeroDivisionError (row 2)."
    assert (body["view"], body["function"], body["row"]) == ("failing", "failing", 2)
    assert "division by zero" in caplog.text


def test_who_asks_for_good_rows_does_not_notice_the_bad_ones_of_others(service: Running) -> None:
    """Even if their rows go through one call."""
    body = refused(service, 500, ["failing_alone:x"], customer_id=[EXPIRED, FRESH])
    assert "raises ValueError (row 1)" in body["detail"]
    assert "secret" not in json.dumps(body)
    assert columns(service.read(["failing_alone:x"], {"customer_id": [EXPIRED]}))["x"]["values"] == [1]


@pytest.mark.parametrize("name", MISFITS)
def test_outputs_that_do_not_fit_are_told(service: Running, name: str) -> None:
    """500: the definitions are wrong. The view, the function, the feature and the row; never the value."""
    body = refused(service, 500, [f"{name}:x"], customer_id=[FRESH, EXPIRED])
    assert body["detail"].startswith(f"On-demand feature view {name}: its function gives "), body
    assert MISFITS[name][2] in body["detail"]
    assert "secret" not in json.dumps(body)


def test_a_function_that_cannot_be_loaded_is_named(service: Running) -> None:
    """And nothing else is kept from being served."""
    body = refused(service, 500, ["broken:x"], customer_id=[FRESH])
    assert "On-demand feature view broken: its function broken raises UnpicklingError when it is loaded" in body["detail"]


def test_a_view_of_a_computed_view_is_refused(service: Running) -> None:
    """Feast makes no training sets of such, so there is nothing to be equal to."""
    body = refused(service, 501, ["chain:seen"], customer_id=[FRESH])
    assert "its source columns is an on-demand feature view that is computed when it is read" in body["detail"]


def test_calls_are_counted(service: Running) -> None:
    """By view and outcome, and their time."""
    before = service.metric("feature_service_computations_total", view="frame", outcome="ok")
    service.read(["frame:ratio"], {"customer_id": [FRESH], "balance": [1]})
    assert service.metric("feature_service_computations_total", view="frame", outcome="ok") == before + 1
    assert service.metric("feature_service_computation_seconds_count", view="frame") == before + 1
    service.post({"features": ["failing:x"], "entities": {"customer_id": [FRESH]}})
    assert service.metric("feature_service_computations_total", view="failing", outcome="error") > 0


def test_large_reads_are_computed_whole(service: Running) -> None:
    """Though they are read in parts."""
    customers = [FRESH, EXPIRED, NULL] * 700
    found = columns(
        service.read(
            ["columns:ratio", "frame:ratio"], {"customer_id": customers, "balance": [10.0] * 2100}, full_feature_names=True
        )
    )
    assert found["columns__ratio"]["values"] == [5.0, 5.0, None] * 700
    assert found["frame__ratio"] == found["columns__ratio"]


@pytest.mark.parametrize("customers", [[FRESH, FRESH], [FRESH, EXPIRED, NULL, ABSENT]], ids=["all there", "some not"])
def test_every_form_of_an_answer_has_the_same_values(service: Running, customers: list[int]) -> None:
    """By column, by row and in Arrow, which reads numbers in another way where all are there."""
    modes = ["columns", "rows", "frame", "frame_together"]
    asked = ["both_views:sum", "seen_frame:seen", *(f"{mode}:{name}" for mode in modes for name in ("ratio", "is_adult"))]
    body = {
        "features": asked,
        "entities": {"customer_id": customers, "balance": [10.0] * len(customers)},
        "full_feature_names": True,
    }
    expected = {name: vector["values"] for name, vector in columns(service.post(body).json()).items()}
    by_row = service.client.post("/get-online-features", params={"layout": "rows"}, json=body).json()["rows"]
    assert {name: [row[name] for row in by_row] for name in by_row[0]} == expected
    for include in (None, "statuses,event_timestamps"):
        headers = {"accept": "application/vnd.apache.arrow.stream"}
        answer = service.client.post(
            "/get-online-features", params={"include": include} if include else {}, json=body, headers=headers
        )
        assert answer.headers["content-type"] == headers["accept"]
        table = pa.ipc.open_stream(answer.content).read_all()
        assert {name: table[name].to_pylist() for name in expected} == expected
