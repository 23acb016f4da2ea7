"""What can be pushed to: views and push sources by hand, suites as files, and a client that pushes and looks into Redis."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import redis as redis_py
from feast.infra.online_stores.helpers import _mmh3
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from service.catalog.definitions import CatalogDefinition, PushSourceDefinition, ViewDefinition

from .definitions import CUSTOMER, STORE, definition, view
from .rows import redis_key
from .running import Running

PROJECT = "pushes"
# The event time of rows that don't say another: recent, so that a day before it and after it is in the past, too.
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
EVENT = {"timestamp_field": "event_timestamp", "created_field": "created_timestamp"}

SCORES = view("scores", {"score": "DOUBLE", "level": "STRING", "visits": "INT64"}, **EVENT)
ORDERS = view("orders", {"amount": "DOUBLE"}, **EVENT)
ORDER_STATS = view("order_stats", {"amount": "DOUBLE", "orders": "INT64"}, **EVENT)
TILLS = view("tills", {"amount": "DOUBLE", "open": "BOOL"}, [STORE], **EVENT)
BASKETS = view("baskets", {"items": "INT64"}, [STORE, CUSTOMER], **EVENT)
RATES = view("rates", {"rate": "DOUBLE"}, [], timestamp_field="event_timestamp")
PRICES = view("prices", {"price": "DOUBLE"}, [STORE], store_name="prices_v2", version=2, timestamp_field="event_timestamp")
HOMES = view(
    "homes",
    {"city": "STRING", "rooms": "INT32"},
    timestamp_field="moved",
    created_field="noted",
    field_mapping={"town": "city", "customer": "customer_id"},
)
# One feature of each Feast type that has a name of its own.
TYPES = {
    name: name
    for name in (
        "INT32", "INT64", "FLOAT", "DOUBLE", "BOOL", "STRING", "BYTES", "UNIX_TIMESTAMP", "UUID", "DECIMAL", "JSON",
        "ZONED_TIMESTAMP", "MAP", "STRUCT", "SCALAR_MAP", "INT64_LIST", "STRING_LIST", "BYTES_LIST", "DOUBLE_LIST",
        "UNIX_TIMESTAMP_LIST", "BOOL_LIST", "STRING_SET", "MAP_LIST", "VALUE_LIST",
    )
}  # fmt: skip
KINDS = view("kinds", TYPES, timestamp_field="event_timestamp")
OFFLINE_ONLY = view("offline_only", {"x": "INT64"}, online=False, timestamp_field="event_timestamp")
COMPUTED = view("computed", {"ratio": "DOUBLE"}, [], kind="on_demand_feature_view")
VIEWS = (SCORES, ORDERS, ORDER_STATS, TILLS, BASKETS, RATES, PRICES, HOMES, KINDS, OFFLINE_ONLY, COMPUTED)

POLICIES = ("reject", "quarantine", "warn")
SUITE = "scores_suite"


def between(column: str, low: Any = None, high: Any = None, **more: Any) -> dict[str, Any]:
    """An expectation as a suite's file has it; `more` is what stands beside its kwargs."""
    limits = {"min_value": low, "max_value": high}
    kwargs = {"column": column, **{name: limit for name, limit in limits.items() if limit is not None}}
    return expectation("expect_column_values_to_be_between", **kwargs) | more


def expectation(kind: str, **kwargs: Any) -> dict[str, Any]:
    """Any expectation."""
    return {"type": kind, "kwargs": kwargs}


SCORE_IN_RANGE = between("score", 0.0, 1.0)
KNOWN_LEVEL = expectation("expect_column_values_to_be_in_set", column="level", value_set=["low", "high"])
SUITES: dict[str, list[dict[str, Any]]] = {
    SUITE: [SCORE_IN_RANGE, KNOWN_LEVEL],
    "advice": [between("score", 0.0, 1.0, severity="warning"), between("visits", 0, severity="info"), KNOWN_LEVEL],
    "aggregates": [
        SCORE_IN_RANGE,
        expectation("expect_column_mean_to_be_between", column="visits", min_value=1.0, max_value=10.0),
        expectation("expect_table_row_count_to_be_between", max_value=5),
    ],
    "parametrized": [between("score", 0.0, {"$PARAMETER": "most"})],
}


def source(name: str, views: Iterable[str], **tags: str) -> PushSourceDefinition:
    """A push source that feeds these views."""
    return PushSourceDefinition(name, sorted(views), tags=tags)


