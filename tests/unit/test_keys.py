"""Redis keys are Feast's, byte for byte; ids that aren't of their type are told, each with its row."""

import base64
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from hypothesis import given
from hypothesis import strategies as st

from service.errors import MAX_PROBLEMS, InvalidRequest
from service.keys import LONGEST_QUOTE, SUPPORTED_VERSIONS, JoinKey, describe
from service.metrics import Metrics
from tests.http.handmade.definitions import catalog, entity, view
from tests.http.handmade.examples import examples
from tests.http.handmade.rows import KEY_FIELDS
from tests.http.handmade.shelf import Shelf, answered

IDS: dict[str, st.SearchStrategy[Any]] = {
    "INT32": st.integers(-(2**31), 2**31 - 1),
    "INT64": st.integers(-(2**63), 2**63 - 1),
    "UNIX_TIMESTAMP": st.integers(-(2**63), 2**63 - 1),
    "STRING": st.text(),
    "BYTES": st.binary(),
}
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
LOWEST64, HIGHEST64 = -(2**63), 2**63 - 1


def feasts(names: list[str], types: list[str], ids: list[Any], project: str, version: int) -> bytes:
    """The key that Feast's Redis store uses."""
    values = [Value(**{KEY_FIELDS[value_type]: each}) for value_type, each in zip(types, ids, strict=True)]
    key = EntityKey(join_keys=names, entity_values=values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions before 3
        return bytes(_redis_key(project, key, entity_key_serialization_version=version))


def in_json(value_type: str, each: Any) -> Any:
    """An id as a request has it."""
    return base64.b64encode(each).decode() if value_type == "BYTES" else each


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    """What a reader counts in."""
    taken = Metrics(tmp_path_factory.mktemp("metrics"))
    yield taken
    taken.close()


async def asked(
    metrics: Metrics, names: list[str], types: list[str], rows: list[list[Any]], project: str = "shop", version: int = 3
) -> list[bytes]:
    """The keys that Redis is asked for, for rows of ids."""
    entities = [entity(name, value_type) for name, value_type in zip(names, types, strict=True)]
    of = catalog(view("v", {"f": "INT64"}, entities), project=project, entity_key_version=version)
    shelf = Shelf()
    columns = [[in_json(value_type, row[place]) for row in rows] for place, value_type in enumerate(types)]
    await answered(metrics, shelf, of, ["v:f"], dict(zip(names, columns, strict=True)))
    return shelf.asked


async def refused(metrics: Metrics, value_type: str, column: list[Any]) -> InvalidRequest:
    """The error that a column leads to; nothing is asked of Redis then."""
    shelf, of = Shelf(), catalog(view("v", {"f": "INT64"}, [entity("customer_id", value_type)]))
    with pytest.raises(InvalidRequest) as caught:
        await answered(metrics, shelf, of, ["v:f"], {"customer_id": column})
    assert shelf.asked == []
    return caught.value


@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
@pytest.mark.parametrize("value_type", sorted(IDS))
@examples(60)
@given(data=st.data())
async def test_a_key_of_one_join_key_is_feasts(metrics: Metrics, version: int, value_type: str, data: st.DataObject) -> None:
    """All ids of all types that Feast can make keys of, under any name, in any project."""
    name, project, each = data.draw(NAMES), data.draw(NAMES), data.draw(IDS[value_type])
    expected = feasts([name], [value_type], [each], project, version)
    assert await asked(metrics, [name], [value_type], [[each]], project, version) == [expected]


@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
@examples(150)
@given(data=st.data())
async def test_a_composite_key_is_feasts(metrics: Metrics, version: int, data: st.DataObject) -> None:
    """Two to four join keys of any types, sorted by name whatever their order."""
    names = data.draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    types = [data.draw(st.sampled_from(sorted(IDS))) for _ in names]
    ids = [data.draw(IDS[value_type]) for value_type in types]
    assert await asked(metrics, names, types, [ids], "shop", version) == [feasts(names, types, ids, "shop", version)]


@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
async def test_the_key_of_views_without_an_entity_is_feasts(metrics: Metrics, version: int) -> None:
    """Feast stores their one row under a placeholder."""
    key = EntityKey(join_keys=[DUMMY_ENTITY_ID], entity_values=[Value(string_val=DUMMY_ENTITY_VAL)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = serialize_entity_key(key, version) + b"shop"
    assert await asked(metrics, [], [], [[]], "shop", version) == [expected]


@pytest.mark.parametrize("types", [["INT64"], ["STRING"], ["INT64", "STRING"], ["STRING", "BYTES", "INT32"]])
@examples(30)
@given(data=st.data())
async def test_each_row_has_its_own_key(metrics: Metrics, types: list[str], data: st.DataObject) -> None:
    """Columns are encoded as a whole; rows don't mix."""
    names = [f"key_{place}" for place in range(len(types))]
    rows = data.draw(st.lists(st.tuples(*(IDS[value_type] for value_type in types)), min_size=1, max_size=20, unique=True))
    keys = await asked(metrics, names, types, [list(row) for row in rows])
    assert keys == [feasts(names, types, list(row), "shop", 3) for row in rows]


@pytest.mark.parametrize(
    ("value_type", "bad", "what"),
    [
        ("INT64", "1001", 'the string "1001"'),
        ("INT64", 1.5, "the number 1.5"),
        ("INT64", 1.0, "the number 1.0"),
        ("INT64", True, "true"),
        ("INT64", None, "null"),
        ("INT64", [1], "a list"),
        ("INT64", {"a": 1}, "an object"),
        ("INT64", HIGHEST64 + 1, "the number 9223372036854775808"),
        ("INT64", LOWEST64 - 1, "the number -9223372036854775809"),
        ("INT64", 10**40, "an enormous integer"),
        ("INT32", 2**31, "the number 2147483648"),
        ("INT32", -(2**31) - 1, "the number -2147483649"),
        ("UNIX_TIMESTAMP", "2024-01-01T00:00:00Z", 'the string "2024-01-01T00:00:00Z"'),
        ("UNIX_TIMESTAMP", 2**63, "the number 9223372036854775808"),
        ("STRING", 5, "the number 5"),
        ("STRING", False, "false"),
        ("STRING", None, "null"),
        ("STRING", "\ud800", "the string"),
        ("BYTES", "not base64!", 'the string "not base64!"'),
        ("BYTES", "YQ", 'the string "YQ"'),
        ("BYTES", "-_8=", 'the string "-_8="'),
        ("BYTES", "é", 'the string "é"'),
        ("BYTES", 7, "the number 7"),
    ],
)
async def test_a_bad_id_is_told_with_what_would_be_right(metrics: Metrics, value_type: str, bad: Any, what: str) -> None:
    """Never coerced: the message names the column's type and what came instead."""
    (problem,) = (await refused(metrics, value_type, [bad])).problems
    assert (problem.field, problem.row) == ("entities.customer_id", 0)
    assert problem.message.startswith("customer_id must be ")
    assert f"({value_type})" in problem.message
    assert f", not {what}" in problem.message


async def test_each_bad_row_is_named(metrics: Metrics) -> None:
    """With its position, good rows between them left out."""
    problems = (await refused(metrics, "INT64", [1, "2", 3, None, 2**70, 6])).problems
    assert [problem.row for problem in problems] == [1, 3, 4]


async def test_a_thousand_bad_rows_are_told_as_twenty(metrics: Metrics) -> None:
    """The first ones."""
    problems = (await refused(metrics, "INT64", ["x"] * 1000)).problems
    assert [problem.row for problem in problems] == list(range(MAX_PROBLEMS))


async def test_a_late_bad_row_is_found(metrics: Metrics) -> None:
    """However many good ones stand before it."""
    (problem,) = (await refused(metrics, "STRING", ["a"] * 4000 + [1])).problems
    assert problem.row == 4000


def test_what_a_value_is_called() -> None:
    """Short values are shown, long ones cut."""
    assert describe("x" * LONGEST_QUOTE) == f'the string "{"x" * LONGEST_QUOTE}"'
    assert describe("x" * 10**6) == f'the string "{"x" * LONGEST_QUOTE}..."'
    assert describe(float("inf")) == "the number inf"
    assert describe([]) == "a list"
    assert describe({}) == "an object"


@pytest.mark.parametrize("value_type", ["FLOAT", "DOUBLE", "BOOL", "UUID", "INT64_LIST", "MAP"])
def test_feast_makes_no_keys_of_other_types(value_type: str) -> None:
    """Nor do we."""
    assert not JoinKey.supports(value_type)
    assert all(JoinKey.supports(supported) for supported in IDS)
