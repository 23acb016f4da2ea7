"""POST /push and POST /write-to-online-store: what they take and give."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pandas as pd
import pytest
from feast.feature_server import PushFeaturesRequest, WriteToFeatureStoreRequest

from .kiosk import FRESH, OK, OURS, PATHS, Kiosk, row, stock_client, stock_store

NOT_FOUND = httpx.codes.NOT_FOUND
REFUSED = httpx.codes.UNPROCESSABLE_ENTITY
BROKEN = httpx.codes.INTERNAL_SERVER_ERROR
ACCEPTED = httpx.codes.ACCEPTED
BOTH = (OK, OK)
IN_A_YEAR = [(datetime.now(UTC) + timedelta(days=365)).isoformat()]


def count_of(answer: httpx.Response) -> int:
    """The only value of visits:count in an answer."""
    found: int = answer.json()["results"][1]["values"][0]
    return found


def test_a_push(kiosk: Kiosk) -> None:
    """The same bytes in Redis; stock's answer is empty, ours says what became of the rows."""
    answers = kiosk.push(df=row(count=[8]))
    assert answers.statuses == BOTH
    theirs, ours = kiosk.hashes()
    assert theirs == ours
    assert answers.stock.content == b""
    assert answers.ours.json()["views"] == {"visits": {"written": 1, "stale": 0}}


@pytest.mark.parametrize(
    ("to", "stock", "ours"),
    [
        pytest.param("online", OK, OK, id="online"),
        pytest.param("offline", OK, ACCEPTED, id="offline"),
        pytest.param("online_and_offline", OK, ACCEPTED, id="online_and_offline"),
        pytest.param("both", BROKEN, REFUSED, id="both"),
    ],
)
def test_to(kiosk: Kiosk, to: str, stock: int, ours: int) -> None:
    """Offline rows: stock appends them before it answers, ours has them in a queue that outlives a crash."""
    assert kiosk.push(to=to).statuses == (stock, ours)


def test_offline_rows_are_appended_by_the_request(kiosk: Kiosk) -> None:
    """By stock. Each reads the whole file and writes it anew."""
    before = len(pd.read_parquet(kiosk.history))
    assert kiosk.push(to="offline").ours.json()["queued"] == 1
    assert len(pd.read_parquet(kiosk.history)) == before + 1


def test_offline_batching(kiosk: Kiosk) -> None:
    """Stock's, where it is configured: 202, and until it is flushed the batch is in the process's memory alone."""
    batching = {"offline_push_batching_enabled": True, "offline_push_batching_batch_size": 1000}
    batching["offline_push_batching_batch_interval_seconds"] = 600
    address = f"{kiosk.redis.host}:{kiosk.redis.port},db={OURS + 1}"
    online = {"type": "redis", "connection_string": address}
    store = stock_store(kiosk.world, online, feature_server={"type": "local", **batching})
    before = len(pd.read_parquet(kiosk.history))
    body = {"push_source_name": "visits_push", "df": row(), "to": "offline"}
    with stock_client(store) as stock:
        assert stock.post(PATHS["push"], json=body).status_code == ACCEPTED
        assert len(pd.read_parquet(kiosk.history)) == before
    assert len(pd.read_parquet(kiosk.history)) == before + 1


@pytest.mark.parametrize("flags", [{"allow_registry_cache": False}, {"transform_on_write": False}], ids=str)
@pytest.mark.parametrize("route", ["push", "write"])
def test_flags(kiosk: Kiosk, route: str, flags: dict[str, bool]) -> None:
    """Taken by both, on both routes."""
    send = kiosk.push if route == "push" else kiosk.write
    assert send(**flags).statuses == BOTH
    theirs, ours = kiosk.hashes()
    assert theirs.keys() == ours.keys()


def test_an_unknown_push_source(kiosk: Kiosk) -> None:
    """Stock: 422. Ours: 404, as for all names, with the nearest one."""
    answers = kiosk.push(push_source_name="visit_push")
    assert answers.statuses == (REFUSED, NOT_FOUND)
    assert "Did you mean visits_push" in answers.ours.json()["detail"]


def test_a_write(kiosk: Kiosk) -> None:
    """To one view. Stock answers null."""
    answers = kiosk.write(df=row(count=[9]))
    assert answers.statuses == BOTH
    assert answers.stock.json() is None
    assert answers.ours.json()["written"] == 1
    theirs, ours = kiosk.hashes()
    assert theirs == ours


