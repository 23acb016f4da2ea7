"""What a body costs the server: no more than its size, whatever is in it."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from pipelines.local.redis import EmbeddedRedis

from .handmade.definitions import definition, view
from .handmade.registry import Registry
from .handmade.running import Running, running

SMALL = 200_000  # bytes
# Four times the size may take four times the time; work that grows with its square takes sixteen times.
FACTOR, MOST = 4, 9.0
# Below this much time a ratio says nothing.
FLOOR_SECONDS = 0.01
# What else the machine does lands in the CPU time of a try, but hardly in all of them; work that is there is in each.
TRIES = 12
VIEWS = 500


@pytest.fixture(scope="module")
def large(redis: EmbeddedRedis) -> Iterator[Running]:
    """A service with many views, among which unknown names are looked for."""
    views = [view(f"customer_view_{number}", {f"f{each}": "INT64" for each in range(20)}) for number in range(VIEWS)]
    known = definition(*views, connection_string=redis.connection_string)
    with Registry(known) as registry, running(registry) as served:
        yield served


def columns(size: int, ids: str, last: str) -> str:
    """As many columns as fit, behind them another."""
    return "{" + ",".join(f'"c{number}":{ids}' for number in range(size // 12)) + f",{last}}}"


def references(size: int, form: str) -> str:
    """A list of as many references as fit."""
    amount = size // (len(form) + 4)
    return json.dumps([form.format(number % VIEWS, number // VIEWS) for number in range(amount)])


def read(entities: str = '{"customer_id":[1]}', features: str = '["customer_view_1:f1"]', more: str = "") -> str:
    """A body, its parts as JSON."""
    return f'{{"entities":{entities},"features":{features}{more}}}'


ID = '"customer_id"'
FULL = ',"full_feature_names":true'
BODIES: dict[str, Callable[[int], str]] = {
    "nested lists": lambda size: "[" * size,
    "nested objects": lambda size: '{"a":' * (size // 5),
    "nested lists that end": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "nested features": lambda size: read(features="[" * size),
    "nested ids": lambda size: read(f"{{{ID}:{'[' * size}"),
    "unknown fields": lambda size: "{" + ",".join(f'"f{number}":0' for number in range(size // 10)) + "}",
    "one long field": lambda size: read(more=f',"{"x" * size}":0'),
    "numbers for features": lambda size: read(features="[" + ",".join(["0"] * (size // 2)) + "]"),
    "unknown views": lambda size: read(features=references(size // 4, "customr_vew_{}{}:f")),
    "unknown features": lambda size: read(features=references(size // 4, "customer_view_{}:g{}")),
    "colliding features": lambda size: read(features=references(size // 4, "customer_view_{}:f{}")),
    "one long view": lambda size: read(features=f'["{"ab" * (size // 2)}:f1"]'),
    "one long feature": lambda size: read(features=f'["customer_view_1:{"ab" * (size // 2)}"]'),
    "one long service": lambda size: read(features="[]", more=f',"feature_service":"{"ab" * (size // 2)}"'),
    "too many columns": lambda size: read(columns(size, "[1]", f"{ID}:[1]")),
    "too many columns for many features": lambda size: read(
        columns(size // 2, "[1]", f"{ID}:[1]"), references(size // 8, "customer_view_{}:f{}"), FULL
    ),
    "ragged columns": lambda size: read(columns(size, "[1]", f"{ID}:[]")),
    "columns that are none": lambda size: read(columns(size, "1", f"{ID}:[1]")),
    "one long column": lambda size: read(f'{{{ID}:[1],"{"x" * size}":[1]}}'),
    "bad ids": lambda size: read(f"{{{ID}:[" + ",".join([f'"{"x" * 75}"'] * (size // 80)) + "]}"),
    "a long number": lambda size: read(f"{{{ID}:[{'9' * size}]}}"),
    "a long string": lambda size: read(f'{{{ID}:["{"9" * size}"]}}'),
    "escapes": lambda size: read(f"{{{ID}:[" + '"' + "\\u00e9" * (size // 6) + '"]}'),
    "spaces": lambda size: "{" + " " * size + "}",
}


def cost(service: Running, body: bytes, enough: float = FLOOR_SECONDS) -> float:
    """Seconds of CPU, of client and server together: the least of tries, which end when it is below `enough`."""
    least = float("inf")
    for _ in range(TRIES):
        started = time.process_time()
        response = service.post(body)
        least = min(least, time.process_time() - started)
        assert 400 <= response.status_code < 500, response.text
        assert len(response.content) < 50_000
        if least < enough:
            break
    return least


@pytest.mark.parametrize("name", BODIES)
def test_four_times_the_size_is_about_four_times_the_cost(large: Running, name: str) -> None:
    """And the answer doesn't grow with the body."""
    small, big = (BODIES[name](size).encode() for size in (SMALL, FACTOR * SMALL))
    assert len(big) > 0.8 * FACTOR * len(small) > 0.1 * FACTOR * SMALL
    limit = MOST * max(cost(large, small), FLOOR_SECONDS)
    assert cost(large, big, limit) < limit


@pytest.mark.parametrize("name", BODIES)
def test_no_body_costs_much_more_than_its_bytes(large: Running, name: str) -> None:
    """Than a body of the same size that is read through to its last byte, a number at a time."""
    plain = cost(large, b"[" + b",".join([b"1"] * (2 * SMALL)) + b"]")
    limit = 20 * max(plain, FLOOR_SECONDS)
    assert cost(large, BODIES[name](FACTOR * SMALL).encode(), limit) < limit
