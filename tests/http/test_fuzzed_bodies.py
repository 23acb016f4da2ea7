"""Bodies that nobody would write: whatever comes, it is answered, and never by an error of the server."""

import json
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from .handmade import pushes
from .handmade.examples import examples
from .handmade.running import Running
from .test_push import ARROW, JSON_VALUES, stream

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.one_of(
    st.integers(), st.integers(-(2**65), 2**65), st.floats(allow_nan=False, allow_infinity=False), st.integers(10**20, 10**40)
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
JSON = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)))
FIELDS = ["entities", "features", "feature_service", "full_feature_names", "include_feature_view_version_metadata"]
VIEWS = [
    "profile",
    "visits",
    "till",
    "visits_at",
    "everyone",
    "door",
    "room",
    "slot",
    "tariff",
    "tariff@v1",
    "disabled",
    "derived",
]
NAMES = ["age", "name", "score", "count", "total", "minutes", "rate", "opened", "seats", "free", "price", "x", "ratio", ""]
REFERENCES = st.one_of(st.builds("{}:{}".format, st.sampled_from(VIEWS), st.sampled_from(NAMES)), TEXT)
COLUMNS = st.sampled_from(["customer_id", "store_id", "store", "buyer_id", "badge_id", "room_id", "starts_at", "__dummy_id"])
IDS = st.lists(st.one_of(st.integers(-5, 5), SCALARS, st.sampled_from(["north", "AP8=", "2024-01-01"])), max_size=4)
# Bodies with the right names in them, so that they come further than their fields.
ALMOST = st.fixed_dictionaries(
    {"entities": st.one_of(st.dictionaries(st.one_of(COLUMNS, TEXT), IDS, max_size=3), JSON)},
    optional={
        "features": st.one_of(st.lists(REFERENCES, max_size=5), JSON),
        "feature_service": st.one_of(st.sampled_from(["shopper", "roles", "old_prices", "with_derived", "broken"]), SCALARS),
        "full_feature_names": st.one_of(st.booleans(), SCALARS),
        "include_feature_view_version_metadata": st.one_of(st.booleans(), SCALARS),
    },
)


def check(service: Running, body: bytes) -> None:
    """The answer to any body is JSON, and one that the table of errors foresees."""
    response = service.post(body)
    assert response.status_code in {200, 400, 404, 413, 422, 501}, (body, response.text)
    answer = response.json()
    if response.status_code != httpx.codes.OK:
        assert answer["status"] == response.status_code
        assert answer["detail"]
        return
    rows = {len(vector[part]) for vector in answer["results"] for part in ("values", "statuses", "event_timestamps")}
    assert len(rows) == 1
    assert len(answer["results"]) == len(answer["metadata"]["feature_names"])


@examples(150)
@given(body=JSON)
def test_any_json(service: Running, body: Any) -> None:
    """Of any shape."""
    check(service, json.dumps(body).encode())


