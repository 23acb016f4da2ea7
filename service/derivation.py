"""On-demand features of one request: inputs to functions, and from what became of the inputs each value's status and time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from service.codec import timestamps
from service.codec.natives import NOT_NATIVE
from service.computations import Computation
from service.errors import UnreadableValue
from service.plan import ReadPlan
from service.transforms import Call, Transforms
from service.vectors import NOT_FOUND, NULL_VALUE, OUTSIDE_MAX_AGE, PRESENT, Column, VectorBuilder

# A derived value is as good as the worst of its inputs.
_RANKS = {status: rank for rank, status in enumerate((PRESENT, NULL_VALUE, OUTSIDE_MAX_AGE, NOT_FOUND))}
_NANOSECONDS = 1_000_000_000


class Derivation:
    """Computes what a plan computes; one for each worker."""

    def __init__(self, transforms: Transforms, builder: VectorBuilder, clock: Callable[[], int]) -> None:
        """`clock` gives nanoseconds since the epoch: the time of values that are made of request data alone."""
        self._transforms = transforms
        self._builder = builder
        self._clock = clock

    def expect(self, plan: ReadPlan) -> list[Call]:
        """Say what a request will compute, before it reads; what of it is left in the end, for `forget`. Hot."""
        return [one.call for one in plan.computations if self._transforms.expect(one.call)]

    def forget(self, expected: Sequence[Call]) -> None:
        """What a request that failed will not compute."""
        for call in expected:
            self._transforms.forget(call)

    async def add(
        self,
        plan: ReadPlan,
        columns: list[Any],
        entities: Mapping[str, Sequence[Any]],
        data: Sequence[Any],
        rows: int,
        expected: list[Call],
    ) -> None:
        """Put each computed feature where it belongs in `columns`, which has all that was read. Hot.

        `data` is the plan's request data; `expected` is what `expect` gave, and loses what is run. Raises ComputationFailed and
        ComputationTimeout.
        """
        for computation in plan.computations:
            inputs: list[Column] = [columns[index] for index, _ in computation.inputs]
            try:
                given = [native(columns[index].values) for index, native in computation.inputs]
                given += [native(entities[key]) for key, native in computation.keys]
            except NOT_NATIVE as error:
                message = f"On-demand feature view {computation.view}: an input isn't of its type, or beyond the year 9999."
                raise UnreadableValue(message) from error
            given += [data[index] for index in computation.request]
            is_expected = bool(expected) and expected[0] is computation.call
            if is_expected:
                del expected[0]
            outputs = await self._transforms.run(computation.call, given, rows, is_expected)
            statuses = _worst(inputs, rows)
            times = self._oldest(inputs, rows)
            for (values, complete), positions in zip(outputs, computation.outputs, strict=True):
                column = Column(values, statuses if complete else _with_nulls(values, statuses), times)
                self._count(computation, column, rows)
                for position in positions:
                    columns[position] = column

    def _oldest(self, inputs: Sequence[Column], rows: int) -> Sequence[bytes]:
        """For each row the oldest event time of the inputs that have one."""
        by_view = list({id(column.times): column.times for column in inputs}.values())
        if len(by_view) == 1:
            return by_view[0]
        if not by_view:
            now = self._clock()
            return [b'"%s"' % timestamps.format_timestamp(now // _NANOSECONDS, 0).encode()] * rows
        return [
            min([text for text in texts if text != timestamps.EPOCH_JSON] or texts, key=_sortable)
            for texts in zip(*by_view, strict=True)
        ]

    def _count(self, computation: Computation, column: Column, rows: int) -> None:
        counted = self._builder.cells_of(computation.view)
        if column.statuses is None:
            self._builder.cells[counted[0]] += rows
        else:
            self._builder.count(counted, column.statuses)


def _sortable(text: bytes) -> bytes:
    """Texts of four-digit years without quotes and Z sort as their times do."""
    return text[:-2]


def _worst(inputs: Sequence[Column], rows: int) -> list[str] | None:
    """For each row the worst of the inputs' statuses; None where all are PRESENT."""
    found = [column.statuses for column in inputs if column.statuses is not None]
    if not found:
        return None
    return [max(statuses, key=_RANKS.__getitem__) for statuses in zip(*found, strict=True)]


def _with_nulls(values: Sequence[Any], statuses: list[str] | None) -> list[str]:
    """The statuses of computed values of which some are null."""
    known = statuses or [PRESENT] * len(values)
    return [NULL_VALUE if value is None and status is PRESENT else status for value, status in zip(values, known, strict=True)]
