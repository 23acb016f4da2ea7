"""Reads that are asked for in the same moment are read together, and nobody can tell: each gets an answer of its own."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from feast.protos.feast.types.Value_pb2 import Value

from service.errors import InvalidRequest, UnreadableValue
from service.gathering import ROWS_TOGETHER
from service.metrics import Metrics
from service.plan import Shape, compile_plan
from service.reader import Reader
from tests.http.handmade.definitions import PROFILE, TILL, VISITS, catalog
from tests.http.handmade.shelf import NOW, Shelf, reader_of

DAY = 86_400 * 10**9


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    """What statuses are counted in."""
    taken = Metrics(tmp_path)
    yield taken
    taken.close()


def number(value: int) -> bytes:
    """An Int64 as it is stored."""
    return Value(int64_val=value).SerializeToString()


@pytest.fixture
def shelf() -> Shelf:
    """Every third customer has no visits, every fifth ones that are too old, every seventh a null."""
    shelf = Shelf()
    for customer in range(200):
        if customer % 3:
            age = 30 * DAY if customer % 5 == 0 else 0
            shelf.put(VISITS, {"customer_id": customer}, NOW - age, {"count": number(customer) if customer % 7 else b""})
        shelf.put(PROFILE, {"customer_id": customer}, NOW, {"age": number(20 + customer % 50)})
    shelf.put(TILL, {"store_id": "north"}, NOW, {"total": number(1000)})
    return shelf


async def ask(reader: Reader, features: tuple[str, ...], entities: dict[str, list[Any]], plans: dict[Any, Any]) -> Any:
    """One read, by a plan that equal reads share."""
    key = (features, tuple(entities))
    if key not in plans:
        plans[key] = compile_plan(catalog(PROFILE, VISITS, TILL), Shape(columns=tuple(entities), features=features))
    return json.loads(await reader.read(plans[key], entities))


async def test_answers_given_together_are_those_given_alone(metrics: Metrics, shelf: Shelf) -> None:
    """Of several plans, sizes and states, some asked for the same customers; and they do go to the store together."""
    reader, plans = reader_of(shelf, metrics), {}  # type: ignore[var-annotated]
    both = ("visits:count", "profile:age", "visits:score")
    asked: list[tuple[tuple[str, ...], dict[str, list[Any]]]] = [
        (both, {"customer_id": [start, start + 3, 15, start]}) for start in range(30)
    ]
    asked += [(("profile:age",), {"customer_id": [customer]}) for customer in range(20)]
    asked += [(("till:total", "profile:age"), {"customer_id": [1, 2], "store_id": ["north", "south"]})] * 3
    alone = [await ask(reader, features, entities, plans) for features, entities in asked]
    shelf.calls = 0
    together = await asyncio.gather(*[ask(reader, features, entities, plans) for features, entities in asked])
    assert together == alone
    rows = [4 * 30, 1 * 20, 2 * 3]
    assert shelf.calls == sum(-(-of_plan // ROWS_TOGETHER) for of_plan in rows)


async def test_what_is_too_much_for_one_batch_goes_in_several(metrics: Metrics, shelf: Shelf) -> None:
    """So that Redis has the next one while one is decoded, and no decoding takes long."""
    reader, plans = reader_of(shelf, metrics), {}  # type: ignore[var-annotated]
    size = ROWS_TOGETHER // 3 + 1
    ids = [list(range(start, start + size)) for start in range(9)]
    answers = await asyncio.gather(*[ask(reader, ("profile:age",), {"customer_id": each}, plans) for each in ids])
    assert [answer["results"][0]["values"] for answer in answers] == ids
    assert shelf.calls == 5  # two of them in each


async def test_what_cannot_be_read_is_the_error_of_those_who_asked_for_it(metrics: Metrics, shelf: Shelf) -> None:
    """The others, whose rows came with it, get their answers; and a bad request never gets so far."""
    shelf.put(PROFILE, {"customer_id": 7}, NOW, {"age": b"\x20"})
    reader, plans = reader_of(shelf, metrics), {}  # type: ignore[var-annotated]
    ids: list[list[Any]] = [[1, 2], [6, 7, 8], [8], ["nobody"]]
    good, bad, other, refused = await asyncio.gather(
        *[ask(reader, ("profile:age",), {"customer_id": each}, plans) for each in ids], return_exceptions=True
    )
    assert good["results"][1]["values"] == [21, 22]
    assert other["results"][1]["values"] == [28]
    assert isinstance(bad, UnreadableValue)
    assert "profile:age" in str(bad)
    assert isinstance(refused, InvalidRequest)
