"""A job from its question to its report, in one process: what is chosen, what stays, what is said when it can't be done."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from feast import FeatureView, Field, FileSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float32, Int64, String

from pipelines.local.redis import EmbeddedRedis
from service.materialization.job import Job, MaterializationFailed
from service.materialization.run import materialize
from tests.servers.feast_repo import CUSTOMER

from .shelf import END, FEASTS, MOMENT, START, Shelf, view, visits


def read(shelf: Shelf, feature: str, *customers: int) -> list[object]:
    """What Feast's SDK reads of ours."""
    rows = [{"customer_id": customer} for customer in customers]
    return list(shelf.ours.store.get_online_features([feature], rows).to_dict()[feature.partition(":")[2]])


def refusal(shelf: Shelf, *views: str, start: datetime | None = START, end: datetime = END) -> MaterializationFailed:
    """Why it can't be done."""
    with pytest.raises(MaterializationFailed) as caught:
        shelf.run(start, end, views)
    return caught.value


def test_rows_can_be_read_and_are_reported(shelf: Shelf) -> None:
    """By view, with what was told on the way."""
    shelf.apply(visits(shelf, {1: 10, 2: 20}), visits(shelf, {2: 7}, "others"))
    report, events = shelf.run()
    assert read(shelf, "visits:visits", 1, 2, 3) == [10, 20, None]
    assert [(one.view, one.start, one.end, one.rows, one.writer, one.skipped) for one in report.views] == [
        ("visits", START, END, 2, "fast", False),
        ("others", START, END, 1, "fast", False),
    ]
    assert report.rows == 3
    assert events[0] == {
        "event": "started",
        "views": [{"view": name, "start": START.isoformat(), "end": END.isoformat()} for name in ("visits", "others")],
    }
    assert [event for event in events if event["event"] == "progress"][-1] == {
        "event": "progress", "view": "others", "rows": 1, "of": 1,
    }  # fmt: skip
    assert [event["view"] for event in events if event["event"] == "view_done"] == ["visits", "others"]


def test_only_rows_of_the_interval_go(shelf: Shelf) -> None:
    """Of views that are named."""
    shelf.apply(visits(shelf, {1: 10}), visits(shelf, {1: 7}, "others"))
    report, _ = shelf.run(START, MOMENT - timedelta(seconds=1), ["visits"])
    assert [(one.view, one.rows) for one in report.views] == [("visits", 0)]
    assert shelf.dump(0) == {}


def test_incremental_begins_where_the_last_one_ended(shelf: Shelf) -> None:
    """As the registry notes it, and at first as far back as the ttl goes."""
    ttl = timedelta(days=30)
    shelf.apply(visits(shelf, {1: 10}, ttl=ttl))
    now = datetime.now(UTC)
    report, _ = shelf.run(None, now)
    assert abs(report.views[0].start - (now - ttl)) < timedelta(seconds=30)
    report, _ = shelf.run(None, now + timedelta(hours=1))
    assert report.views[0].start == now
    assert report.views[0].end == now + timedelta(hours=1)


def test_a_first_incremental_goes_back_from_its_end(shelf: Shelf) -> None:
    """By the ttl, and the registry says the same. Feast goes back from now: up to a past end it writes too little."""
    shelf.apply(visits(shelf, {1: 10}, ttl=timedelta(days=30)))
    report, _ = shelf.run(None, END)
    assert [(one.start, one.end, one.rows) for one in report.views] == [(END - timedelta(days=30), END, 1)]
    shelf.ours.reopen()
    assert shelf.ours.store.get_feature_view("visits").materialization_intervals == [(END - timedelta(days=30), END)]


def test_incremental_to_where_it_has_been(shelf: Shelf) -> None:
    """Nothing is new, and nothing is noted: Feast would note an interval that ends before it begins."""
    shelf.apply(visits(shelf, {1: 10}))
    shelf.run()
    for end in (END, END - timedelta(days=1)):
        report, _ = shelf.run(None, end)
        assert [(one.skipped, one.rows) for one in report.views] == [(True, 0)]
    shelf.ours.reopen()
    assert shelf.ours.store.get_feature_view("visits").materialization_intervals == [(START, END)]


