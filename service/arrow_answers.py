"""Columns of an answer as an Arrow IPC stream: one record batch, null where the JSON has null."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson

from service.answer_columns import check_names, values_in_row
from service.codec.timestamps import EPOCH_JSON
from service.codec.values import codec_for
from service.errors import UnreadableValue
from service.plan import ReadPlan
from service.vectors import STATUSES, Column

# What the columns beside a feature's are called; that of times is Feast's own postfix.
STATUS_POSTFIX = "__status"
TIME_POSTFIX = "__ts"
# Values that are encoded within a millisecond: they take 25 to 40 ns each.
VALUES_AT_ONCE = 25_000
# Of an event time's JSON text: what stands between the quotes, down to microseconds.
_TO_MICROSECONDS = slice(1, 27)
_INDEXES = {status: index for index, status in enumerate(STATUSES)}


class ArrowAnswer:
    """Makes the answers of one plan.

    The first `encode` of a process loads pyarrow (0.2 s): it belongs into a thread, as do all until it is done.
    """

    _is_loaded: ClassVar[bool] = False

    def __init__(self, plan: ReadPlan, statuses: bool = False, times: bool = False) -> None:
        """`statuses` and `times` add a column each to each feature's; raises FeatureNameCollision."""
        check_names(plan, [STATUS_POSTFIX] * statuses + [TIME_POSTFIX] * times)
        self._names = plan.names
        self._types = plan.types
        self._codecs = [codec_for(value_type) for value_type in plan.types]
        self._echoed = len(plan.echoed)
        self._statuses = statuses
        self._times = times
        self._values_in_row = values_in_row(plan, statuses + times)
        self._view_metadata = orjson.loads(plan.metadata).get("feature_view_metadata")

    def is_quick(self, rows: int) -> bool:
        """Whether `encode` needs no thread: pyarrow is loaded, and it takes no longer than a millisecond."""
        return ArrowAnswer._is_loaded and rows * self._values_in_row <= VALUES_AT_ONCE

    def encode(self, columns: Sequence[Column]) -> bytes:
        """The stream; raises UnreadableValue for what is stored and isn't of its feature's type. Hot."""
        import pyarrow as pa

        from service.codec.arrow_arrays import Unfit, array_of

        made = _Made()
        arrays = []
        for position, (value_type, codec, column) in enumerate(zip(self._types, self._codecs, columns, strict=True)):
            # Ids were checked when the keys were made of them.
            is_uniform = codec.is_uniform or position < self._echoed
            try:
                arrays.append(array_of(value_type, column.values, is_uniform, is_complete=column.statuses is None))
            except Unfit as unfit:
                raise self._explain(position, column.values) from unfit
            if position >= self._echoed:
                if self._statuses:
                    arrays.append(made.statuses(column))
                if self._times:
                    arrays.append(made.times(column))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._schema) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        stream: bytes = sink.getvalue().to_pybytes()
        ArrowAnswer._is_loaded = True
        return stream

    def _explain(self, position: int, values: Sequence[Any]) -> UnreadableValue:
        """What is wrong with a column that doesn't fit."""
        from service.codec.arrow_arrays import fits

        name, value_type = self._names[position], self._types[position]
        row = next((row for row, value in enumerate(values) if not fits(value_type, value)), None)
        place = "" if row is None else f" of row {row}"
        return UnreadableValue(
            f"{name}{place} is stored as something that an Arrow column of {value_type} doesn't hold; JSON does."
        )

    @functools.cached_property
    def _schema(self) -> Any:
        import pyarrow as pa

        from service.codec.arrow_types import arrow_type

        fields = []
        for position, (name, value_type) in enumerate(zip(self._names, self._types, strict=True)):
            fields.append(pa.field(name, arrow_type(value_type), metadata={"feast_type": value_type}))
            if position >= self._echoed:
                if self._statuses:
                    fields.append(pa.field(name + STATUS_POSTFIX, pa.dictionary(pa.int8(), pa.string())))
                if self._times:
                    fields.append(pa.field(name + TIME_POSTFIX, arrow_type("UNIX_TIMESTAMP")))
        more = None if self._view_metadata is None else {"feature_view_metadata": orjson.dumps(self._view_metadata)}
        return pa.schema(fields, more)


class _Made:
    """The arrays of statuses and times of one answer: features share them, so each is made once."""

    def __init__(self) -> None:
        # By the identity of what they are made of, which lives as long as the answer's columns.
        self._statuses: dict[int, Any] = {}
        self._times: dict[int, Any] = {}

    def statuses(self, column: Column) -> Any:
        key = id(column.statuses)  # that of None, too: all columns have the same rows
        found = self._statuses.get(key)
        if found is None:
            found = self._statuses[key] = _dictionary(column.statuses, len(column.values))
        return found

    def times(self, column: Column) -> Any:
        found = self._times.get(id(column.times))
        if found is None:
            found = self._times[id(column.times)] = _moments(column.times)
        return found


def _dictionary(statuses: Sequence[str] | None, rows: int) -> Any:
    import pyarrow as pa

    indexes = bytes(rows) if statuses is None else bytes(map(_INDEXES.__getitem__, statuses))
    return pa.DictionaryArray.from_arrays(pa.Array.from_buffers(pa.int8(), rows, [None, pa.py_buffer(indexes)]), _statuses())


@functools.cache
def _statuses() -> Any:
    from service.codec.arrow_arrays import array_of

    return array_of("STRING", STATUSES)


def _moments(texts: Sequence[bytes]) -> Any:
    """Event times to the microsecond; null for the epoch, which stands where there is none."""
    import pyarrow as pa

    from service.codec.arrow_arrays import array_of
    from service.codec.arrow_types import arrow_type

    plain = [None if text == EPOCH_JSON else text[_TO_MICROSECONDS].rstrip(b'Z"').decode() for text in texts]
    moments = array_of("STRING", plain).cast(pa.timestamp("us"))
    return moments.view(arrow_type("UNIX_TIMESTAMP"))
