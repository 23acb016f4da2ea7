"""On-demand views by hand, over the shop's rows: functions in each mode, good and bad ones."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd

from service.catalog.definitions import (
    CatalogDefinition,
    ComputationDefinition,
    EntityDefinition,
    FeatureDefinition,
    ProjectionDefinition,
    ViewDefinition,
)

from .definitions import CUSTOMER, PROFILE, SLOT, TILL, VISITS, definition, projection, service, view

FROM_PROFILE = projection("profile", "age", "name", "spend", "tags")
FROM_VISITS = projection("visits", "count", "score")
BUYER = projection("profile", "age", alias="buyer", join_key_map={"customer_id": "buyer_id"})
FROM_TILL = projection("till", "total")
BALANCE = {"balance": "FLOAT"}


def on_demand(
    name: str,
    function: Callable[..., Any] | bytes,
    features: Mapping[str, str],
    sources: Iterable[ProjectionDefinition] = (FROM_PROFILE,),
    request: Mapping[str, str] | None = None,
    entities: Iterable[EntityDefinition] = (),
    mode: str = "python",
    **more: Any,
) -> ViewDefinition:
    """An on-demand view as the definitions process hands it over; `more` is `tags`, `singleton` or `on_write`."""
    tags = more.pop("tags", {})
    computation = ComputationDefinition(
        mode=mode,  # type: ignore[arg-type]
        function_name=name if isinstance(function, bytes) else function.__name__,
        function=function if isinstance(function, bytes) else pickled(function),
        sources=list(sources),
        request=[FeatureDefinition(field, value_type) for field, value_type in (request or {}).items()],
        **more,
    )
    kept = {"timestamp_field": "event_timestamp"} if computation.on_write else {}
    return view(name, features, entities, kind="on_demand_feature_view", computation=computation, tags=tags, **kept)


def pickled(function: Callable[..., Any]) -> bytes:
    """By value, as the definitions process does."""
    module = sys.modules[function.__module__]
    cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(function))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


SCALE = 2.0


def scaled(value: float) -> float:
    """What the functions below use of their module."""
    return value * SCALE


def by_columns(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Mode python."""
    known = [None if spend is None else scaled(spend) for spend in inputs["spend"]]
    ratios = [
        None if balance is None or spend is None else balance / (spend + 1)
        for balance, spend in zip(inputs["balance"], known, strict=True)
    ]
    return {"ratio": ratios, "is_adult": [None if age is None else int(age >= 18) for age in inputs["profile__age"]]}


def by_rows(row: dict[str, Any]) -> dict[str, Any]:
    """Mode python, singleton."""
    found = by_columns({name: [value] for name, value in row.items()})
    return {name: values[0] for name, values in found.items()}


def by_frame(inputs: pd.DataFrame) -> pd.DataFrame:
    """Mode pandas."""
    outputs = pd.DataFrame()
    outputs["ratio"] = inputs["balance"] / (scaled(inputs["spend"].astype("float64")) + 1)
    outputs["is_adult"] = (inputs["profile__age"] >= 18).astype("Int64").where(inputs["age"].notna())
    return outputs


OUTPUTS = {"ratio": "DOUBLE", "is_adult": "INT64"}
MODES: Mapping[str, Mapping[str, Any]] = {
    "columns": {"function": by_columns},
    "rows": {"function": by_rows, "singleton": True},
    "frame": {"function": by_frame, "mode": "pandas"},
    "frame_together": {"function": by_frame, "mode": "pandas", "tags": {"row_wise": "true"}},
}


