"""A read from ids to JSON: what is present, null, missing or too old, to the nanosecond, and each in its place.

Redis's place is taken by a dictionary of hashes, so that the clock and every byte are the test's.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from service.errors import InvalidRequest, RequestTooLarge
from service.gathering import ROWS_AT_ONCE
from service.metrics import Metrics
from tests.http.handmade.definitions import EVERYONE, PROFILE, TILL, VISITS, VISITS_AT, catalog, projection, service, view
from tests.http.handmade.examples import examples
from tests.http.handmade.shelf import MAX_ENTITIES, NOW, Shelf, answered

SECOND = 10**9
DAY = 86_400 * SECOND
TTL = 3 * DAY
NULL = Value(null_val=0).SerializeToString()
EPOCH = "1970-01-01T00:00:00Z"


def text(nanoseconds: int) -> str:
    """An event time as it is answered."""
    moment = Timestamp()
    moment.FromNanoseconds(nanoseconds)
    return str(moment.ToJsonString())


def number(value: int) -> bytes:
    """An Int64 as it is stored."""
    return Value(int64_val=value).SerializeToString()


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    """What statuses are counted in."""
    taken = Metrics(tmp_path)
    yield taken
    taken.close()


@pytest.fixture(scope="module")
def uncounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    """For tests that count nothing."""
    taken = Metrics(tmp_path_factory.mktemp("metrics"))
    yield taken
    taken.close()


Cell = bytes | None
Rows = Sequence[tuple[int | None, Sequence[Cell]]]


async def vectors(
    metrics: Metrics,
    rows: Rows,
    types: Sequence[str] = ("INT64",),
    ttl: int = TTL,
    **more: Any,
) -> list[dict[str, list[Any]]]:
    """The features of one view, whose rows are given as event time and values, one customer each."""
    features = {f"f{place}": value_type for place, value_type in enumerate(types)}
    of = view("v", features, ttl_nanoseconds=ttl)
    shelf = Shelf()
    for customer, (time, values) in enumerate(rows):
        stored = {name: raw for name, raw in zip(features, values, strict=True) if raw is not None}
        if time is not None or stored:
            shelf.put(of, {"customer_id": customer}, time, stored)
    asked = [f"v:{name}" for name in features]
    answer = await answered(metrics, shelf, catalog(of), asked, {"customer_id": list(range(len(rows)))}, **more)
    found: list[dict[str, list[Any]]] = answer["results"][1:]
    return found


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (0, "PRESENT"),
        (TTL - SECOND, "PRESENT"),
        (TTL - 1, "PRESENT"),
        (TTL, "PRESENT"),
        (TTL + 1, "OUTSIDE_MAX_AGE"),
        (TTL + SECOND, "OUTSIDE_MAX_AGE"),
        (100 * TTL, "OUTSIDE_MAX_AGE"),
        (-DAY, "PRESENT"),
        (-365 * 500 * DAY, "PRESENT"),
    ],
)
async def test_the_ttl_is_kept_to_the_nanosecond(metrics: Metrics, age: int, status: str) -> None:
    """An event exactly as old as the ttl is present, one nanosecond more is too old; the future is never too old."""
    (vector,) = await vectors(metrics, [(NOW - age, [number(7)])])
    assert vector == {
        "values": [7 if status == "PRESENT" else None],
        "statuses": [status],
        "event_timestamps": [text(NOW - age)],
    }


@examples(200)
@given(
    ttl=st.integers(1, 200 * 365 * DAY),
    past=st.one_of(st.integers(-5, 5), st.integers(-2 * SECOND, 2 * SECOND), st.integers(-(10**19), 10**19)),
    now=st.integers(NOW - 2 * SECOND, NOW + 2 * SECOND),
)
async def test_any_ttl_is_kept_to_the_nanosecond(uncounted: Metrics, ttl: int, past: int, now: int) -> None:
    """`past` counts from the last nanosecond that is within the ttl."""
    (vector,) = await vectors(uncounted, [(now - ttl - past, [number(7)])], ttl=ttl, now=now)
    assert vector["statuses"] == ["OUTSIDE_MAX_AGE" if past > 0 else "PRESENT"]


@pytest.mark.parametrize("time", [0, -62_135_596_800 * SECOND, NOW - 10**18, NOW, 253_402_300_799 * SECOND])
async def test_a_ttl_of_zero_is_for_ever(metrics: Metrics, time: int) -> None:
    """From year 1 to year 9999, the epoch included, whose bytes are empty."""
    (vector,) = await vectors(metrics, [(time, [number(7)])], ttl=0)
    assert (vector["values"], vector["statuses"]) == ([7], ["PRESENT"])


async def test_the_epoch_is_a_time_like_any_other(metrics: Metrics) -> None:
    """Present for ever, or long past a ttl; never taken for a row that isn't there."""
    assert (await vectors(metrics, [(0, [number(7)])], ttl=0))[0]["statuses"] == ["PRESENT"]
    assert (await vectors(metrics, [(0, [number(7)])]))[0]["statuses"] == ["OUTSIDE_MAX_AGE"]


