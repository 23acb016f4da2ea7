"""Where a call runs, and how long it may take.

A call that is known to be short runs in the event loop: a thread costs as much as the call. Any other runs in a thread, so that
other requests get their turn.
"""

import logging
import time

from service.errors import ComputationFailed, ComputationTimeout
from service.metrics import Histogram, Metrics
from service.transforms.alarm import Alarm, OverBudget
from service.transforms.calls import Call, Output
from service.transforms.functions import Function
from service.transforms.modes import Columns
from service.transforms.together import Together

logger = logging.getLogger(__name__)

# What the event loop may be held up by one call; a small read takes a twentieth of it.
INLINE_SECONDS = 0.002
# A call that took longer than its own processor time by this much has waited for something. Less is the interpreter's lock,
# which another thread keeps for 5 ms at a time.
WAITING_SECONDS = 0.01


class Transforms:
    """Runs calls; one for each worker."""

    def __init__(self, metrics: Metrics, budget_seconds: float) -> None:
        self._metrics = metrics
        self._budget = budget_seconds
        self._alarm = Alarm(budget_seconds)
        self._seconds: dict[str, Histogram] = {}
        self._together = Together(self._run)

    def expect(self, call: Call) -> bool:
        """Say that a request will make a call, if that matters; who has said so runs it, or takes it back. Hot."""
        if call.function.row_wise:
            self._together.expect(call)
            return True
        return False

    def forget(self, call: Call) -> None:
        """Take it back."""
        self._together.forget(call)

    async def run(self, call: Call, columns: Columns, rows: int, expected: bool = False) -> list[Output]:
        """The outputs of a call, `rows` values each. Awaits nothing but futures. Hot.

        Raises ComputationFailed and ComputationTimeout.
        """
        if expected:
            return await self._together.join(call, columns, rows)
        return await self._run(call, columns, rows)

    async def _run(self, call: Call, columns: Columns, rows: int) -> list[Output]:
        function = call.function
        estimate = function.timing.estimate(rows)
        try:
            if estimate is not None and estimate < INLINE_SECONDS and self._alarm.usable:
                outputs = self._alarm.run(lambda: self._timed(call, columns, rows))
            else:
                outputs = await function.threads.run(lambda: self._timed(call, columns, rows), self._budget)
        except OverBudget:
            self._count(function, "timeout")
            # The next call is run in a thread, until one has been quick.
            function.timing.record(rows, self._budget)
            message = (
                f"On-demand feature view {function.view}: its function {function.name} takes longer than {self._budget:g} s."
            )
            raise ComputationTimeout(message) from None
        except ComputationFailed:
            self._count(function, "misfit")
            raise
        except Exception as error:  # whatever the function raises
            self._count(function, "error")
            raise await self._explain(call, columns, rows, error) from error
        self._count(function, "ok")
        return outputs

    def _timed(self, call: Call, columns: Columns, rows: int) -> list[Output]:
        """The call itself. Hot."""
        started, worked = time.perf_counter(), time.thread_time()
        outputs = call(columns, rows)
        seconds, own = time.perf_counter() - started, time.thread_time() - worked
        call.function.timing.record(rows, own if seconds - own < WAITING_SECONDS else seconds)
        histogram = self._seconds.get(call.function.view)
        if histogram is None:
            histogram = self._seconds[call.function.view] = self._metrics.histogram("computation_seconds", call.function.view)
        histogram.observe(seconds)
        return outputs

    async def _explain(self, call: Call, columns: Columns, rows: int, error: Exception) -> ComputationFailed:
        """The same failure with the row that it comes from, if it comes from one."""
        function = call.function
        row: int | None = 0
        if rows > 1:
            try:
                row = await function.threads.run(lambda: call.find_row(columns, rows), self._budget)
            except OverBudget:
                row = None
        return ComputationFailed(function.view, function.name, f"raises {type(error).__name__}", row)

    def _count(self, function: Function, outcome: str) -> None:
        self._metrics.count("computations", function.view, outcome)
