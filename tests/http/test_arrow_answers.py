"""Reads answered with an Arrow stream: chosen by the Accept header, with what the JSON says in it."""

import base64
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pyarrow as pa
import pytest
import redis as redis_py
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import from_feast_to_pyarrow_type

from pipelines.local.redis import EmbeddedRedis

from .conftest import ABSENT, EXPIRED, FRESH, NULL
from .handmade.all_types import EVERYTHING, ROWS, TYPES, VALUE_TYPES, random_row
from .handmade.definitions import DAY_NANOSECONDS, definition, view
from .handmade.forms import ARROW, read_arrow, send
from .handmade.on_demand import on_demand, projection
from .handmade.registry import Registry
from .handmade.rows import write
from .handmade.running import Running, running

JSON = "application/json"
BODY = {"features": ["profile:age"], "entities": {"customer_id": [FRESH]}}
CUSTOMERS = [FRESH, EXPIRED, NULL, ABSENT]
EPOCH = "1970-01-01T00:00:00Z"

# Rows that Arrow has trouble with: the day before 1970, nanoseconds, a leap day, the first year.
TIMES = [-86_400 * 10**9 + 1_000, 1_700_000_000_123_456_789, 951_782_400 * 10**9, -62_135_596_800 * 10**9 + 999_999_000]
CHANGED = view("changed", {"whole": "INT64", "small": "FLOAT", "text": "STRING", "at": "UNIX_TIMESTAMP", "many": "INT64_LIST"})
CLASHING = view("clashing", {"age": "INT64", "age__status": "STRING", "age__ts": "STRING"})
NAMESAKE = view("namesake", {"customer_id": "STRING"})
NUMBERS = view("numbers", {"f": "FLOAT", "d": "DOUBLE", "i": "INT32", "q": "INT64", "b": "BOOL", "t": "UNIX_TIMESTAMP"})
DAILY = view("daily", {"q": "INT64", "f": "FLOAT"}, ttl_nanoseconds=DAY_NANOSECONDS)
# Customers with a row of numbers, from the first on; a tenth of them have an old one of the day.
FIRST, MANY = 1000, 700