async def test_each_row_has_its_own_status(metrics: Metrics) -> None:
    """Present, null in both forms, never written, too old, no row at all: values, statuses and times of each."""
    fresh, old = NOW - DAY, NOW - 5 * DAY
    cells: list[Cell] = [number(1), b"", NULL, None, number(5), None, number(7)]
    times = [fresh, fresh, fresh, fresh, old, None, fresh]
    (vector,) = await vectors(metrics, [(time, [cell]) for time, cell in zip(times, cells, strict=True)])
    assert vector["values"] == [1, None, None, None, None, None, 7]
    assert vector["statuses"] == [
        "PRESENT",
        "NULL_VALUE",
        "NULL_VALUE",
        "NOT_FOUND",
        "OUTSIDE_MAX_AGE",
        "NOT_FOUND",
        "PRESENT",
    ]
    assert vector["event_timestamps"] == [text(time or 0) for time in times]


async def test_a_null_that_is_too_old_is_too_old(metrics: Metrics) -> None:
    """Age is a property of the row; so it is where a feature of an old row was never written."""
    (vector,) = await vectors(metrics, [(NOW - 5 * DAY, [cell]) for cell in (b"", NULL, None)])
    assert vector["values"] == [None, None, None]
    assert vector["statuses"] == ["OUTSIDE_MAX_AGE"] * 3


@pytest.mark.parametrize("keep", [False, True])
async def test_a_value_without_an_event_time_is_not_found(metrics: Metrics, keep: bool) -> None:
    """A row that Feast never finished writing."""
    (vector,) = await vectors(metrics, [(None, [number(1)]), (NOW, [number(2)])], keep=keep)
    assert vector["values"] == [None, 2]
    assert vector["statuses"] == ["NOT_FOUND", "PRESENT"]
    assert vector["event_timestamps"][0] == EPOCH


async def test_expired_values_can_be_kept(metrics: Metrics) -> None:
    """With the same statuses; what is null stays null, what is missing stays missing."""
    old = NOW - 5 * DAY
    rows: Rows = [(old, [number(1)]), (old, [b""]), (old, [None]), (NOW, [number(4)]), (None, [None])]
    (vector,) = await vectors(metrics, rows, keep=True)
    assert vector["values"] == [1, None, None, 4, None]
    assert vector["statuses"] == ["OUTSIDE_MAX_AGE", "OUTSIDE_MAX_AGE", "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND"]


async def test_a_null_of_one_feature_does_not_touch_the_others(metrics: Metrics) -> None:
    """Features of one view share their rows' times, and nothing else."""
    rows: Rows = [(NOW, [number(1), number(3), b""]), (NOW, [number(2), b"", b""])]
    whole, holed, empty = await vectors(metrics, rows, types=["INT64"] * 3)
    assert (whole["values"], whole["statuses"]) == ([1, 2], ["PRESENT", "PRESENT"])
    assert (holed["values"], holed["statuses"]) == ([3, None], ["PRESENT", "NULL_VALUE"])
    assert (empty["values"], empty["statuses"]) == ([None, None], ["NULL_VALUE", "NULL_VALUE"])
    assert whole["event_timestamps"] == holed["event_timestamps"] == [text(NOW)] * 2


@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        ("INT64", Value(int64_val=0)),
        ("BOOL", Value(bool_val=False)),
        ("STRING", Value(string_val="")),
        ("FLOAT", Value(float_val=0.0)),
        ("DOUBLE", Value(double_val=float("nan"))),
        ("BYTES", Value(bytes_val=b"")),
        ("STRING_LIST", Value(string_list_val={"val": []})),
        ("MAP", Value(map_val={})),
    ],
)
async def test_nothing_much_is_not_null(metrics: Metrics, value_type: str, value: Value) -> None:
    """Zero, false, NaN and what is empty are values."""
    raw = value.SerializeToString()
    (vector,) = await vectors(metrics, [(NOW, [raw]), (NOW, [b""]), (NOW, [raw])], types=[value_type])
    assert vector["statuses"] == ["PRESENT", "NULL_VALUE", "PRESENT"]
    assert vector["values"][0] is not None
    assert vector["values"][1] is None


