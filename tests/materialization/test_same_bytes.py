"""What is written is, byte for byte, what Feast's own engine writes."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from feast import Entity
from feast import types as feast_types
from feast.infra.online_stores.helpers import _redis_key
from feast.types import Array, FeastType, Int64, String
from feast.utils import _convert_arrow_to_proto
from feast.value_type import ValueType
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from pipelines.local.redis import EmbeddedRedis
from service.materialization.rows import RowEncoder
from tests.http.handmade.examples import examples
from tests.servers.feast_repo import CUSTOMER

from .shelf import END, FEASTS, MOMENT, OURS, START, Shelf, view, visits

STORE = Entity(name="store", join_keys=["store_id"], value_type=ValueType.STRING)
INFINITY = math.inf
MICROSECONDS = pa.timestamp("us", "UTC")

# A feature's type, and columns that a source may have for it, nulls among them, also as pandas makes them.
COLUMNS: dict[str, tuple[FeastType, list[pa.Array]]] = {
    "int32": (feast_types.Int32, [pa.array([1, -7, 2**31 - 1], pa.int32()), pa.array([0, 5, None], pa.int64())]),
    "int64": (
        feast_types.Int64,
        [
            pa.array([2**60 + 1, -1, 0], pa.int64()),
            pa.array([1, 2, 3], pa.uint8()),
            pa.array([1.0, math.nan, -3.0], pa.float64()),
            pa.array([1, None, 4095], pa.int64()),
            pa.array([1.5, 2.5, math.nan], pa.float64()),
        ],
    ),
    "float32": (
        feast_types.Float32,
        [pa.array([0.1, math.nan, None], pa.float32()), pa.array([1e30, -INFINITY, -0.0]), pa.array([1, 2, 3], pa.int64())],
    ),
    "float64": (
        feast_types.Float64,
        [pa.array([0.1, math.nan, None]), pa.array([INFINITY, 5e-324, -0.0]), pa.array([1, 0, 3])],
    ),
    "bool": (feast_types.Bool, [pa.array([True, False, True]), pa.array([True, None, False])]),
    "string": (
        feast_types.String,
        [
            pa.array(["süd \u2028", "a", None]),
            pa.array(["a", "b", "c" * 5000], pa.large_string()),
            pa.array(["a", "b", "a"]).dictionary_encode(),
            pa.array([1, 2, 3]),
        ],
    ),
    "bytes": (feast_types.Bytes, [pa.array([b"\x00\xff", b"a", None]), pa.array([b"a", b"b", b"c"], pa.large_binary())]),
    "time": (
        feast_types.UnixTimestamp,
        [
            pa.array([MOMENT, MOMENT, MOMENT], MICROSECONDS),
            pa.array([MOMENT, None, MOMENT], MICROSECONDS),
            pa.array([1, 2, 3], pa.int64()),
        ],
    ),
    "json": (feast_types.Json, [pa.array(['{"a": [1, 2.50, null]}', "[]", None])]),
    "uuid": (feast_types.Uuid, [pa.array(["0b5f2c3a-1f6e-11f0-8b9a-0242ac120002", None, "x"])]),
    "int64s": (Array(feast_types.Int64), [pa.array([[2**60 + 1], [], None])]),
    "float32s": (Array(feast_types.Float32), [pa.array([[0.1, 1.5], [2.5], None], pa.list_(pa.float32()))]),
    "strings": (Array(feast_types.String), [pa.array([["", "a"], ["b"], None])]),
    "struct": (feast_types.Map, [pa.array([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, None])]),
}
CASES = [(name, number) for name, (_, columns) in COLUMNS.items() for number in range(len(columns))]


def both(shelf: Shelf, table: pa.Table, features: dict[str, FeastType], *keys: Entity) -> tuple[list[Any], list[Any]]:
    """Rows of a view, as they are encoded here and as Feast's writer would send them: keys, event times, values."""
    one = view("one", shelf.file("one", {"customer_id": [1]}), features, keys)
    config = shelf.ours.store.config
    ours = [
        row
        for batch in RowEncoder(one, config).encode(table, 2)
        for row in zip(batch.keys, batch.times, zip(*batch.columns, strict=True), strict=True)
    ]
    feasts = []
    types = {column.name: column.dtype.to_value_type() for column in one.entity_columns}
    for key, values, moment, _ in _convert_arrow_to_proto(table.combine_chunks(), one, types):
        time = Timestamp()
        time.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        values_there = tuple(values[name].SerializeToString() for name in features)
        feasts.append((_redis_key(config.project, key, 3), time.SerializeToString(), values_there))
    return ours, feasts


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, server: EmbeddedRedis) -> Shelf:
    """For what is only encoded."""
    return Shelf(tmp_path_factory.mktemp("bench"), server)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_each_type(bench: Shelf, name: str, number: int) -> None:
    """As each column that there may be for it."""
    dtype, columns = COLUMNS[name]
    table = pa.table({"customer_id": [1, 2, 3], "x": columns[number], "event_timestamp": pa.array([MOMENT] * 3, MICROSECONDS)})
    ours, feasts = both(bench, table, {"x": dtype}, CUSTOMER)
    assert ours == feasts