def halved(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """An on-demand feature with a null."""
    return {
        "half": [None if whole is None else whole / 2 for whole in inputs["whole"]],
        "at": [None if whole is None else datetime.fromtimestamp(whole, UTC) for whole in inputs["whole"]],
    }


HALVED = on_demand("halved", halved, {"half": "DOUBLE", "at": "UNIX_TIMESTAMP"}, [projection("changed", "whole")])


def numbers_of(customer: int) -> dict[str, Value]:
    """A row without a null."""
    return {
        "f": Value(float_val=customer / 8),
        "d": Value(double_val=customer / 7 if customer % 50 else float("nan")),
        "i": Value(int32_val=-customer),
        "q": Value(int64_val=-(customer**5)),
        "b": Value(bool_val=customer % 3 == 0),
        "t": Value(unix_timestamp_val=customer * 10**6),
    }


@pytest.fixture(scope="module")
def everything(redis: EmbeddedRedis) -> Iterator[Running]:
    """A service with a feature of every type, and with values of other types than their features."""
    rng = Random(11)
    with redis_py.Redis.from_url(redis.url) as client:
        for customer in range(ROWS):
            moment = TIMES[customer] if customer < len(TIMES) else time.time_ns()
            write(client, EVERYTHING, {"customer_id": customer}, moment, random_row(rng))
        for customer, values in {
            1: {"whole": Value(int64_val=7), "small": Value(int64_val=2**24), "text": Value(string_val="x")},
            2: {"whole": Value(string_val="7"), "small": Value(int64_val=2**24 + 1), "text": Value(int64_val=7)},
            3: {"small": Value(double_val=0.1), "at": Value(unix_timestamp_val=2**62), "whole": Value(bool_val=True)},
            4: {"small": Value(double_val=1e300), "many": Value(string_list_val={"val": ["7"]}), "at": Value(bool_val=True)},
        }.items():
            write(client, CHANGED, {"customer_id": customer}, time.time_ns(), values)
        write(client, CLASHING, {"customer_id": 1}, time.time_ns(), {"age": Value(int64_val=1)})
        with client.pipeline(transaction=False) as pipeline:
            for customer in range(FIRST, FIRST + MANY):
                write(pipeline, NUMBERS, {"customer_id": customer}, time.time_ns(), numbers_of(customer))
                written = time.time_ns() - (2 * DAY_NANOSECONDS if customer % 10 == 0 else 0)
                daily = {"q": Value(int64_val=customer), "f": Value(float_val=customer)}
                write(pipeline, DAILY, {"customer_id": customer}, written, daily)
            pipeline.execute()
    views = (EVERYTHING, CHANGED, CLASHING, NAMESAKE, HALVED, NUMBERS, DAILY)
    with Registry(definition(*views, connection_string=redis.connection_string)) as registry, running(registry) as served:
        yield served


@pytest.mark.parametrize(
    ("accept", "expected"),
    {
        ARROW: ARROW,
        "Application/vnd.Apache.arrow.STREAM": ARROW,
        f"{ARROW}, {JSON}": ARROW,
        f"{JSON}, {ARROW}": ARROW,
        f"{ARROW};q=0.5, {JSON};q=0.5": ARROW,
        f"{ARROW};q=0.5, {JSON};q=0.4": ARROW,
        f"{ARROW}, */*": ARROW,
        f"{ARROW}, */*;q=0.1": ARROW,
        f"{ARROW};q=0.9, text/html": ARROW,
        f"{JSON};q=0, */*": ARROW,
        f"{ARROW};q=0.4, {JSON};q=0.5": JSON,
        f"{ARROW};q=0.4, {JSON}": JSON,
        f"{ARROW};q=0.4, */*": JSON,
        f"{ARROW};q=0, */*": JSON,
        "": JSON,
        "*/*": JSON,
        "application/*": JSON,
        JSON: JSON,
        f"{JSON}; charset=utf-8": JSON,
        f"{JSON}, text/plain, */*": JSON,
        "text/html, application/xhtml+xml, */*;q=0.8": JSON,
        "text/html;q=high": JSON,
        "," * 400 + JSON: JSON,
    }.items(),
)  # fmt: skip
def test_the_accept_header_chooses_the_form(service: Running, accept: str, expected: str) -> None:
    """Arrow where it is named and wanted no less than JSON; JSON for who takes anything. On the short way and on uvicorn's."""
    for query in (None, {"layout": "columns"}):
        response = send(service, BODY, accept, query)
        assert (response.status_code, response.headers["content-type"]) == (httpx.codes.OK, expected)


def test_several_accept_headers_are_one(service: Running) -> None:
    """As RFC 9110 says of all lists."""
    for accepted in (["text/html", ARROW], [ARROW, "text/html"]):
        headers = [("accept", each) for each in accepted]
        response = service.client.post("/get-online-features", json=BODY, headers=headers)
        assert response.headers["content-type"] == ARROW


@pytest.mark.parametrize("accept", ["text/html", "image/*", f"{JSON};q=0, {ARROW};q=0.0", "*/*;q=0"])
def test_a_form_that_there_is_not_is_refused(service: Running, accept: str) -> None:
    """With a problem, which is JSON whatever the header says."""
    response = send(service, BODY, accept)
    assert response.status_code == httpx.codes.NOT_ACCEPTABLE
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["field"] == "Accept"
    assert ARROW in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**BODY, "entities": {}}, httpx.codes.UNPROCESSABLE_ENTITY),
        ({**BODY, "features": ["profle:age"]}, httpx.codes.NOT_FOUND),
        ({**BODY, "features": []}, httpx.codes.UNPROCESSABLE_ENTITY),
    ],
)
def test_errors_are_json_whatever_is_accepted(service: Running, body: dict[str, Any], status: int) -> None:
    """The same problem as JSON gets."""
    arrow, usual = send(service, body, ARROW), send(service, body)
    assert arrow.status_code == status
    assert arrow.headers["content-type"] == "application/problem+json"
    assert arrow.content == usual.content


