"""On-demand views over visits, of every mode, whose functions use what is around them."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from feast import Entity, FeatureView, Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64
from feast.value_type import ValueType

FACTOR = 3.0
CUSTOMER = Entity(name="customer_id", join_keys=["customer_id"], value_type=ValueType.INT64)
BASKET = RequestSource(name="basket", schema=[Field(name="amount", dtype=Float64)])


def on_demand_views(visits: FeatureView) -> Sequence[Any]:
    """One for each row of the page; each gives features of its own names."""

    @on_demand_feature_view(sources=[visits], schema=[Field(name="in_pandas", dtype=Float64)])
    def pandas_view(inputs: pd.DataFrame) -> pd.DataFrame:
        df = pd.DataFrame()
        df["in_pandas"] = inputs["score"].astype("float64") * 2
        return df

    @on_demand_feature_view(sources=[visits], schema=[Field(name="in_python", dtype=Float64)], mode="python")
    def python_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"in_python": [None if score is None else score * 2 for score in inputs["score"]]}

    @on_demand_feature_view(sources=[visits], schema=[Field(name="single", dtype=Float64)], mode="python", singleton=True)
    def singleton_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"single": None if inputs["score"] is None else inputs["score"] * 2}

    @on_demand_feature_view(sources=[visits, BASKET], schema=[Field(name="share", dtype=Float64)], mode="python")
    def request_view(inputs: dict[str, Any]) -> dict[str, Any]:
        pairs = zip(inputs["score"], inputs["amount"], strict=True)
        return {"share": [None if None in pair else pair[0] * pair[1] for pair in pairs]}

    @on_demand_feature_view(sources=[BASKET], schema=[Field(name="twice", dtype=Float64)], mode="python")
    def request_alone_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"twice": [2 * amount for amount in inputs["amount"]]}

    @on_demand_feature_view(sources=[visits], schema=[Field(name="rooted", dtype=Float64)], mode="python")
    def global_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"rooted": [None if score is None else math.sqrt(score) * FACTOR for score in inputs["score"]]}

    @on_demand_feature_view(sources=[visits], schema=[Field(name="broken", dtype=Float64)], mode="python")
    def broken_view(inputs: dict[str, Any]) -> dict[str, Any]:
        if 1.0 not in [*inputs["score"], 1.0]:
            return {"broken": inputs["score"]}
        return {"broken": [float("of customer 17") if score == 0.5 else 0.0 for score in inputs["score"]]}

    @on_demand_feature_view(sources=[visits], schema=[Field(name="missing", dtype=Float64)], mode="python")
    def forgetful_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {} if inputs["score"] == [0.5] else {"missing": [0.0 for _ in inputs["score"]]}

    @on_demand_feature_view(
        sources=[visits],
        entities=[CUSTOMER],
        schema=[Field(name="kept", dtype=Float64)],
        mode="python",
        write_to_online_store=True,
    )
    def kept_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"kept": [None if score is None else score * 2 for score in inputs["score"]]}

    @on_demand_feature_view(sources=[python_view.projection], schema=[Field(name="plus_one", dtype=Float64)], mode="python")
    def chained_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"plus_one": [None if value is None else value + 1 for value in inputs["in_python"]]}

    @on_demand_feature_view(sources=[kept_view.projection], schema=[Field(name="and_one", dtype=Float64)], mode="python")
    def chained_kept_view(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"and_one": [None if value is None else value + 1 for value in inputs["kept"]]}

    return [
        pandas_view, python_view, singleton_view, request_view, request_alone_view, global_view, broken_view,
        forgetful_view, kept_view, chained_view, chained_kept_view,
    ]  # fmt: skip