def test_a_newer_row_stays_and_one_of_the_same_time_is_replaced(shelf: Shelf) -> None:
    """Whoever wrote it; and the source may have been mended since."""
    first = visits(shelf, {1: 10, 2: 20})
    shelf.apply(first)
    shelf.ours.write(first, {1: {"visits": 99}}, MOMENT + timedelta(microseconds=1))
    shelf.ours.write(first, {2: {"visits": 99}}, MOMENT)
    report, _ = shelf.run()
    assert read(shelf, "visits:visits", 1, 2) == [99, 20]
    assert report.rows == 2


def test_resume_passes_over_what_is_done(shelf: Shelf) -> None:
    """By the registry; other intervals and other views are done."""
    shelf.apply(visits(shelf, {1: 10}), visits(shelf, {1: 7}, "others"))
    shelf.run(START, END, ["visits"])
    shelf.redis().flushdb()
    report, _ = shelf.run(resume=True)
    assert {one.view: one.skipped for one in report.views} == {"others": False, "visits": True}
    assert read(shelf, "visits:visits", 1) == [None]
    report, _ = shelf.run(START - timedelta(days=1), resume=True)
    assert not any(one.skipped for one in report.views)
    report, _ = shelf.run(None, END, resume=True)
    assert all(one.skipped for one in report.views)
    assert read(shelf, "visits:visits", 1) == [10]


def test_all_rows_whatever_start_and_end_are(shelf: Shelf) -> None:
    """Feast's word for that is disable_event_timestamp."""
    shelf.apply(visits(shelf, {1: 10}, at=datetime(1999, 1, 1, tzinfo=UTC)))
    report, _ = shelf.run(START, END, disable_event_timestamp=True)
    assert (report.rows, report.views[0].start) == (1, datetime(1970, 1, 1, tzinfo=UTC))


def test_columns_are_renamed_as_the_source_says(shelf: Shelf) -> None:
    """Keys and features by their field_mapping."""
    file = shelf.file("renamed", {"cid": [1], "v": [10]})
    source = FileSource(
        name="renamed", path=file.path, timestamp_field="event_timestamp", field_mapping={"cid": "customer_id", "v": "visits"}
    )
    shelf.apply(view("renamed", source, {"visits": Int64}))
    shelf.run()
    assert read(shelf, "renamed:visits", 1) == [10]


def test_a_kept_on_demand_view_is_written_by_feast(shelf: Shelf) -> None:
    """Its rows aren't counted, and the report says whose writer it was."""
    source = visits(shelf, {1: 10})

    @on_demand_feature_view(
        sources=[source],
        entities=[CUSTOMER],
        schema=[Field(name="double", dtype=Int64)],
        mode="pandas",
        write_to_online_store=True,
    )
    def doubled(inputs):  # type: ignore[no-untyped-def]
        import pandas as pd

        return pd.DataFrame({"double": inputs["visits"] * 2})

    shelf.apply(source, doubled)
    report, _ = shelf.run()
    assert [(one.view, one.rows, one.writer) for one in report.views] == [("visits", 1, "fast"), ("doubled", None, "feast")]


def test_views_that_arent_there(shelf: Shelf) -> None:
    """Are named, with those that are."""
    shelf.apply(visits(shelf, {1: 10}), visits(shelf, {1: 7}, "offline_only", online=False))
    error = refusal(shelf, "vists")
    assert error.kind == "unknown_view"
    assert "vists" in str(error)
    assert str(error).endswith("There are visits.")
    error = refusal(shelf, "offline_only")
    assert error.kind == "bad_request"
    assert "offline_only" in str(error)


def test_questions_that_mean_nothing(shelf: Shelf) -> None:
    """Are refused before anything is opened."""
    assert "lies after the end" in str(refusal(shelf, start=END, end=START))
    with pytest.raises(MaterializationFailed, match=r"There is no Feast configuration at .*nowhere"):
        materialize(Path("/nowhere"), Job(START, END), print)