TIMES = st.one_of(
    st.none(), st.integers(NOW - 2 * TTL, NOW), st.sampled_from([0, NOW, NOW - TTL, NOW - TTL - 1, NOW - 5 * DAY])
)
NOTHING: st.SearchStrategy[Cell] = st.sampled_from([None, b"", NULL])
INTEGERS = st.one_of(NOTHING, st.integers(-(2**63), 2**63 - 1).map(number))
DOUBLES = st.one_of(NOTHING, st.floats().map(lambda value: Value(double_val=value).SerializeToString()))
LISTS = st.one_of(
    NOTHING, st.lists(st.text(max_size=3)).map(lambda texts: Value(string_list_val={"val": texts}).SerializeToString())
)
TYPES = ["INT64", "DOUBLE", "DOUBLE", "STRING_LIST", "INT64"]
ROW = st.tuples(TIMES, st.tuples(INTEGERS, DOUBLES, DOUBLES, LISTS, INTEGERS))


@examples(100)
@given(rows=st.lists(ROW, min_size=1, max_size=10), keep=st.booleans())
async def test_a_column_is_its_rows(uncounted: Metrics, rows: Rows, keep: bool) -> None:
    """Reading many entities at once gives what reading each alone gives."""
    together = await vectors(uncounted, rows, TYPES, keep=keep)
    alone = [await vectors(uncounted, [each], TYPES, keep=keep) for each in rows]
    for feature in range(len(TYPES)):
        for part in ("values", "statuses", "event_timestamps"):
            assert together[feature][part] == [each[feature][part][0] for each in alone]


@examples(100)
@given(rows=st.lists(ROW, min_size=1, max_size=6), order=st.permutations(range(len(TYPES))), twice=st.booleans())
async def test_features_do_not_depend_on_one_another(uncounted: Metrics, rows: Rows, order: list[int], twice: bool) -> None:
    """Asked for together, alone, in any order or twice, each is the same."""
    picked = [*order, *order] if twice else order
    features = {f"f{place}": value_type for place, value_type in enumerate(TYPES)}
    of, shelf = view("v", features, ttl_nanoseconds=TTL), Shelf()
    for customer, (time, values) in enumerate(rows):
        stored = {name: raw for name, raw in zip(features, values, strict=True) if raw is not None}
        shelf.put(of, {"customer_id": customer}, time, stored)
    entities = {"customer_id": list(range(len(rows)))}
    asked = [f"v:f{place}" for place in picked]
    together = (await answered(uncounted, shelf, catalog(of), asked, entities))["results"][1:]
    alone = [(await answered(uncounted, shelf, catalog(of), [each], entities))["results"][1] for each in asked]
    assert together == alone


