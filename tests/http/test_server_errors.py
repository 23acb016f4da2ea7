"""Errors that aren't the caller's: what is in Redis can't be read, and what is told of it."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
import redis as redis_py
from feast.errors import FeastError
from feast.protos.feast.types.Value_pb2 import Value

from .conftest import ABSENT, FRESH
from .handmade.definitions import PROFILE
from .handmade.rows import redis_key, row, write
from .handmade.running import Running, running

BROKEN = 500
CORRUPT = {
    "a number cut short": ("age", b"\x20\x80"),
    "a string cut short": ("name", b"\x12\x05abc"),
    "a string that isn't UTF-8": ("name", b"\x12\x02\xff\xff"),
    "a float cut short": ("spend", b"\x35\x00\x00"),
    "no protobuf at all": ("tags", b"\xff\xff\xff"),
    "text": ("spend", b"0.5"),
}
TIMES = {
    "cut short": b"\x08\x80",
    "text": b"2024-01-01T00:00:00Z",
    "beyond the calendar": b"\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
}


@pytest.fixture(autouse=True)
def no_broken_row_is_left(client: "redis_py.Redis[bytes]") -> Iterator[None]:
    """Each test breaks its own."""
    yield
    client.delete(redis_key(PROFILE, {"customer_id": BROKEN}))


@pytest.fixture
def another(service: Running) -> Iterator[Running]:
    """A service that may be broken for good."""
    with running(service.registry) as served:
        yield served


def broken(service: Running, feature: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """A read of what can't be read is a 500 that says which row of Redis is to be mended, and nothing else is touched."""
    caplog.clear()
    body = {"features": [f"profile:{feature}"], "entities": {"customer_id": [FRESH, BROKEN, ABSENT]}}
    response = service.post(body)
    assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert response.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in response.headers  # it won't help
    detail = response.json()["detail"]
    assert said in detail
    assert repr(redis_key(PROFILE, {"customer_id": BROKEN})) in detail
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [detail]
    answer = service.read([f"profile:{feature}"], {"customer_id": [FRESH, ABSENT]})
    assert answer["results"][1]["statuses"] == ["PRESENT", "NOT_FOUND"]


@pytest.mark.parametrize("what", CORRUPT)
def test_a_value_that_cannot_be_read_is_an_error_of_the_server(
    service: Running, client: "redis_py.Redis[bytes]", caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """Rather than a null, or half of it."""
    feature, raw = CORRUPT[what]
    write(client, PROFILE, {"customer_id": BROKEN}, time.time_ns(), {feature: raw})
    broken(service, feature, f"profile:{feature} can't be read", caplog)


@pytest.mark.parametrize("what", TIMES)
def test_an_event_time_that_cannot_be_read_is_an_error_of_the_server(
    service: Running, client: "redis_py.Redis[bytes]", caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """Its row can't be told to be fresh."""
    fields = row(PROFILE, 0, {"age": Value(int64_val=1)})
    fields[b"_ts:profile"] = TIMES[what]
    client.hset(redis_key(PROFILE, {"customer_id": BROKEN}), mapping=fields)  # type: ignore[arg-type]
    broken(service, "age", "the event time of profile can't be read", caplog)


def test_a_key_that_holds_something_else_is_an_error_of_the_server(
    service: Running, client: "redis_py.Redis[bytes]", caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else's string under an entity's key."""
    client.set(redis_key(PROFILE, {"customer_id": BROKEN}), "x")
    broken(service, "age", "isn't a hash", caplog)


def test_values_of_another_type_than_the_registry_says_are_answered(service: Running, client: "redis_py.Redis[bytes]") -> None:
    """A schema may have changed after they were written; they are what they are, as in Feast."""
    values = {"age": Value(string_val="old"), "name": Value(int64_val=5), "spend": Value(bool_val=True)}
    write(client, PROFILE, {"customer_id": BROKEN}, time.time_ns(), values)
    answer = service.read(["profile:age", "profile:name", "profile:spend"], {"customer_id": [FRESH, BROKEN]})
    assert [vector["values"] for vector in answer["results"][1:]] == [[41, "old"], ["customer 1", 5], [0.5, True]]


def test_one_row_that_cannot_be_read_is_found_among_many(service: Running, client: "redis_py.Redis[bytes]") -> None:
    """In whichever part of a large request, view and type it is."""
    write(client, PROFILE, {"customer_id": BROKEN}, time.time_ns(), {"age": Value(int64_val=1), "tags": b"\xff"})
    ids = [*range(1000, 2000), BROKEN]
    features = ["visits:count", "profile:age", "profile:name", "profile:tags", "visits:score"]
    response = service.post({"features": features, "entities": {"customer_id": ids}})
    assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert "profile:tags" in response.json()["detail"]
    assert repr(redis_key(PROFILE, {"customer_id": BROKEN})) in response.json()["detail"]


def test_feasts_sdk_hears_it_too(service: Running, client: "redis_py.Redis[bytes]") -> None:
    """In the text of its exception."""
    write(client, PROFILE, {"customer_id": BROKEN}, time.time_ns(), {"age": b"\x20\x80"})
    with running(service.registry, error_format="feast") as served:
        response = served.post({"features": ["profile:age"], "entities": {"customer_id": [BROKEN]}})
    assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert "profile:age can't be read" in str(FeastError.from_error_detail(response.json()))


def test_an_error_that_nobody_foresaw_has_a_number(another: Running, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the number, the log has the trace under it: here somebody wrote into the metrics' files."""
    names = another.app.metrics.directory / "slot-0.names"
    names.write_bytes(names.read_bytes() + b'[0, "no such metric"]\n')
    response = another.client.get("/metrics")
    assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert response.headers["content-type"] == "application/problem+json"
    (number,) = re.findall(r"\b[0-9a-f]{32}\b", response.json()["detail"])
    (record,) = [record for record in caplog.records if number in record.getMessage()]
    assert record.exc_info is not None
    assert "no such metric" not in response.text
    assert another.read(["profile:age"], {"customer_id": [FRESH]})["results"][1]["values"] == [41]
