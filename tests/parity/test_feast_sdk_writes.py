"""Feast's own SDK, told that its online store is our service, writes what it writes to Redis itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from feast import FeatureStore

from .depot import FEASTS, MOMENT, OURS, VALUES, Depot

# What of a view the SDK reads back from a remote store in the type that it gave: of the others JSON tells less.
SCALARS = ["int32", "int64", "float32", "float64", "bool", "string"]
READ_BACK = [*SCALARS, "int64s", "float32s", "float64s", "bools", "strings", "map", "struct", "structs"]


def frame(customers: list[int], seconds: float = 0.0, **columns: list[Any]) -> pd.DataFrame:
    """Rows as a user of the SDK has them."""
    moment = MOMENT + timedelta(seconds=seconds)
    times = {"at": [moment] * len(customers), "made": [moment] * len(customers)}
    return pd.DataFrame({"customer_id": customers, **columns, **times})


def types_frame(customers: list[int]) -> pd.DataFrame:
    """Rows with a value of each type."""
    return frame(customers, **{name: [value] * len(customers) for name, (_, value) in VALUES.items()})


def everywhere(depot: Depot, view: str, push_source: str | None, df: pd.DataFrame) -> None:
    """The same write through our service and to Redis itself; what then stands is the same."""
    for store in (depot.remote, depot.direct):
        if push_source is None:
            store.write_to_online_store(view, df)
        else:
            store.push(push_source, df)
    ours, theirs = depot.hashes(OURS), depot.hashes(FEASTS)
    assert ours == theirs
    assert ours


def read(store: FeatureStore, features: list[str], **entities: list[Any]) -> dict[str, list[Any]]:
    """What the SDK reads."""
    found: dict[str, list[Any]] = store.get_online_features(features=features, entity_rows=entities).to_dict()
    return found


@pytest.mark.parametrize("push_source", ["types_push", None], ids=["push", "write_to_online_store"])
def test_every_type_is_written_as_to_redis_itself(depot: Depot, push_source: str | None) -> None:
    """Byte for byte, event times to the microsecond; and Feast's own Redis store reads every value."""
    everywhere(depot, "types", push_source, types_frame([1, 2**62]))
    stored = depot.read("types", customer_id=2**62)
    assert stored is not None
    assert set(stored) == set(VALUES)
    assert all(value.WhichOneof("val") for value in stored.values())


def test_what_was_written_is_read(depot: Depot) -> None:
    """By the SDK through our service as from Redis itself."""
    everywhere(depot, "types", "types_push", types_frame([1]))
    for name in READ_BACK:
        features = [f"types:{name}"]
        assert read(depot.remote, features, customer_id=[1, 2]) == read(depot.direct, features, customer_id=[1, 2])
        assert read(depot.remote, features, customer_id=[1])[name] != [None]


def test_nulls(depot: Depot) -> None:
    """Of single features, and of a time of creation."""
    df = frame([1, 2, 3], x=[1, None, 3], y=[None, 0.5, 1.5])
    df["made"] = [MOMENT, None, MOMENT]
    everywhere(depot, "plain", "plain_push", df)
    assert read(depot.remote, ["plain:x", "plain:y"], customer_id=[1, 2, 3]) == {
        "customer_id": [1, 2, 3],
        "x": [1, None, 3],
        "y": [None, 0.5, 1.5],
    }


@pytest.mark.parametrize("view", ["plain", "keyed", "label"])
def test_views_of_every_kind(depot: Depot, view: str) -> None:
    """Whether or not their schema names the join key."""
    everywhere(depot, view, f"{view}_push", frame([1, 2], x=[7, 8], y=[0.5, 1.5]))


def test_what_the_sdk_sends_of_a_stream_view_is_refused(depot: Depot) -> None:
    """It sends the join key as a key and as a feature, in one column that is twice as long; stock refuses it, too."""
    with pytest.raises(RuntimeError, match="y has 2, customer_id has 4"):
        depot.remote.push("stream_push", frame([1, 2], x=[7, 8], y=[0.5, 1.5]))
    assert depot.hashes(OURS) == {}


def test_a_source_of_two_views(depot: Depot) -> None:
    """The SDK writes one after the other."""
    everywhere(depot, "first", "both_push", frame([1, 2], x=[7, 8], y=[0.5, 1.5]))
    assert read(depot.remote, ["first:x", "second:y"], customer_id=[2]) == {"customer_id": [2], "x": [8], "y": [1.5]}


def test_composite_keys(depot: Depot) -> None:
    """In whatever order the SDK sends their columns."""
    df = frame([1, 1], x=[7, 8], y=[0.5, 1.5])
    df["store_id"] = ["nord", "süd"]
    everywhere(depot, "composite", "composite_push", df)
    assert read(depot.remote, ["composite:x"], customer_id=[1], store_id=["süd"])["x"] == [8]


def test_a_view_without_an_entity(depot: Depot) -> None:
    """Is read again by Feast; what the SDK itself writes to Redis, it never finds."""
    df = frame([1], x=[7], y=[0.5]).drop(columns="customer_id")
    depot.remote.push("everyone_push", df)
    depot.direct.push("everyone_push", df)
    alone = {"__dummy_id": [""]}
    assert read(depot.remote, ["everyone:x"], **alone) == {"x": [7]}
    assert depot.world.store.get_online_features(features=["everyone:x"], entity_rows=alone).to_dict() == {"x": [7]}
    assert read(depot.direct, ["everyone:x"], **alone) == {"x": [None]}


def test_the_newest_row_stays(depot: Depot) -> None:
    """An older one is no error."""
    for seconds, x in ((0, 1), (5, 2), (3, 3)):
        everywhere(depot, "plain", "plain_push", frame([1], seconds, x=[x], y=[0.5]))
    assert read(depot.remote, ["plain:x"], customer_id=[1])["x"] == [2]


def test_times_with_a_zone_or_without(depot: Depot) -> None:
    """The same moment."""
    df = frame([1, 2], x=[1, 2], y=[0.5, 0.5])
    for times in (df["at"].dt.tz_convert("Europe/Berlin"), df["at"].dt.tz_localize(None)):
        depot.empty()
        everywhere(depot, "plain", "plain_push", df.assign(at=times, made=times))


def test_thousands_of_rows(depot: Depot) -> None:
    """In one request."""
    amount = 3000
    df = frame(list(range(amount)), x=list(range(amount)), y=[0.5] * amount)
    depot.remote.push("plain_push", df)
    assert len(depot.hashes(OURS)) == amount
    assert read(depot.remote, ["plain:x"], customer_id=[2999])["x"] == [2999]


def test_a_refusal_says_why(depot: Depot) -> None:
    """In the text of the SDK's error; nothing is written."""
    ahead = pd.Timestamp(datetime.now(UTC) + timedelta(days=1))
    df = frame([1, 2], x=[1, 2], y=[0.5, 0.5]).assign(at=[pd.Timestamp(MOMENT), ahead])
    with pytest.raises(RuntimeError, match=r"Error_code=422, .*event_timestamp lies in the future"):
        depot.remote.push("plain_push", df)
    assert depot.hashes(OURS) == {}