@pytest.mark.parametrize(
    ("query", "accept", "field", "said"),
    [
        ({"layout": "foo"}, ARROW, "layout", "columns or rows, not 'foo'"),
        ({"layout": ""}, JSON, "layout", "columns or rows"),
        ({"layout": "rows"}, ARROW, "layout", "An Arrow stream has columns"),
        ({"include": "x"}, ARROW, "include", "not 'x'"),
        ({"include": ""}, ARROW, "include", "not ''"),
        ({"include": "statuses,times"}, JSON, "include", "not 'times'"),
        ({"includes": "statuses"}, ARROW, "includes", "Known are include, layout"),
    ],
)
def test_a_query_that_is_not_right_is_refused(
    service: Running, query: dict[str, str], accept: str, field: str, said: str
) -> None:
    """It names the parameter, and what would be right."""
    response = send(service, BODY, accept, query)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.json()["errors"][0]["field"] == field
    assert said in response.json()["detail"]


def test_one_body_is_answered_in_each_form(service: Running) -> None:
    """Plans of one body, kept by its form."""
    types = [send(service, BODY, accept).headers["content-type"] for accept in (JSON, ARROW, JSON, ARROW)]
    assert types == [JSON, ARROW, JSON, ARROW]
    with_statuses = send(service, BODY, ARROW, {"include": "statuses"}).content
    without = send(service, BODY, ARROW).content
    assert len(with_statuses) > len(without)


def test_columns_come_in_the_order_of_the_request(service: Running) -> None:
    """Entity columns first, each with its Arrow type and its Feast type; nothing beside them that wasn't asked for."""
    features = ["till:total", "profile:name", "visits_at:minutes", "profile:spend", "everyone:rate", "profile:tags"]
    table = read_arrow(service, features, {"store_id": ["north"], "customer_id": [FRESH]})
    expected = {
        "store_id": ("STRING", pa.string()),
        "customer_id": ("INT64", pa.int64()),
        "total": ("INT64", pa.int64()),
        "name": ("STRING", pa.string()),
        "minutes": ("INT64", pa.int64()),
        "spend": ("FLOAT", pa.float32()),
        "rate": ("DOUBLE", pa.float64()),
        "tags": ("STRING_LIST", pa.list_(pa.string())),
    }
    assert {field.name: (field.metadata[b"feast_type"].decode(), field.type) for field in table.schema} == expected
    assert table.column_names == list(expected)
    assert all(field.nullable for field in table.schema)
    assert table.schema.metadata is None
    assert table.to_pylist() == [
        {
            "store_id": "north", "customer_id": FRESH, "total": 1000, "name": "customer 1", "minutes": 90, "spend": 0.5,
            "rate": 4.5, "tags": ["a", "b"],
        }
    ]  # fmt: skip


def test_ids_of_each_type_come_back_in_their_arrow_type(service: Running) -> None:
    """Bytes from base64, times from seconds."""
    assert read_arrow(service, ["door:opened"], {"badge_id": ["AP8=", ""]}).to_pydict() == {
        "badge_id": [b"\x00\xff", b""],
        "opened": [3, None],
    }
    rooms = read_arrow(service, ["room:seats"], {"room_id": [7]})
    assert (rooms.schema.field("room_id").type, rooms.to_pydict()) == (pa.int32(), {"room_id": [7], "seats": [None]})
    slots = read_arrow(service, ["slot:free"], {"starts_at": [0, -1]})
    assert slots.schema.field("starts_at").type == pa.timestamp("us", tz="UTC")
    assert slots.column("starts_at").cast(pa.int64()).to_pylist() == [0, -1_000_000]