def of_both(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Of two views, by different keys one of them."""
    return {"sum": [(count or 0) + (total or 0) for count, total in zip(inputs["count"], inputs["total"], strict=True)]}


def of_both_views(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Of two views of one entity."""
    return {"sum": [(count or 0) + (age or 0) for count, age in zip(inputs["count"], inputs["age"], strict=True)]}


def seen(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Tells what a function gets."""
    names = sorted(inputs)
    rows = zip(*[inputs[name] for name in names], strict=True)
    return {"seen": [repr(dict(zip(names, row, strict=True))) for row in rows]}


def seen_frame(inputs: pd.DataFrame) -> pd.DataFrame:
    """The same of a frame, with its types."""
    types = repr({name: str(dtype) for name, dtype in sorted(inputs.dtypes.items())})
    return pd.DataFrame({"seen": [types] * len(inputs)})


def changing(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Changes what it gets."""
    for tags in inputs["tags"]:
        if tags is not None:
            tags.reverse()
            tags.append("mine")
    return {"n": [len(tags or "") for tags in inputs["tags"]]}


def changing_row(row: dict[str, Any]) -> dict[str, Any]:
    """The same of one row."""
    return {"n": changing({"tags": [row["tags"]]})["n"][0]}


def counting(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Counts what it gets."""
    return {"m": [len(tags or "") for tags in inputs["tags"]]}


def timely(inputs: dict[str, list[Any]]) -> dict[str, Any]:
    """Times in the forms that functions have them."""
    moments = [datetime(2026, 1, 1, 0, 0, 1, 999_999, tzinfo=UTC) for _ in inputs["age"]]
    return {
        "plain": moments,
        "pandas": [pd.Timestamp(moment) for moment in moments],
        "numpy": [np.datetime64("2026-01-01T00:00:01", "ns") for _ in moments],
        "array": np.array(["2026-01-01T00:00:01"] * len(moments), dtype="datetime64[ns]"),
    }


def doubled(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Of request data alone."""
    return {"twice": [None if balance is None else balance * 2 for balance in inputs["balance"]]}


def failing(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Fails for some rows, with their data in the message."""
    return {"x": [1 / int(age != 41) and 1 for age in inputs["age"]]}


def failing_alone(inputs: pd.DataFrame) -> pd.DataFrame:
    """Fails for some rows; those who ask for others mustn't notice."""
    if (inputs["age"] == 41).any():
        raise ValueError("secret 41")
    return pd.DataFrame({"x": [1] * len(inputs)})


def sleepy(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Waits as long as the request says."""
    time.sleep(inputs["seconds"][0])
    return {"x": [1] * len(inputs["seconds"])}


def endless(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Never ends where the request says so."""
    while inputs["forever"][0]:
        pass
    return {"x": [1] * len(inputs["forever"])}


def stuck(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Stays in code that isn't Python's, where the request says so."""
    if inputs["forever"][0]:
        sum(range(10**12))
    return {"x": [1] * len(inputs["forever"])}


def busy(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Computes for some 100 ms."""
    total = 0
    for number in range(2_000_000):
        total += number
    return {"x": [total] * len(inputs["seconds"])}


def misfit(what: Any) -> Callable[[dict[str, list[Any]]], Any]:
    """A function that gives this for each row, or whatever `what` makes of the number of rows."""

    def gives(inputs: dict[str, list[Any]]) -> Any:
        return what(len(inputs["age"])) if callable(what) else what

    return gives


WHOLE = "an integer that fits 64 bits (INT64)"
MISFITS: Mapping[str, tuple[Any, str, str]] = {
    "no_dict": (lambda rows: [1] * rows, "INT64", "gives a list where a dict is wanted"),
    "missing": (lambda rows: {"y": [1] * rows}, "INT64", "doesn't give x"),
    "too_short": (lambda rows: {"x": [1] * (rows - 1)}, "INT64", "gives 1 values of x for 2 rows"),
    "no_list": ({"x": 1}, "INT64", "gives a int for x where a list is wanted"),
    "text": (lambda rows: {"x": [7, "secret"][:rows]}, "INT64", f"gives a str for x, which must be {WHOLE} (row 1)"),
    "flag": (lambda rows: {"x": [True] * rows}, "INT64", f"gives a bool for x, which must be {WHOLE} (row 0)"),
    "fraction": (lambda rows: {"x": [1, 1.5][:rows]}, "INT64", "(row 1)"),
    "huge": (lambda rows: {"x": [2**63] * rows}, "INT64", "(row 0)"),
    "number": (lambda rows: {"x": [3] * rows}, "STRING", "gives a int for x, which must be a string (STRING) (row 0)"),
    "list": (lambda rows: {"x": [[1, "a"]] * rows}, "INT64_LIST", "(row 0)"),
}  # fmt: skip

KEPT = on_demand("kept", by_columns, OUTPUTS, request=BALANCE, entities=[CUSTOMER], on_write=True)
CHAINED = on_demand("chained", seen, {"seen": "STRING"}, [projection("kept", "ratio")])
VIEWS = (
    PROFILE,
    VISITS,
    TILL,
    *(on_demand(name, features=OUTPUTS, request=BALANCE, **how) for name, how in MODES.items()),
    on_demand("both_views", of_both_views, {"sum": "INT64"}, [FROM_PROFILE, FROM_VISITS]),
    on_demand("both_keys", of_both, {"sum": "INT64"}, [FROM_VISITS, FROM_TILL]),
    on_demand("renamed", of_both_views, {"sum": "INT64"}, [BUYER, FROM_VISITS]),
    on_demand("seen", seen, {"seen": "STRING"}, request=BALANCE),
    on_demand("seen_frame", seen_frame, {"seen": "STRING"}, [FROM_PROFILE, FROM_VISITS], request=BALANCE, mode="pandas"),
    on_demand("request_only", doubled, {"twice": "DOUBLE"}, [], request=BALANCE),
    on_demand("request_only_float", doubled, {"twice": "FLOAT"}, [], request=BALANCE),
    on_demand("failing", failing, {"x": "INT64"}),
    on_demand("failing_alone", failing_alone, {"x": "INT64"}, mode="pandas", tags={"row_wise": "true"}),
    on_demand("sleepy", sleepy, {"x": "INT64"}, [], request={"seconds": "DOUBLE"}),
    on_demand("busy", busy, {"x": "INT64"}, [], request={"seconds": "DOUBLE"}),
    on_demand("stuck", stuck, {"x": "INT64"}, [], request={"forever": "BOOL"}),
    on_demand("endless", endless, {"x": "INT64"}, [], request={"forever": "BOOL"}),
    on_demand("broken", b"not a pickle", {"x": "INT64"}),
    on_demand("chain", seen, {"seen": "STRING"}, [projection("columns", "ratio")]),
    *(on_demand(name, misfit(what), {"x": value_type}) for name, (what, value_type, _) in MISFITS.items()),
    on_demand("timely", timely, dict.fromkeys(("plain", "pandas", "numpy", "array"), "UNIX_TIMESTAMP")),
    on_demand("changing", changing, {"n": "INT64"}),
    on_demand("changing_row", changing_row, {"n": "INT64"}, singleton=True),
    on_demand("counting", counting, {"m": "INT64"}),
    SLOT,
    on_demand("seen_slot", seen, {"seen": "STRING"}, [projection("slot", "free")], request={"at": "UNIX_TIMESTAMP"}),
    on_demand("seen_slot_frame", seen_frame, {"seen": "STRING"}, [projection("slot", "free")], mode="pandas"),
    on_demand("seen_till", seen, {"seen": "STRING"}, [FROM_TILL]),
    on_demand("seen_whole", seen, {"seen": "STRING"}, [], request={"x": "INT64"}),
    on_demand("seen_double", seen, {"seen": "STRING"}, [], request={"x": "DOUBLE"}),
    on_demand("ambiguous", by_columns, OUTPUTS, [projection("visits", "score"), projection("till", "score")],
              entities=[CUSTOMER], on_write=True),
    KEPT,
    CHAINED,
)  # fmt: skip
SERVICES = [
    service("model", projection("profile", "age"), projection("columns", "ratio", "is_adult")),
    service("aliased", projection("columns", "ratio", alias="mine")),
]


def computing(connection_string: str) -> CatalogDefinition:
    """All of them."""
    return definition(*VIEWS, services=SERVICES, connection_string=connection_string)