def test_an_unknown_view(kiosk: Kiosk) -> None:
    """404 of both."""
    assert kiosk.write(feature_view_name="visit").statuses == (NOT_FOUND, NOT_FOUND)


def test_an_unknown_field(kiosk: Kiosk) -> None:
    """Stock ignores it; ours tells of it, since it may be a misspelt one."""
    for send in (kiosk.push, kiosk.write):
        answers = send(too="offline")
        assert answers.statuses == (OK, REFUSED)
        assert answers.ours.json()["errors"][0]["field"] == "too"


@pytest.mark.parametrize(
    "column",
    [0.5, {"0": 0.5}],
    ids=["one value for all rows", "object of rows"],
)
def test_columns_are_lists(kiosk: Kiosk, column: Any) -> None:
    """Stock hands them to pandas, which takes other things for columns, too."""
    df = {name: {"0": values[0]} for name, values in row().items()} if isinstance(column, dict) else row(score=column)
    answers = kiosk.push(df=df)
    assert answers.statuses == (OK, REFUSED)
    assert "must be a list" in answers.ours.json()["detail"]


@pytest.mark.parametrize(
    ("df", "stock"),
    [
        pytest.param(row(score=[0.5, 0.6]), BROKEN, id="ragged columns"),
        pytest.param({}, OK, id="empty frame"),
        pytest.param(row(colour=["red"]), OK, id="unknown column"),
        pytest.param(row(count=None), BROKEN, id="missing column"),
        pytest.param(row(count=[3.7]), OK, id="fraction for an Int64"),
        pytest.param(row(count=["seven"]), BROKEN, id="bad value"),
        pytest.param(row(customer_id=["1"]), OK, id="string for an INT64 key"),
        pytest.param(row(customer_id=[None]), BROKEN, id="null key"),
        pytest.param(row(event_timestamp=[None]), BROKEN, id="null time"),
        pytest.param(row(event_timestamp=IN_A_YEAR), OK, id="far in the future"),
        pytest.param(row(event_timestamp=[1_770_000_000]), OK, id="epoch seconds"),
    ],
)
def test_a_bad_push(kiosk: Kiosk, df: dict[str, Any], stock: int) -> None:
    """Ours: 422 that names the column, and the row where there is one; nothing is written."""
    _, before = kiosk.hashes()
    answers = kiosk.push(df=df)
    assert answers.statuses == (stock, REFUSED)
    assert answers.ours.json()["errors"][0]["field"]
    assert kiosk.hashes()[1] == before


def test_times_in_stocks_forms(kiosk: Kiosk) -> None:
    """With a space for the T, with an offset or without one."""
    for text in ("2026-05-13 10:59:42", "2026-05-13 10:59:42+00:00", "2026-05-13T10:59:42.5Z"):
        kiosk.redis.command("FLUSHALL")
        assert kiosk.push(df=row(event_timestamp=[text], created=[text])).statuses == BOTH
        theirs, ours = kiosk.hashes()
        assert theirs == ours
        assert len(ours) == 1


def test_a_stale_row(kiosk: Kiosk) -> None:
    """The newer one stays in both; only ours tells."""
    answers = kiosk.push(df=row(count=[1], event_timestamp=["2026-01-01T00:00:00Z"]))
    assert answers.statuses == BOTH
    assert answers.stock.content == b""
    assert answers.ours.json()["stale"] == 1
    assert list(map(count_of, kiosk.read())) == [7, 7]


def test_a_row_of_the_same_time(kiosk: Kiosk) -> None:
    """Stock keeps the first, so that a correction is lost; ours the last."""
    moment = [datetime.now(UTC).isoformat()]
    for count in (1, 2):
        kiosk.push(df=row(count=[count], event_timestamp=moment))
    assert list(map(count_of, kiosk.read())) == [1, 2]


def test_rows_by_row(kiosk: Kiosk) -> None:
    """Ours only: rows in place of df. Stock: 422, df is missing."""
    one = {name: values[0] for name, values in row(FRESH).items()}
    body = {"push_source_name": "visits_push", "rows": [one]}
    assert kiosk.ask("POST", PATHS["push"], json=body).statuses == (REFUSED, OK)


def test_every_field_of_stock_is_looked_at() -> None:
    """What a later Feast brings has to be told, too."""
    shared = {"df", "allow_registry_cache", "transform_on_write"}
    assert set(PushFeaturesRequest.model_fields) == shared | {"push_source_name", "to"}
    assert set(WriteToFeatureStoreRequest.model_fields) == shared | {"feature_view_name"}