def test_a_source_that_isnt_there(shelf: Shelf) -> None:
    """The view and its file are named; views before it stay done."""
    shelf.apply(visits(shelf, {1: 10}, "first"), visits(shelf, {1: 7}, "second"))
    (shelf.folder / "second.parquet").unlink()
    error = refusal(shelf)
    assert error.kind == "offline_store"
    assert str(error).startswith("second: its source second can't be read: FileNotFoundError")
    assert read(shelf, "first:visits", 1) == [10]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"customer_id": pa.array([1, None], pa.int64()), "x": [1, 2]}, "null, in row 1 of what its source has"),
        ({"customer_id": ["a"], "x": [1]}, 'must be an integer that fits 64 bits (INT64), not the string "a"'),
        ({"customer_id": [1], "x": ["many"]}, "x of rows 0 to 0 of what its source has can't be stored as INT64"),
    ],
)
def test_rows_that_cant_be_stored(shelf: Shelf, table: dict[str, object], words: str) -> None:
    """Are named, and nothing is coerced."""
    shelf.apply(view("odd", shelf.file("odd", {name: pa.array(column) for name, column in table.items()}), {"x": Int64}))
    error = refusal(shelf)
    assert error.kind == "other"
    assert words in str(error)


def test_a_registry_that_isnt_there(shelf: Shelf) -> None:
    """Is said to be the registry's fault."""
    shelf.apply(visits(shelf, {1: 10}))
    shelf.ours.registry_file.unlink()
    shelf.ours.registry_file.mkdir()
    assert refusal(shelf).kind == "registry"


def test_a_key_that_isnt_a_hash(shelf: Shelf) -> None:
    """Is named; a repetition wouldn't help."""
    shelf.apply(visits(shelf, {1: 10}))
    shelf.run()
    (key,) = shelf.redis().keys()
    shelf.redis().set(key, "text")
    error = refusal(shelf)
    assert error.kind == "store"
    assert "isn't a hash" in str(error)
    assert repr(key) in str(error)


def test_other_engines_and_stores_are_feasts(tmp_path: Path, server: EmbeddedRedis) -> None:
    """What the writer here doesn't write, Feast's does; what it writes with `local` of a backend of its own, too."""
    sqlite = {"type": "sqlite", "path": str(tmp_path / "online.db")}
    shelf = Shelf(tmp_path / "sqlite", server, online_store=sqlite)
    shelf.ours.apply(visits(shelf, {1: 10}))
    report, _ = shelf.run()
    assert [(one.writer, one.rows) for one in report.views] == [("feast", None)]
    assert read(shelf, "visits:visits", 1) == [10]


def test_feast_itself_writes_by_the_engine(tmp_path: Path, server: EmbeddedRedis) -> None:
    """Where feature_store.yaml names it, `feast materialize` does: rows of the same time are replaced, as Feast wouldn't."""
    engine = {"type": "service.materialization.engine.RedisEngine"}
    shelf = Shelf(tmp_path, server, batch_engine=engine)
    first = visits(shelf, {1: 10})
    shelf.ours.apply(first)
    shelf.ours.write(first, {1: {"visits": 99}}, MOMENT)
    shelf.ours.store.materialize(START, END)
    assert read(shelf, "visits:visits", 1) == [10]


def test_features_of_several_types(shelf: Shelf) -> None:
    """Read back by Feast."""
    file = shelf.file("mixed", {"customer_id": [1], "f": pa.array([0.5], pa.float32()), "s": ["gold"]})
    shelf.apply(FeatureView(name="mixed", entities=[CUSTOMER], ttl=timedelta(days=365), source=file, schema=[
        Field(name="customer_id", dtype=Int64), Field(name="f", dtype=Float32), Field(name="s", dtype=String)]))  # fmt: skip
    shelf.run()
    assert (read(shelf, "mixed:f", 1), read(shelf, "mixed:s", 1)) == ([0.5], ["gold"])
    assert shelf.dump(FEASTS) == {}