@examples(150)
@given(body=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_under_the_right_names(service: Running, body: dict[str, Any]) -> None:
    """Each field anything."""
    check(service, json.dumps(body).encode())


@examples(400)
@given(body=ALMOST)
def test_almost_right_bodies(service: Running, body: dict[str, Any]) -> None:
    """Known names, unknown names, good and bad ids, in any combination."""
    check(service, json.dumps(body).encode())


@examples(150)
@given(data=st.binary(max_size=200))
def test_any_bytes(service: Running, data: bytes) -> None:
    """JSON or not."""
    check(service, data)


@examples(300)
@given(body=ALMOST, place=st.floats(0, 1), change=st.binary(min_size=1, max_size=3), replace=st.booleans())
def test_bodies_with_a_few_bytes_wrong(
    service: Running, body: dict[str, Any], place: float, change: bytes, replace: bool
) -> None:
    """Anything put in, or in the place of something, anywhere."""
    data = json.dumps(body, ensure_ascii=False).encode()
    start = int(place * len(data))
    check(service, data[:start] + change + data[start + (len(change) if replace else 0) :])


@examples(60)
@given(
    depth=st.integers(1, 3000),
    opening=st.sampled_from(["[", '{"a":']),
    around=st.sampled_from(
        ["{}", '{{"entities":{}}}', '{{"entities":{{"customer_id":{}}}}}', '{{"entities":{{}},"features":{}}}']
    ),
    closed=st.booleans(),
)
def test_nested_bodies(service: Running, depth: int, opening: str, around: str, closed: bool) -> None:
    """Shallow enough to be parsed, too deep for it, closed or cut off."""
    ending = {"[": "]", '{"a":': "1" + "}"}[opening]
    inner = opening * depth + (ending[:1] * (opening != "[") + ending[-1] * depth if closed else "")
    check(service, around.format(inner).encode())


@examples(150)
@given(pairs=st.lists(st.tuples(st.sampled_from([*FIELDS, "x"]), JSON), max_size=8))
def test_fields_given_again_and_again(service: Running, pairs: list[tuple[str, Any]]) -> None:
    """JSON allows it; the last counts, and nothing else happens."""
    check(service, ("{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}").encode())


@examples(100)
@given(
    text=st.text(st.one_of(st.characters(categories=["Cs", "Cc", "Co", "Cn"]), st.characters()), min_size=1, max_size=6),
    body=st.sampled_from(
        [
            '{{"entities":{{"store_id":[{0}]}},"features":["till:total"]}}',
            '{{"entities":{{{0}:["a"]}},"features":["till:total"]}}',
            '{{"entities":{{"store_id":["a"]}},"features":[{0}]}}',
            '{{"entities":{{"store_id":["a"]}},"feature_service":{0}}}',
            '{{"entities":{{"store_id":["a"]}},{0}:1}}',
        ]
    ),
)
def test_strange_characters(service: Running, text: str, body: str) -> None:
    """Halves of surrogate pairs, control characters and unassigned ones, as escapes, wherever a string may stand."""
    check(service, body.format(json.dumps(text)).encode())


@examples(40)
@given(
    number=st.sampled_from(["1e400", "-1e400", "1e-400", "9" * 400, "-" + "9" * 5000, "0." + "1" * 5000, "-0", "-0.0", "1E5"]),
    body=st.sampled_from(
        [
            '{{"entities":{{"customer_id":[{0}]}},"features":["profile:age"]}}',
            '{{"entities":{{"room_id":[{0}]}},"features":["room:seats"]}}',
            '{{"entities":{{"starts_at":[{0}]}},"features":["slot:free"]}}',
            '{{"entities":{{}},"features":[{0}]}}',
            '{{"entities":{0}}}',
        ]
    ),
)
def test_strange_numbers(service: Running, number: str, body: str) -> None:
    """Beyond every type, within none, and zeros of all kinds."""
    check(service, body.format(number).encode())


# What brings rows, each with its own names in it.
PATHS = ["/push", "/write-to-online-store", "/validate"]
PUSH_FIELDS = {
    "/push": ["push_source_name", "df", "rows", "to", "timestamp_unit", "allow_registry_cache", "transform_on_write"],
    "/write-to-online-store": ["feature_view_name", "df", "rows", "timestamp_unit", "allow_registry_cache"],
    "/validate": ["suite", "push_source", "df", "rows", "timestamp_unit", "result_format", "expectation_parameters"],
}
SOURCES = st.sampled_from([source.name for source in pushes.SOURCES])
KNOWN = st.sampled_from(["customer_id", "score", "level", "visits", "event_timestamp", "created_timestamp", "amount", "x"])
TIMES = st.sampled_from(["2026-01-31T10:00:00Z", "2026-01-31", "2026-01-31 10:00:00.123456789", 1_700_000_000, "", "soon"])
VALUES = st.one_of(st.integers(-5, 5), st.floats(0, 1), st.sampled_from(["low", "high"]), TIMES, SCALARS, JSON)
ROW = {
    "customer_id": st.one_of(st.integers(1, 9), VALUES),
    "score": st.one_of(st.floats(0, 1), st.integers(0, 1), VALUES),
    "level": st.one_of(st.sampled_from(["low", "high"]), VALUES),
    "visits": st.one_of(st.integers(0, 10), VALUES),
    "event_timestamp": st.one_of(TIMES, VALUES),
}
RIGHT_VALUES = [sent for sent, _ in JSON_VALUES.values()]
RESULT_FORMATS = st.one_of(
    st.sampled_from(["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"]),
    st.fixed_dictionaries(
        {"result_format": st.sampled_from(["BASIC", "COMPLETE"])},
        optional={
            "partial_unexpected_count": st.one_of(st.integers(0, 3), SCALARS),
            "unexpected_index_column_names": st.one_of(st.lists(KNOWN, max_size=2), JSON),
            "include_unexpected_rows": SCALARS,
            "exclude_unexpected_values": st.one_of(st.booleans(), SCALARS),
            "return_unexpected_index_query": st.one_of(st.booleans(), SCALARS),
        },
    ),
    SCALARS,
)


def columns_of(rows: st.SearchStrategy[list[dict[str, Any]]]) -> st.SearchStrategy[dict[str, Any]]:
    """The same rows, either by column or by row."""

    def form(drawn: list[dict[str, Any]], by_column: bool) -> dict[str, Any]:
        if by_column and drawn:
            return {"df": {name: [row.get(name) for row in drawn] for name in drawn[0]}}
        return {"rows": drawn}

    return st.builds(form, rows, st.booleans())


ROWS = columns_of(st.lists(st.fixed_dictionaries(ROW), max_size=4))
# Columns and rows of known names, whole, ragged or uneven.
ANY_ROWS = st.one_of(
    ROWS,
    columns_of(st.lists(st.dictionaries(KNOWN, VALUES, max_size=4), max_size=3)),
    st.fixed_dictionaries({"df": st.dictionaries(st.one_of(KNOWN, TEXT), st.lists(VALUES, max_size=3), max_size=6)}),
)
UNITS = st.one_of(st.none(), st.sampled_from(["s", "ms", "us", "ns"]), SCALARS)
TARGETS = {
    "/push": st.fixed_dictionaries(
        {"push_source_name": SOURCES},
        optional={"to": st.sampled_from(["online", "offline", "online_and_offline"]), "allow_registry_cache": st.booleans()},
    ),
    "/write-to-online-store": st.fixed_dictionaries({"feature_view_name": st.sampled_from(["scores", "orders", "homes"])}),
    "/validate": st.one_of(
        st.fixed_dictionaries(
            {"suite": st.sampled_from(sorted(pushes.SUITES))},
            optional={
                "result_format": RESULT_FORMATS,
                "expectation_parameters": st.dictionaries(st.sampled_from(["most", "x"]), JSON, max_size=2),
            },
        ),
        st.fixed_dictionaries({"push_source": SOURCES}, optional={"result_format": RESULT_FORMATS}),
    ),
}


def check_rows(service: Running, path: str, body: bytes, query: str = "", content_type: str = "application/json") -> None:
    """The answer to any body that brings rows is JSON, one that the table of errors foresees, and its counts are right."""
    response = service.client.post(f"{path}{query}", content=body, headers={"content-type": content_type})
    assert response.status_code in {200, 202, 400, 404, 413, 422, 501}, (body, response.text)
    answer = response.json()
    if response.status_code >= httpx.codes.BAD_REQUEST:
        assert answer["status"] == response.status_code
        assert answer["detail"]
    elif path == "/validate":
        assert answer["statistics"]["evaluated_expectations"] == len(answer["results"])
    elif answer["queued"]:
        assert answer["queued"] + answer["quarantined"] == answer["rows"]
    else:
        assert answer["written"] + answer["stale"] + answer["quarantined"] == answer["rows"]


@pytest.mark.parametrize("path", PATHS)
@examples(60)
@given(data=st.data())
def test_any_json_that_brings_rows(pushing: Running, path: str, data: st.DataObject) -> None:
    """Of any shape, under the right names and others."""
    body = data.draw(st.one_of(JSON, st.dictionaries(st.sampled_from(PUSH_FIELDS[path]), JSON)))
    check_rows(pushing, path, json.dumps(body).encode())


@pytest.mark.parametrize("path", PATHS)
@examples(150)
@given(data=st.data())
def test_almost_right_rows(pushing: Running, path: str, data: st.DataObject) -> None:
    """Known columns with good and bad values, to sources of each policy, to views, and to suites."""
    body = data.draw(TARGETS[path]) | data.draw(ANY_ROWS)
    unit = data.draw(st.one_of(st.just(LEFT_OUT), UNITS))
    if unit is not LEFT_OUT:
        body["timestamp_unit"] = unit
    query = data.draw(st.sampled_from(["", "?detail=all", "?detail=none"])) if path != "/validate" else ""
    check_rows(pushing, path, json.dumps(body, ensure_ascii=False).encode(), query)


LEFT_OUT = object()


@examples(100)
@given(
    kind=st.sampled_from(sorted(pushes.TYPES)), value=st.one_of(VALUES, st.sampled_from([v for v, _ in JSON_VALUES.values()]))
)
def test_any_value_for_any_type(pushing: Running, kind: str, value: Any) -> None:
    """Each is taken or refused, and what is taken for both stores is kept in both."""
    row = {**dict.fromkeys(pushes.TYPES), kind: value, "customer_id": 1, "event_timestamp": pushes.at()}
    body = {"push_source_name": "kinds_push", "to": "online_and_offline", "rows": [row]}
    check_rows(pushing, "/push", json.dumps(body).encode())


@pytest.mark.parametrize("path", PATHS)
@examples(60)
@given(data=st.data())
def test_rows_with_a_few_bytes_wrong(pushing: Running, path: str, data: st.DataObject) -> None:
    """Anything in the place of something, anywhere."""
    body = json.dumps(data.draw(TARGETS[path]) | data.draw(ROWS)).encode()
    start = data.draw(st.integers(0, len(body)))
    change = data.draw(st.binary(min_size=1, max_size=3))
    check_rows(pushing, path, body[:start] + change + body[start + data.draw(st.integers(0, 3)) :])


@pytest.mark.parametrize("source", [*pushes.POLICIES, "free"])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nested_rows(pushing: Running, source: str, opening: str) -> None:
    """Up to what is allowed, beyond it, beyond what a parser takes; as a value and as a parameter."""
    ending = "]" if opening == "[" else "}"
    for depth in (10, 60, 64, 65, 100, 250, 500, 900, 1500, 50_000):
        value = opening * depth + "1" + ending * depth
        for column in ("score", "customer_id", "event_timestamp"):
            columns = {name: json.dumps(values) for name, values in pushes.scores(1).items()} | {column: f"[{value}]"}
            df = ",".join(f'"{name}":{values}' for name, values in columns.items())
            check_rows(pushing, "/push", f'{{"push_source_name":"{source}","df":{{{df}}}}}'.encode())
        body = f'{{"suite":"parametrized","df":{{"score":[{value}]}},"expectation_parameters":{{"most":{value}}}}}'
        check_rows(pushing, "/validate", body.encode())
    assert pushing.client.get("/quarantine", params={"source": source}).status_code == httpx.codes.OK


ARROW_COLUMNS = st.sampled_from(
    [
        pa.array([1, 2, 3]),
        pa.array([0.5, None, float("nan")]),
        pa.array(["low", "high", None]),
        pa.array([b"\xff", b"", None]),
        pa.array([1, 2, 3], pa.timestamp("ns")),
        pa.array([1, -(2**62), 2**62], pa.timestamp("s")),
        pa.array([1, 2, 3], pa.timestamp("us", "America/New_York")),
        pa.array([1, 2, 3], pa.duration("ns")),
        pa.array([[1], [], None]),
        pa.array([[b"x"], [None], None]),
        pa.array([{"a": 1}, {"a": None}, None]),
        pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        pa.array([[("a", 1), ("a", 2)], [], None], pa.map_(pa.string(), pa.int64())),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.array([True, None, False]),
        pa.nulls(3),
        pa.array([1, 2, 3], pa.decimal128(38, 5)),
        pa.array([1, 2, 3], pa.date32()),
        pa.array([1, 2, 3], pa.time32("s")),
        pa.array(["a", "b", "c"]).cast(pa.string_view()),
        pa.array([[1], [2], [3]], pa.list_view(pa.int8())),
        pa.RunEndEncodedArray.from_arrays(pa.array([3]), pa.array([1])),
    ]
)


@examples(150)
@given(
    columns=st.lists(ARROW_COLUMNS, min_size=5, max_size=5),
    source=st.sampled_from([*pushes.POLICIES, "free"]),
    to=st.sampled_from(["", "&to=online_and_offline", "&timestamp_unit=s"]),
)
def test_any_arrow(pushing: Running, columns: list[pa.Array], source: str, to: str) -> None:
    """Columns of any kind under the right names."""
    table = pa.table(dict(zip(ROW, columns, strict=True)))
    check_rows(pushing, "/push", stream(table), f"?push_source={source}{to}", ARROW)


@examples(100)
@given(place=st.floats(0, 1), change=st.binary(min_size=1, max_size=8), cut=st.booleans())
def test_arrow_with_a_few_bytes_wrong(pushing: Running, place: float, change: bytes, cut: bool) -> None:
    """Anything in the place of something, anywhere, or nothing more from there on."""
    data = stream(pa.table(pushes.scores(1, 2, 3)))
    start = int(place * len(data))
    rest = b"" if cut else change + data[start + len(change) :]
    check_rows(pushing, "/push", data[:start] + rest, "?push_source=free", ARROW)


@examples(60)
@given(query=st.dictionaries(st.one_of(st.sampled_from(["detail", "push_source", "to"]), TEXT), TEXT, max_size=3))
def test_any_query(pushing: Running, query: dict[str, str]) -> None:
    """Known parameters and others."""
    for path in ("/push", "/write-to-online-store"):
        response = pushing.client.post(path, params=query, json={"push_source_name": "free", "df": pushes.scores(1)})
        assert response.status_code in {200, 422}, response.text
    response = pushing.client.get("/quarantine", params={**query, "source": "quarantine"})
    assert response.status_code in {200, 422}, response.text


@examples(60)
@given(entry=st.one_of(TEXT, st.builds("quarantine.{}-{}".format, st.integers(0, 2**70), st.integers(0, 2**70))))
def test_any_id_of_a_row_in_quarantine(pushing: Running, entry: str) -> None:
    """It is there or it isn't."""
    path = httpx.URL(f"/quarantine/{entry}" if entry.isascii() and entry.isprintable() else "/quarantine/x")
    for method, suffix in (("GET", ""), ("POST", "/replay"), ("DELETE", "")):
        response = pushing.client.request(method, f"{path.path.rstrip('/')}{suffix}")
        assert response.status_code < httpx.codes.INTERNAL_SERVER_ERROR, response.text