def test_statuses_and_times_come_on_request(service: Running) -> None:
    """A column each beside each feature's, with what the JSON says; null where there is no time."""
    features = ["visits:count", "profile:age"]
    usual = service.read(features, {"customer_id": CUSTOMERS})["results"]
    table = read_arrow(service, features, {"customer_id": CUSTOMERS}, "event_timestamps,statuses")
    assert table.column_names == [
        "customer_id", "count", "count__status", "count__ts", "age", "age__status", "age__ts",
    ]  # fmt: skip
    for name, vector in zip(("count", "age"), usual[1:], strict=True):
        assert table.column(name).to_pylist() == vector["values"]
        assert table.schema.field(f"{name}__status").type == pa.dictionary(pa.int8(), pa.string())
        assert table.column(f"{name}__status").to_pylist() == vector["statuses"]
        assert in_texts(table.column(f"{name}__ts")) == [to_microseconds(text) for text in vector["event_timestamps"]]
    assert table.column("count__status").to_pylist() == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"]
    assert table.column("count__ts").null_count == 1
    only = read_arrow(service, features, {"customer_id": CUSTOMERS}, "statuses")
    assert only.column_names == ["customer_id", "count", "count__status", "age", "age__status"]
    assert read_arrow(service, features, {"customer_id": CUSTOMERS}).column_names == ["customer_id", "count", "age"]


def test_all_present_is_a_status_too(service: Running) -> None:
    """A column without any other."""
    table = read_arrow(service, ["visits:count"], {"customer_id": [FRESH] * 3}, "statuses")
    assert table.column("count__status").to_pylist() == ["PRESENT"] * 3


def test_names_and_the_versions_of_views_are_told_when_asked_for(service: Running) -> None:
    """As the JSON's metadata has them."""
    body = {"include_feature_view_version_metadata": True, "full_feature_names": True}
    features, entities = ["tariff:price", "till:total"], {"store_id": ["north"]}
    table = read_arrow(service, features, entities, "statuses", **body)
    assert table.column_names == ["store_id", "tariff__price", "tariff__price__status", "till__total", "till__total__status"]
    told = json.loads(table.schema.metadata[b"feature_view_metadata"])
    assert told == service.read(features, entities, **body)["metadata"]["feature_view_metadata"]


def test_a_feature_asked_for_twice_comes_twice(service: Running) -> None:
    """As in JSON."""
    table = read_arrow(service, ["profile:age", "profile:age"], {"customer_id": [FRESH]})
    assert table.column_names == ["customer_id", "age", "age"]
    assert [column.to_pylist() for column in table.columns] == [[FRESH], [41], [41]]


@pytest.mark.parametrize("rows", [1, 600, 4000])
def test_answers_of_any_size_say_the_same(service: Running, rows: int) -> None:
    """In one batch, however many parts they are read in and wherever they are encoded."""
    rng = Random(rows)
    ids = rng.choices(CUSTOMERS, k=rows)
    features = ["visits:count", "profile:name", "profile:spend", "visits:score", "profile:tags"]
    usual = service.read(features, {"customer_id": ids})["results"]
    table = read_arrow(service, features, {"customer_id": ids}, "statuses,event_timestamps")
    for position, name in enumerate(["customer_id", "count", "name", "spend", "score", "tags"]):
        assert table.column(name).to_pylist() == usual[position]["values"]
        if position:
            assert table.column(f"{name}__status").to_pylist() == usual[position]["statuses"]
            assert in_texts(table.column(f"{name}__ts")) == list(map(to_microseconds, usual[position]["event_timestamps"]))


@pytest.mark.parametrize("absent", [None, 5, MANY - 5], ids=["nobody", "in the first part", "in the last part"])
@pytest.mark.parametrize("include", ["", "statuses,event_timestamps"])
def test_numbers_are_the_same_whether_or_not_all_are_there(everything: Running, absent: int | None, include: str) -> None:
    """Columns without a null are packed, others decoded; parts of one read may differ."""
    customers = list(range(FIRST, FIRST + MANY))
    if absent is not None:
        customers[absent] = ABSENT
    for features in (["numbers:f", "numbers:d", "numbers:i", "numbers:q", "numbers:b", "numbers:t"], ["daily:q", "daily:f"]):
        usual = everything.read(features, {"customer_id": customers})["results"][1:]
        table = read_arrow(everything, features, {"customer_id": customers}, include)
        for feature, vector in zip(features, usual, strict=True):
            view_name, _, name = feature.partition(":")
            kind = {"numbers": NUMBERS, "daily": DAILY}[view_name].features
            value_type = next(each.value_type for each in kind if each.name == name)
            assert [in_json(value_type, value) for value in as_python(table.column(name))] == vector["values"]
            if include:
                assert table.column(f"{name}__status").to_pylist() == vector["statuses"]
                assert in_texts(table.column(f"{name}__ts")) == list(map(to_microseconds, vector["event_timestamps"]))