@pytest.mark.parametrize("entities", [ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 3 * ROWS_AT_ONCE + 7])
async def test_parts_put_together_are_the_whole(metrics: Metrics, entities: int) -> None:
    """A large request is read in ranges of rows; nobody can tell."""
    shelf, of = Shelf(), catalog(VISITS, EVERYONE)
    for customer in range(0, entities, 3):
        values = {"count": number(customer), "score": b"" if customer % 2 else Value(double_val=0.5).SerializeToString()}
        shelf.put(VISITS, {"customer_id": customer}, NOW - customer * DAY // 100, values)
    shelf.put(EVERYONE, {}, NOW, {"rate": Value(double_val=4.5).SerializeToString()})
    features = ["visits:score", "everyone:rate", "visits:count"]
    ids = list(range(entities))
    whole = (await answered(metrics, shelf, of, features, {"customer_id": ids}))["results"]
    parts = [
        (await answered(metrics, shelf, of, features, {"customer_id": ids[start : start + 100]}))["results"]
        for start in range(0, entities, 100)
    ]
    for place, vector in enumerate(whole):
        for name in ("values", "statuses", "event_timestamps"):
            assert vector[name] == [item for part in parts for item in part[place][name]]


@pytest.mark.parametrize("entities", [5, ROWS_AT_ONCE + 100])
async def test_an_entity_that_is_asked_for_twice_is_fetched_once(metrics: Metrics, entities: int) -> None:
    """In each range that is read, and answered at each place where it was asked for."""
    shelf = Shelf()
    for customer in (1, 2):
        shelf.put(PROFILE, {"customer_id": customer}, NOW, {"age": number(40 + customer)})
    ids = [(1, 2, 1, 3, 1)[place % 5] for place in range(entities)]
    answer = await answered(metrics, shelf, catalog(PROFILE), ["profile:age"], {"customer_id": ids})
    assert answer["results"][1]["values"] == [{1: 41, 2: 42}.get(customer) for customer in ids]
    assert len(shelf.asked) == 3 * -(-entities // ROWS_AT_ONCE)


@examples(60)
@given(data=st.data())
async def test_every_feature_has_its_place_in_the_order_of_the_request(uncounted: Metrics, data: st.DataObject) -> None:
    """Views interleaved, features repeated, columns in any order."""
    ids: dict[str, Any] = {"customer_id": 1, "store_id": "north"}
    views = {"profile": PROFILE, "visits": VISITS, "till": TILL, "visits_at": VISITS_AT, "everyone": EVERYONE}
    shelf, stored = Shelf(), {}
    for name, of in views.items():
        stored |= {f"{name}:{feature.name}": hash((name, feature.name)) % 1000 for feature in of.features}
        shelf.put(of, ids, NOW, {feature.name: number(stored[f"{name}:{feature.name}"]) for feature in of.features})
    asked = data.draw(st.lists(st.sampled_from(sorted(stored)), min_size=1, max_size=12))
    needed = {entity.join_key for each in asked for entity in views[each.partition(":")[0]].entities}
    columns = data.draw(st.permutations(sorted(needed)))
    entities = {column: [ids[column]] for column in columns}
    answer = await answered(uncounted, shelf, catalog(*views.values()), asked, entities, full=True)
    assert answer["metadata"]["feature_names"] == [*columns, *(each.replace(":", "__") for each in asked)]
    assert [vector["values"] for vector in answer["results"]] == [
        *entities.values(),
        *([stored[each]] for each in asked),
    ]


async def test_composite_keys_are_told_apart_by_all_their_parts(metrics: Metrics) -> None:
    """The same customer in two stores is two rows."""
    shelf = Shelf()
    for customer, store, minutes in ((1, "north", 10), (1, "south", 20), (2, "north", 30)):
        shelf.put(VISITS_AT, {"customer_id": customer, "store_id": store}, NOW, {"minutes": number(minutes)})
    entities = {"store_id": ["north", "south", "north", "south"], "customer_id": [1, 1, 2, 2]}
    answer = await answered(metrics, shelf, catalog(VISITS_AT), ["visits_at:minutes"], entities)
    assert [vector["values"] for vector in answer["results"]] == [*entities.values(), [10, 20, 30, None]]
    assert answer["metadata"]["feature_names"] == ["store_id", "customer_id", "minutes"]


async def test_views_of_several_entities_are_read_in_one_go(metrics: Metrics) -> None:
    """Each by its own key, all in the order of the request."""
    shelf = Shelf()
    shelf.put(PROFILE, {"customer_id": 1}, NOW, {"age": number(41)})
    shelf.put(VISITS, {"customer_id": 1}, NOW, {"count": number(7)})
    shelf.put(TILL, {"store_id": "north"}, NOW, {"total": number(1000)})
    shelf.put(EVERYONE, {}, NOW, {"rate": Value(double_val=4.5).SerializeToString()})
    features = ["till:total", "visits:count", "everyone:rate", "profile:age"]
    entities = {"customer_id": [1, 2], "store_id": ["south", "north"]}
    answer = await answered(metrics, shelf, catalog(PROFILE, VISITS, TILL, EVERYONE), features, entities)
    assert [vector["values"] for vector in answer["results"][2:]] == [[None, 1000], [7, None], [4.5, 4.5], [41, None]]


async def test_roles_are_read_from_their_own_columns(metrics: Metrics) -> None:
    """Buyer and seller are customers both."""
    shelf = Shelf()
    for customer in (1, 2):
        shelf.put(PROFILE, {"customer_id": customer}, NOW, {"age": number(40 + customer)})
    roles = [
        projection("profile", "age", alias=role, join_key_map={"customer_id": f"{role}_id"}) for role in ("buyer", "seller")
    ]
    of = catalog(PROFILE, services=[service("deal", *roles)])
    answer = await answered(metrics, shelf, of, "deal", {"seller_id": [1, 1], "buyer_id": [2, 3]}, full=True)
    assert answer["metadata"]["feature_names"] == ["seller_id", "buyer_id", "buyer__age", "seller__age"]
    assert [vector["values"] for vector in answer["results"]] == [[1, 1], [2, 3], [42, None], [41, 41]]


async def test_definitions_that_share_their_rows_have_a_ttl_each(metrics: Metrics) -> None:
    """A version in the registry's history may have another ttl than the view as it is now, and both one row."""
    shelf, features = Shelf(), {"price": "INT64", "tax": "INT64"}
    now_hasty = view("tariff", features, ttl_nanoseconds=DAY)
    of = catalog(now_hasty, versions={"tariff@v1": view("tariff", features)}, versioning=True)
    shelf.put(now_hasty, {"customer_id": 1}, NOW - 2 * DAY, {"price": number(100), "tax": number(19)})
    asked = ["tariff:price", "tariff@v1:price", "tariff@v1:tax", "tariff:tax"]
    answer = await answered(metrics, shelf, of, asked, {"customer_id": [1]}, full=True)
    assert [vector["values"] for vector in answer["results"][1:]] == [[None], [100], [19], [None]]
    expected = [["OUTSIDE_MAX_AGE"], ["PRESENT"], ["PRESENT"], ["OUTSIDE_MAX_AGE"]]
    assert [vector["statuses"] for vector in answer["results"][1:]] == expected


@pytest.mark.parametrize("entities", [{}, {"__dummy_id": [""]}, {"__dummy": ["", "x", 1]}])
async def test_views_without_an_entity_have_as_many_rows_as_are_asked_for(
    metrics: Metrics, entities: dict[str, list[Any]]
) -> None:
    """One when nothing is said; what stands in the placeholder's column doesn't matter, and isn't echoed."""
    shelf = Shelf()
    shelf.put(EVERYONE, {}, NOW, {"rate": Value(double_val=4.5).SerializeToString()})
    answer = await answered(metrics, shelf, catalog(EVERYONE), ["everyone:rate"], entities)
    (rate,) = answer["results"]
    assert rate["values"] == [4.5] * max([len(column) for column in entities.values()], default=1)


async def test_entity_columns_are_echoed(metrics: Metrics) -> None:
    """As they came, present, at the epoch."""
    ids = [1, -(2**63), 2**63 - 1, 1]
    answer = await answered(metrics, Shelf(), catalog(PROFILE), ["profile:age"], {"customer_id": ids})
    assert answer["results"][0] == {"values": ids, "statuses": ["PRESENT"] * 4, "event_timestamps": [EPOCH] * 4}


@pytest.mark.parametrize(
    ("entities", "fields", "said"),
    [
        ({"customer_id": [], "store_id": []}, ["entities.customer_id", "entities.store_id"], "empty"),
        (
            {"customer_id": [1, 2], "store_id": ["a"]},
            ["entities.store_id"],
            "same number of rows: store_id has 1, customer_id has 2",
        ),
        ({"customer_id": [1], "store_id": []}, ["entities.store_id"], "store_id has 0, customer_id has 1"),
        ({"customer_id": ["1"], "store_id": ["a"]}, ["entities.customer_id"], 'not the string "1"'),
        ({"customer_id": [1], "store_id": [7]}, ["entities.store_id"], "STRING"),
    ],
)
async def test_columns_that_cannot_be_read_are_told(
    metrics: Metrics, entities: dict[str, list[Any]], fields: list[str], said: str
) -> None:
    """Before Redis is asked for anything."""
    shelf = Shelf()
    with pytest.raises(InvalidRequest) as caught:
        await answered(metrics, shelf, catalog(VISITS_AT), ["visits_at:minutes"], entities)
    assert [problem.field for problem in caught.value.problems] == fields
    assert said in str(caught.value)
    assert shelf.asked == []


async def test_more_entities_than_allowed_are_told(metrics: Metrics) -> None:
    """With both numbers; as many as allowed are served."""
    ids = list(range(MAX_ENTITIES))
    answer = await answered(metrics, Shelf(), catalog(PROFILE), ["profile:age"], {"customer_id": ids})
    assert answer["results"][1]["statuses"] == ["NOT_FOUND"] * MAX_ENTITIES
    with pytest.raises(RequestTooLarge, match=f"{MAX_ENTITIES + 1} entities are more than the {MAX_ENTITIES}"):
        await answered(metrics, Shelf(), catalog(PROFILE), ["profile:age"], {"customer_id": [*ids, 0]})


async def test_every_status_is_counted(metrics: Metrics) -> None:
    """By view, over all features and rows, whichever way they were decoded."""
    old = NOW - 5 * DAY
    rows: Rows = [(NOW, [number(1), number(1)]), (NOW, [b"", number(2)]), (old, [number(3), None]), (None, [None, None])]
    await vectors(metrics, rows, types=["INT64", "INT64"])
    await vectors(metrics, [(NOW, [number(1), number(1)])] * 3, types=["INT64", "INT64"])
    counted = {
        sample.labels["status"]: sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
        if sample.name == "feature_service_feature_values_total"
    }
    assert counted == {"PRESENT": 3 + 6, "NULL_VALUE": 1, "OUTSIDE_MAX_AGE": 2, "NOT_FOUND": 2}
