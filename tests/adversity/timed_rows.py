"""Rows of two views in one hash, in which every value says by which write it came, and what of them stands in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass

import redis
from google.protobuf.timestamp_pb2 import Timestamp

from service.store.writes import HashWrite

PROFILE = (b"_ts:profile", [b"p%d" % number for number in range(7)])
ORDERS = (b"_ts:orders", [b"o%d" % number for number in range(3)])
ONE_VIEW = HashWrite([PROFILE])
BOTH_VIEWS = HashWrite([PROFILE, ORDERS])


def event_time(seconds: int, nanos: int = 0) -> bytes:
    """An event time as Feast stores it."""
    return Timestamp(seconds=seconds, nanos=nanos).SerializeToString()


def columns(marks: Sequence[object], views: int = 1) -> list[list[bytes]]:
    """The values of rows, a mark for each row: a column for each feature of the first views."""
    fields = [field for _, features in (PROFILE, ORDERS)[:views] for field in features]
    return [[b"%s of %s" % (field, str(mark).encode()) for mark in marks] for field in fields]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of one view of a row."""

    time: bytes
    mark: str


def standing(port: int, keys: Sequence[bytes], view: tuple[bytes, Sequence[bytes]] = PROFILE) -> list[Standing | None]:
    """What stands under each key, None where nothing does; AssertionError for a row that is half there or mixed."""
    time_field, features = view
    with redis.Redis(port=port) as client, client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hmget(key, [time_field, *features])
        return [_whole(row, features) for row in pipeline.execute()]


def _whole(row: Sequence[bytes | None], features: Sequence[bytes]) -> Standing | None:
    if set(row) == {None}:
        return None
    assert None not in row, f"half a row: {row}"
    time, *values = [value for value in row if value is not None]
    marks = {value.removeprefix(b"%s of " % field) for field, value in zip(features, values, strict=True)}
    assert len(marks) == 1, f"values of several writes: {row}"
    return Standing(time, marks.pop().decode())