def to_microseconds(text: str) -> str | None:
    """An event time of the JSON without what is below a microsecond; None where there is none."""
    if text == EPOCH:
        return None
    moment, _, fraction = text.removesuffix("Z").partition(".")
    return f"{moment.replace('T', ' ')}.{fraction[:6]:0<6}"


def in_texts(column: pa.ChunkedArray) -> list[str | None]:
    """Times of a column as the function above gives them."""
    assert column.type == pa.timestamp("us", tz="UTC")
    texts: list[str | None] = column.cast(pa.timestamp("us")).cast(pa.string()).to_pylist()
    return texts


# Arrow types of Feast types for which Feast has no Arrow type, or has text, too.
NOT_IN_FEAST = (pa.binary(), pa.list_(pa.binary()), pa.string(), pa.list_(pa.string()))


@pytest.mark.parametrize("name", TYPES)
def test_each_type_means_what_its_json_says(everything: Running, name: str) -> None:
    """Nulls, NaN, the ends of each type's range; the Arrow type is Feast's own where Feast has one that holds it."""
    customers = list(range(ROWS + 1))
    usual = everything.read([f"everything:{name}"], {"customer_id": customers})["results"][1]
    table = read_arrow(everything, [f"everything:{name}"], {"customer_id": customers}, "event_timestamps")
    column = table.column(name)
    assert [in_json(VALUE_TYPES[name], value) for value in as_python(column)] == [
        no_time(VALUE_TYPES[name], value) for value in usual["values"]
    ]
    assert in_texts(table.column(f"{name}__ts")) == list(map(to_microseconds, usual["event_timestamps"]))
    if column.type not in NOT_IN_FEAST:
        assert column.type == from_feast_to_pyarrow_type(TYPES[name])


def as_python(column: pa.ChunkedArray) -> list[Any]:
    """Values of a column, times as microseconds: most of them are outside of Python's years."""
    if column.type == pa.timestamp("us", tz="UTC"):
        column = column.cast(pa.int64())
    elif pa.types.is_list(column.type) and pa.types.is_timestamp(column.type.value_type):
        column = column.cast(pa.list_(pa.int64()))
    values: list[Any] = column.to_pylist()
    return values


# How a value of a column stands in JSON: by Feast's type, or the type of its items; JSON texts where Arrow has no such type.
ITEMS_IN_JSON: dict[str, Callable[[Any], Any]] = {
    "FLOAT": lambda value: float_in_json(value),
    "DOUBLE": lambda value: float_in_json(value),
    "UNIX_TIMESTAMP": lambda value: value // 10**6,
    **dict.fromkeys(("BYTES", "PDF_BYTES", "IMAGE_BYTES"), lambda value: base64.b64encode(value).decode()),
    **dict.fromkeys(("MAP", "STRUCT", "SCALAR_MAP", "VALUE"), json.loads),
    "ZONED_TIMESTAMP": lambda value: int(value) if value.lstrip("-").isdigit() else value,
}


def in_json(value_type: str, value: Any) -> Any:
    """An Arrow value as JSON has it."""
    if value is None:
        return None
    item_type = value_type.removesuffix("_LIST").removesuffix("_SET")
    convert = ITEMS_IN_JSON.get(item_type, lambda item: item)
    if item_type != value_type:
        return [None if item is None else convert(item) for item in value]
    return convert(value)


def no_time(value_type: str, value: Any) -> Any:
    """What JSON has, with the number that Feast stores for a missing time as the null that it means."""
    if value_type.startswith("UNIX_TIMESTAMP"):
        if isinstance(value, list):
            return [None if item == -(2**63) else item for item in value]
        return None if value == -(2**63) else value
    return value