def validated(name: str, suite: str, policy: str, views: Iterable[str] = ("scores",)) -> PushSourceDefinition:
    """A push source whose tags name a suite and a policy."""
    return source(name, views, validation_suite=suite, on_invalid=policy)


SOURCES = [
    source("free", ["scores"]),
    *(validated(policy, SUITE, policy) for policy in POLICIES),
    *(validated(f"aggregates_{policy}", "aggregates", policy) for policy in POLICIES),
    validated("advised", "advice", "reject"),
    source("both", ["orders", "order_stats"]),
    source("everywhere", ["orders", "tills", "baskets"]),
    source("baskets_push", ["baskets"]),
    source("rates_push", ["rates"]),
    source("prices_push", ["prices"]),
    source("homes_push", ["homes"]),
    source("kinds_push", ["kinds"]),
    source("offline_push", ["offline_only"]),
    source("idle", []),
]


def pushable(connection_string: str, *sources: PushSourceDefinition, **more: Any) -> CatalogDefinition:
    """Everything that tests push to, and more push sources."""
    named = {each.name: each for each in (*SOURCES, *sources)}
    return definition(*VIEWS, connection_string=connection_string, project=PROJECT, push_sources=named, **more)


def write_suite(folder: Path, name: str, expectations: Sequence[Mapping[str, Any]]) -> None:
    """A suite into the GX project in `folder`, at once, as an editor or a deployment does."""
    path = folder / "suites" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "expectations": expectations, "meta": {"owner": "tests"}}
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(document))
    unfinished.replace(path)


def write_suites(folder: Path) -> Path:
    """All of them; gives the folder back."""
    for name, expectations in SUITES.items():
        write_suite(folder, name, expectations)
    return folder


def at(seconds: float = 0.0) -> str:
    """An event time as text, so many seconds after START."""
    return (START + timedelta(seconds=seconds)).isoformat()


def scores(*customers: int, seconds: float = 0.0, **columns: Sequence[Any]) -> dict[str, list[Any]]:
    """Good rows of SCORES by column; `columns` replace some, None leaves one out."""
    amount = len(customers)
    rows: dict[str, Any] = {
        "customer_id": list(customers),
        "score": [0.5] * amount,
        "level": ["low"] * amount,
        "visits": list(range(1, amount + 1)),
        "event_timestamp": [at(seconds)] * amount,
        **columns,
    }
    return {name: column for name, column in rows.items() if column is not None}


class Pusher:
    """A client of a service that runs, and of its Redis."""

    def __init__(self, service: Running, redis: "redis_py.Redis[bytes]") -> None:
        self.service = service
        self.redis = redis

    def send(self, push_source: str, df: Mapping[str, Any] | None = None, query: str = "", **more: Any) -> httpx.Response:
        """The answer to a push; `more` is what else is in the body, or `headers`."""
        headers = more.pop("headers", None)
        body = {"push_source_name": push_source, **({} if df is None else {"df": df}), **more}
        return self.service.client.post(f"/push{query}", json=body, headers=headers)

    def push(self, push_source: str, df: Mapping[str, Any] | None = None, query: str = "", **more: Any) -> dict[str, Any]:
        """The same where it must succeed: the body."""
        response = self.send(push_source, df, query, **more)
        assert response.status_code in (200, 202), response.text
        answer: dict[str, Any] = response.json()
        return answer

    def write(self, feature_view: str, df: Mapping[str, Any], query: str = "", **more: Any) -> httpx.Response:
        """The answer to a write to one view."""
        body = {"feature_view_name": feature_view, "df": df, **more}
        return self.service.client.post(f"/write-to-online-store{query}", json=body)

    def stored(self, of: ViewDefinition, ids: Mapping[str, Any]) -> tuple[datetime, dict[str, Value]] | None:
        """What Redis has of a row, as Feast's own messages: its event time and its values; None where there is none."""
        found = self.redis.hgetall(redis_key(of, ids, PROJECT))
        raw = found.get(f"_ts:{of.store_name}".encode())
        if raw is None:
            return None
        moment = Timestamp.FromString(raw).ToDatetime(UTC)
        values = {one.name: found[_mmh3(f"{of.store_name}:{one.name}")] for one in of.features}
        return moment, {name: Value.FromString(value) for name, value in values.items()}

    def score(self, customer: int) -> float | None:
        """The score of a customer that stands; None without a row."""
        row = self.stored(SCORES, {"customer_id": customer})
        return None if row is None else row[1]["score"].double_val