@examples(60)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.one_of(st.none(), st.integers(-(2**53), 2**53)),
            st.one_of(st.none(), st.floats(width=32)),
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1)),
            st.datetimes(datetime(1677, 10, 1), datetime(2262, 4, 1)),
        ),
        min_size=1,
        max_size=9,
    ),
    st.sampled_from(["ms", "us", "ns"]),
)
def test_any_rows(bench: Shelf, rows: list[tuple[Any, ...]], unit: str) -> None:
    """Drawn: composite keys, numbers, texts, times before 1970, in each unit."""
    ids, stores, numbers, floats, texts, times = (list(column) for column in zip(*rows, strict=True))
    if unit == "ms":
        times = [moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in times]
    table = pa.table(
        {
            "customer_id": pa.array(ids, pa.int64()),
            "store_id": pa.array(stores, pa.string()),
            "n": pa.array(numbers, pa.int64()),
            "f": pa.array(floats, pa.float32()),
            "t": pa.array(texts, pa.string()),
            "event_timestamp": pa.array(times, pa.timestamp(unit)),
        }
    )
    features: dict[str, FeastType] = {"n": Int64, "f": feast_types.Float32, "t": String}
    ours, feasts = both(bench, table, features, CUSTOMER, STORE)
    assert ours == feasts


def test_large_integers_beside_nulls_are_exact(bench: Shelf) -> None:
    """Feast, which makes floats of a column that has nulls, stores another number."""
    number = 2**53 + 1
    table = pa.table(
        {
            "customer_id": [1, 2],
            "x": pa.array([number, None], pa.int64()),
            "event_timestamp": pa.array([MOMENT] * 2, MICROSECONDS),
        }
    )
    ours, feasts = both(bench, table, {"x": Int64}, CUSTOMER)
    exact = pa.table({"customer_id": [1], "x": [number], "event_timestamp": pa.array([MOMENT], MICROSECONDS)})
    assert ours[0] == both(bench, exact, {"x": Int64}, CUSTOMER)[1][0]
    assert ours[0] != feasts[0]


def test_whole_views(shelf: Shelf) -> None:
    """Read from files by Feast: several views of a key, composite keys, none at all, two rows of each key."""
    numbers = list(range(1, 300))
    table = pa.table(
        {
            "customer_id": pa.array(numbers * 2, pa.int64()),
            "store_id": pa.array([f"store {number % 7}" for number in numbers] * 2),
            "n": pa.array([None if number % 5 == 0 else number for number in numbers] + [-1] * len(numbers), pa.int64()),
            "f": pa.array([0.1 * number for number in numbers * 2], pa.float32()),
            "s": pa.array([None if number % 3 == 0 else "x" * number for number in numbers * 2]),
            "b": pa.array([number % 2 == 0 for number in numbers * 2]),
            "at": pa.array([MOMENT] * len(numbers * 2), MICROSECONDS),
            "l": pa.array([[0.5, float(number)] for number in numbers * 2], pa.list_(pa.float32())),
            # The second half is older than the first, and doesn't stay.
            "event_timestamp": pa.array([MOMENT] * len(numbers) + [MOMENT - timedelta(days=1)] * len(numbers), MICROSECONDS),
        }
    )
    features: dict[str, FeastType] = {
        "n": Int64, "f": feast_types.Float32, "s": String, "b": feast_types.Bool,
        "at": feast_types.UnixTimestamp, "l": Array(feast_types.Float32),
    }  # fmt: skip
    source = shelf.file("all", table)
    views = [
        view("plain", source, features),
        view("again", source, {"n": Int64}),
        view("composite", source, features, (CUSTOMER, STORE)),
        view("everyone", shelf.file("everyone", {"n": [5]}), {"n": Int64}, ()),
    ]
    for repo in (shelf.ours, shelf.feasts):
        repo.apply(STORE, *views)
    report, _ = shelf.run()
    shelf.feasts.store.materialize(START, END)
    dumps = [shelf.dump(db) for db in (OURS, FEASTS)]
    assert len(dumps[0]) == 2 * len(numbers) + 1
    assert dumps[0] == dumps[1]
    assert {one.view: one.writer for one in report.views} == dict.fromkeys(("plain", "again", "composite", "everyone"), "fast")
    assert {one.view: one.rows for one in report.views} == {"plain": 299, "again": 299, "composite": 299, "everyone": 1}


def test_keys_expire_as_feasts_do(tmp_path: Path, server: EmbeddedRedis) -> None:
    """key_ttl_seconds is set on each key."""
    store = {"type": "redis", "connection_string": f"127.0.0.1:{server.port},db={OURS}", "key_ttl_seconds": 1000}
    shelf = Shelf(tmp_path, server, online_store=store)
    shelf.ours.apply(visits(shelf, {1: 10}))
    shelf.run()
    client = shelf.redis()
    (key,) = client.keys()
    assert 990 < client.ttl(key) <= 1000


def test_all_parts_of_a_table_are_written(bench: Shelf) -> None:
    """Feast's own writer takes the first part of what an offline store gives, and drops the others without a word."""
    part = pa.table({"customer_id": [1, 2], "x": [1, 2], "event_timestamp": pa.array([MOMENT] * 2, MICROSECONDS)})
    other = pa.table({"customer_id": [3, 4], "x": [3, 4], "event_timestamp": pa.array([MOMENT] * 2, MICROSECONDS)})
    one = view("one", bench.file("one", {"customer_id": [1]}), {"x": Int64})
    batches = RowEncoder(one, bench.ours.store.config).encode(pa.concat_tables([part, other]), 128)
    assert [len(batch.keys) for batch in batches] == [2, 2]
