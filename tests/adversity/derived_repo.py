"""A Feast repository of on-demand views in files, and `feast apply` on it."""

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import yaml

APPLY_SECONDS = 90

FEATURES = """
    import functools
    import math

    import pandas as pd
    from feast import Aggregation, Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
    from feast.on_demand_feature_view import OnDemandFeatureView, on_demand_feature_view
    from feast.transformation.substrait_transformation import SubstraitTransformation
    from feast.types import Float64, Int64

    import vanishing
    from parts.rates import rate_of

    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    store = Entity(name="store", join_keys=["store_id"], value_type=ValueType.INT64)
    file = FileSource(name="file", path="nowhere.parquet", timestamp_field="at")
    profile = FeatureView(
        name="profile",
        entities=[customer],
        schema=[Field(name="customer_id", dtype=Int64), Field(name="visits", dtype=Int64), Field(name="spend", dtype=Float64)],
        source=file,
    )
    asked = RequestSource(name="asked", schema=[Field(name="balance", dtype=Float64), Field(name="day", dtype=Int64)])
    later = RequestSource(name="and later", schema=[Field(name="discount", dtype=Float64)])
    Y = [Field(name="y", dtype=Float64)]

    SCALE = 3
    double = lambda x: x * 2


    def helper(x):
        return another(x) + SCALE


    def another(x):
        return x * 10


    @on_demand_feature_view(sources=[asked], schema=Y, mode="python")
    def of_global(inputs):
        return {"y": [value * SCALE for value in inputs["balance"]]}


    @on_demand_feature_view(sources=[asked], schema=Y, mode="python")
    def of_import(inputs):
        return {"y": [math.sqrt(value) for value in inputs["balance"]]}


    def make(offset):
        @on_demand_feature_view(name="of_closure", sources=[asked], schema=Y, mode="python")
        def closed(inputs):
            return {"y": [value + offset for value in inputs["balance"]]}

        return closed


    of_closure = make(5)


    @on_demand_feature_view(sources=[asked], schema=Y, mode="python")
    def of_helper(inputs):
        return {"y": [helper(value) for value in inputs["balance"]]}


    @on_demand_feature_view(sources=[asked], schema=Y, mode="python")
    def of_lambda(inputs):
        return {"y": [double(value) for value in inputs["balance"]]}


    @on_demand_feature_view(sources=[asked], schema=Y, mode="python", singleton=True)
    def of_other_file(inputs):
        return {"y": inputs["balance"] * rate_of("gold")}


    @on_demand_feature_view(sources=[asked], schema=Y)
    def pandas_of_helper(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"y": helper(inputs["balance"])})


    @on_demand_feature_view(sources=[asked], schema=Y, mode="python")
    def of_vanishing(inputs):
        return {"y": [vanishing.same(value) for value in inputs["balance"]]}


    @on_demand_feature_view(
        sources=[
            later,
            profile[["spend"]].with_name("buyer").with_join_key_map({"customer_id": "buyer_id"}),
            asked,
        ],
        schema=Y,
        mode="python",
        tags={"row_wise": "true"},
    )
    def of_sources(inputs):
        return {"y": [float(value) for value in inputs["balance"]]}


    @on_demand_feature_view(input_schema=[Field(name="threshold", dtype=Float64)], schema=Y, mode="python")
    def of_input_schema(inputs):
        return {"y": inputs["threshold"]}


    @on_demand_feature_view(
        sources=[profile],
        entities=[customer],
        schema=[Field(name="customer_id", dtype=Int64), Field(name="doubled", dtype=Int64)],
        mode="python",
        write_to_online_store=True,
    )
    def written(inputs):
        return {"doubled": [value * 2 for value in inputs["visits"]], "customer_id": [1 for _ in inputs["visits"]]}


    @on_demand_feature_view(
        sources=[profile],
        entities=[customer],
        schema=[Field(name="customer_id", dtype=Int64), Field(name="kept", dtype=Int64)],
        mode="python",
        write_to_online_store=True,
    )
    def written_by_vanishing(inputs):
        return {"kept": [vanishing.same(value) for value in inputs["visits"]], "customer_id": [1 for _ in inputs["visits"]]}


    aggregated = OnDemandFeatureView(
        name="aggregated",
        sources=[profile],
        schema=[Field(name="sum_visits", dtype=Int64)],
        mode="python",
        aggregations=[Aggregation(column="visits", function="sum")],
    )

    with open("plan.bin", "rb") as plan:
        planned = OnDemandFeatureView(
            name="planned",
            sources=[RequestSource(name="planned with", schema=[Field(name="balance", dtype=Float64)])],
            schema=[Field(name="doubled", dtype=Float64)],
            mode="substrait",
            feature_transformation=SubstraitTransformation(plan.read(), udf=lambda table: table),
        )

    everything = FeatureService(name="everything", features=[profile, of_global, of_sources])
"""
FILES = {
    "features.py": FEATURES,
    "parts/__init__.py": "",
    "parts/rates.py": """
        RATES = {"gold": 0.25}


        class Rate:
            def __init__(self, name):
                self.name = name

            def of(self, value):
                return RATES.get(self.name, 0.5) * value


        def rate_of(name):
            return Rate(name).of(1)
    """,
    "vanishing.py": """
        def same(value):
            return value
    """,
}
# What each view's `y` is for these; a view of mode python gets columns, one of a singleton a row.
BALANCES = [1.0, 4.0]
EXPECTED = {
    "of_global": [3.0, 12.0],
    "of_import": [1.0, 2.0],
    "of_closure": [6.0, 9.0],
    "of_helper": [13.0, 43.0],
    "of_lambda": [2.0, 8.0],
    "of_other_file": 0.25,
    "pandas_of_helper": [13.0, 43.0],
}
REGISTRIES = ("sql", "file")


def write_repository(folder: Path, plan: bytes) -> None:
    """Its files, with a yaml for each kind of registry, versions kept apart; nothing is applied."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    (folder / "plan.bin").write_bytes(plan)
    for kind in REGISTRIES:
        path = folder / f"{kind}.registry"
        registry = {"registry_type": kind, "path": f"sqlite:///{path}" if kind == "sql" else str(path)}
        configuration = {
            "project": "derived",
            "provider": "local",
            "registry": {**registry, "cache_ttl_seconds": 1, "enable_online_feature_view_versioning": True},
            "online_store": {"type": "redis", "connection_string": "127.0.0.1:1"},
            "offline_store": {"type": "file"},
            "entity_key_serialization_version": 3,
        }
        yaml_of(folder, kind).write_text(yaml.safe_dump(configuration))


def yaml_of(folder: Path, kind: str) -> Path:
    """The configuration with one kind of registry."""
    return folder / f"{kind}.yaml"


def feast_apply(folder: Path, kinds: Sequence[str] = REGISTRIES) -> None:
    """`feast apply`, into one registry after another, in one process that imports Feast once."""
    arguments = [["-c", str(folder), "-f", str(yaml_of(folder, kind)), "apply"] for kind in kinds]
    script = f"from feast.cli.cli import cli\nfor each in {arguments}: cli.main(each, standalone_mode=False)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=APPLY_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
