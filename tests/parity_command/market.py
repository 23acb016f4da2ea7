"""A small repository with every kind of view: rows in parquet files, materialized by Feast; those of one view tests choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Bool, Float32, Float64, Int64, String, UnixTimestamp
from feast.value_type import ValueType

from tests.servers.feast_repo import CUSTOMER, FeastRepo

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
TTL = 30 * DAY
CUSTOMERS = range(1, 61)
STORES = ("north", "süd", "east", "west")
MOMENT = pa.timestamp("us", tz="UTC")

# The view whose rows tests choose.
CHANGING = "changing"
# The view that Feast can't compute for training, since its function uses a name of its module.
LOST = "by_global"
SURCHARGE = 3
STORE = Entity(name="store", join_keys=["store_id"], value_type=ValueType.STRING)
ITEM = Entity(name="item", join_keys=["item_id"], value_type=ValueType.INT32)
# Who has been where; a third of the customers nowhere.
VISITED = {(customer, STORES[(customer + place) % 4]) for customer in CUSTOMERS for place in range(customer % 3)}
# Who has bought what: no item twice.
BOUGHT = {(customer, 10 * customer + item) for customer in CUSTOMERS[::2] for item in range(customer % 3 + 1)}


@dataclass(frozen=True)
class Market:
    """The repository and the folder of its files."""

    repo: FeastRepo
    folder: Path

    def change(self, offline: Mapping[int, tuple[int, datetime]], online: Mapping[int, tuple[int, datetime]]) -> None:
        """The rows of `changing`, by customer: its `number` and its event time, in the offline store and online."""
        view = self.repo.store.get_feature_view(CHANGING)
        _write(
            self.folder / f"{CHANGING}.parquet",
            {
                "customer_id": pa.array(offline, pa.int64()),
                "at": pa.array([moment for _, moment in offline.values()], MOMENT),
                "number": pa.array([number for number, _ in offline.values()], pa.int64()),
            },
        )
        for customer, (number, moment) in online.items():
            self.repo.write(view, {customer: {"number": number}}, at=moment)


def open_market(folder: Path, connection_string: str) -> Market:
    """Write the files, apply the definitions and materialize them."""
    repo = FeastRepo(folder, connection_string, project="market")
    rng = Random(5)
    _write_profiles(folder, rng)
    _write_visits(folder, rng)
    _write(folder / "till.parquet", {"store_id": STORES[:3], "at": _moments(3, rng), "total": [0.1, None, float("inf")]})
    _write(folder / "everyone.parquet", {"at": pa.array([NOW - 2 * DAY, NOW - DAY], MOMENT), "rate": [1.5, 2.5]})
    _write(folder / f"{CHANGING}.parquet", {"customer_id": pa.array([1]), "at": _moments(1, rng), "number": [1]})
    _write_bought(folder, rng)
    views = _views(folder)
    profile, visits_at, till, everyone = (views[name] for name in ("profile", "visits_at", "till", "everyone"))
    derived = _on_demand(profile, everyone)
    roles = [profile.with_name(role).with_join_key_map({"customer_id": f"{role}_id"}) for role in ("buyer", "seller")]
    repo.apply(
        STORE,
        ITEM,
        *views.values(),
        *derived,
        FeatureService(name="all_views", features=[profile, till, visits_at, everyone]),
        FeatureService(name="overlapping", features=[visits_at, views["bought"]]),
        FeatureService(name="roles", features=[visits_at, *roles]),
        FeatureService(name="derived", features=[profile[["score"]], *derived[:2]]),
    )
    repo.store.materialize(NOW - 400 * DAY, NOW)
    return Market(repo, folder)


def _write(path: Path, columns: Mapping[str, Any]) -> None:
    pq.write_table(pa.table(dict(columns)), path)


def _moments(count: int, rng: Random) -> pa.Array:
    """Most within a month, some long ago."""
    ages = [rng.uniform(1, 25) if rng.random() < 0.8 else rng.uniform(31, 300) for _ in range(count)]
    return pa.array([NOW - age * DAY for age in ages], MOMENT)


def _some(rng: Random, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    return pa.array([None if rng.random() < 0.2 else value for value in values], kind)


def _write_profiles(folder: Path, rng: Random) -> None:
    """Two rows each, of which the newer one counts; those of each tenth customer have expired.

    One in five values is null (no times), and some numbers are NaN.
    """
    ids = [*CUSTOMERS, *CUSTOMERS]
    ages = [rng.uniform(31, 300) if customer % 10 == 0 else rng.uniform(1, 25) for customer in ids]
    _write(
        folder / "profile.parquet",
        {
            "customer_id": pa.array(ids, pa.int64()),
            "at": pa.array([NOW - age * DAY for age in ages], MOMENT),
            "made": _moments(len(ids), rng),
            "n": _some(rng, [rng.randrange(2**53) for _ in ids], pa.int64()),
            "score": _some(rng, [rng.choice([rng.random(), float("nan")]) for _ in ids], pa.float32()),
            "ratio": _some(rng, [rng.random() for _ in ids], pa.float64()),
            "name": _some(rng, [rng.choice(["Ada", "süd \U0001f600", ""]) for _ in ids], pa.string()),
            "active": _some(rng, [rng.random() < 0.5 for _ in ids], pa.bool_()),
            "tags": _some(rng, [["a"] * rng.randrange(1, 3) for _ in ids], pa.list_(pa.string())),
            "amounts": _some(rng, [[rng.random()] for _ in ids], pa.list_(pa.float32())),
            "seen": pa.array([NOW - rng.randrange(99) * DAY for _ in ids], MOMENT),
        },
    )


def _write_visits(folder: Path, rng: Random) -> None:
    pairs = sorted(VISITED)
    _write(
        folder / "visits_at.parquet",
        {
            "customer_id": pa.array([customer for customer, _ in pairs], pa.int64()),
            "shop": [store for _, store in pairs],
            "at": _moments(len(pairs), rng),
            "minutes": [rng.randrange(100) for _ in pairs],
        },
    )


def _write_bought(folder: Path, rng: Random) -> None:
    pairs = sorted(BOUGHT)
    _write(
        folder / "bought.parquet",
        {
            "customer_id": pa.array([customer for customer, _ in pairs], pa.int64()),
            "item_id": pa.array([item for _, item in pairs], pa.int32()),
            "at": _moments(len(pairs), rng),
            "times": [rng.randrange(9) for _ in pairs],
        },
    )


def _views(folder: Path) -> dict[str, FeatureView]:
    def view(name: str, entities: list[Entity], ttl: timedelta, features: Mapping[str, Any], **source: Any) -> FeatureView:
        file = FileSource(name=f"{name}_file", path=str(folder / f"{name}.parquet"), timestamp_field="at", **source)
        schema = [Field(name=feature, dtype=dtype) for feature, dtype in features.items()]
        return FeatureView(name=name, entities=entities, ttl=ttl, schema=schema, source=file)

    profile = {"visits": Int64, "score": Float32, "ratio": Float64, "name": String, "active": Bool}
    profile |= {"tags": Array(String), "amounts": Array(Float32), "seen": UnixTimestamp}
    return {
        "profile": view("profile", [CUSTOMER], TTL, profile, field_mapping={"n": "visits"}, created_timestamp_column="made"),
        "visits_at": view("visits_at", [CUSTOMER, STORE], TTL, {"minutes": Int64}, field_mapping={"shop": "store_id"}),
        "bought": view("bought", [CUSTOMER, ITEM], timedelta(0), {"times": Int64}),
        "till": view("till", [STORE], timedelta(0), {"total": Float64}),
        "everyone": view("everyone", [], timedelta(0), {"rate": Float64}),
        CHANGING: view(CHANGING, [CUSTOMER], TTL, {"number": Int64}),
    }


def _on_demand(profile: FeatureView, everyone: FeatureView) -> list[Any]:
    basket = RequestSource(name="basket", schema=[Field(name="amount", dtype=Float32), Field(name="items", dtype=Int64)])

    @on_demand_feature_view(
        sources=[profile, everyone, basket],
        schema=[Field(name="scaled", dtype=Float32), Field(name="large", dtype=Int64)],
    )
    def by_pandas(inputs: pd.DataFrame) -> pd.DataFrame:
        numbers = inputs[["amount", "score", "rate"]].astype("float64")
        df = pd.DataFrame()
        df["scaled"] = (numbers["amount"] * numbers["score"] * numbers["rate"]).astype("float32")
        df["large"] = (numbers["amount"] > 100).astype("int64")
        return df

    @on_demand_feature_view(
        sources=[profile[["ratio", "name"]], basket],
        schema=[Field(name="doubled", dtype=Float64), Field(name="label", dtype=String)],
        mode="python",
    )
    def by_python(inputs: dict[str, Any]) -> dict[str, Any]:
        return {
            "doubled": [None if value is None else value * 2 for value in inputs["ratio"]],
            "label": [f"{name}-{items}" for name, items in zip(inputs["name"], inputs["items"], strict=True)],
        }

    @on_demand_feature_view(sources=[basket], schema=[Field(name="dearer", dtype=Int64)], mode="python")
    def by_global(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"dearer": [items + SURCHARGE for items in inputs["items"]]}

    return [by_pandas, by_python, by_global]