def float_in_json(value: float) -> float | str:
    """NaN and infinities as strings."""
    texts = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return texts.get(str(value), value)


def test_a_number_that_is_the_same_in_the_columns_type_is_taken(everything: Running) -> None:
    """An integer that was stored before the feature became a float."""
    assert read_arrow(everything, ["changed:small", "changed:whole"], {"customer_id": [1]}).to_pydict() == {
        "customer_id": [1],
        "small": [2.0**24],
        "whole": [7],
    }


@pytest.mark.parametrize(
    ("feature", "customer", "value"),
    [
        ("whole", 2, "7"),
        ("whole", 3, True),
        ("small", 2, 2**24 + 1),
        ("small", 3, 0.1),
        ("small", 4, 1e300),
        ("text", 2, 7),
        ("at", 3, 2**62),
        ("at", 4, True),
        ("many", 4, ["7"]),
    ],
)
def test_a_value_that_the_columns_type_does_not_hold_is_an_error(
    everything: Running, feature: str, customer: int, value: Any
) -> None:
    """It is neither rounded nor left out: the feature and the row are named, the value isn't. JSON shows it."""
    body = {"features": [f"changed:{feature}"], "entities": {"customer_id": [1, customer]}}
    assert send(everything, body).json()["results"][1]["values"][1] == value
    response = send(everything, body, ARROW)
    assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith(f"{feature} of row 1 is stored as something that an Arrow column of ")


@pytest.mark.parametrize(
    ("features", "include", "name"),
    [
        (["clashing:age", "clashing:age__status"], "statuses", "age__status"),
        (["clashing:age__ts", "clashing:age"], "event_timestamps", "age__ts"),
        (["namesake:customer_id"], "", "customer_id"),
    ],
)
def test_one_name_for_two_columns_is_refused(everything: Running, features: list[str], include: str, name: str) -> None:
    """JSON has lists, a table has names."""
    body = {"features": features, "entities": {"customer_id": [1]}}
    response = send(everything, body, ARROW, {"include": include} if include else None)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.json()["detail"].startswith(f"{name} would be the name of two different things")
    assert send(everything, body).status_code == httpx.codes.OK


def test_on_demand_features_are_columns_like_others(everything: Running) -> None:
    """Their inputs, which weren't asked for, aren't among them."""
    table = read_arrow(everything, ["halved:half", "halved:at"], {"customer_id": [1, ABSENT]}, "statuses")
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")
    assert table.column("half").to_pylist() == [3.5, None]
    assert table.column("at").cast(pa.int64()).to_pylist() == [7_000_000, None]
    assert table.column("half__status").to_pylist() == ["PRESENT", "NOT_FOUND"]
    assert table.column_names == ["customer_id", "half", "half__status", "at", "at__status"]


def test_pyarrow_is_loaded_by_the_first_answer_and_pandas_by_none() -> None:
    """They take half a second and 80 MB of each worker."""
    script = """
        import sys
        from service.catalog import Catalog
        from service.routes.answer_forms import Form
        from service.plan import Shape, compile_plan
        from service.routes.arrow_bodies import ARROW
        from service.vectors import STATUSES, Column
        from tests.http.handmade.definitions import catalog, view
        types = ["INT64", "DOUBLE", "BOOL", "STRING", "BYTES", "UNIX_TIMESTAMP", "MAP", "STRING_LIST"]
        of = catalog(view("v", {kind: kind for kind in types}))
        features = tuple(f"v:{kind}" for kind in types)
        plan = compile_plan(of, Shape(columns=("customer_id",), features=features, as_columns=True))
        answer = Form(ARROW, statuses=True, times=True).answer(plan)
        assert "pyarrow" not in sys.modules and not answer.is_quick(1)
        values = [1, 1, 1.0, True, "x", "eA==", 1, {}, ["x"]]
        columns = [Column([value], [STATUSES[0]], [b'"2026-01-01T00:00:00Z"']) for value in values]
        answer.encode(columns)
        assert "pyarrow" in sys.modules and answer.is_quick(1)
        assert "pandas" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
