"""Where a call runs, and how long it may take.

A call that is known to be short runs in the event loop: a thread costs as much as the call. Any other runs in a thread, so that
other requests get their turn; also one that then takes longer than it was known to.
"""

import functools
import time

from service.errors import ComputationFailed, ComputationTimeout
from service.metrics import Histogram, Metrics
from service.transforms.alarm import Alarm, OverBudget
from service.transforms.calls import Call, FunctionRaised, Output
from service.transforms.functions import Function
from service.transforms.modes import Values
from service.transforms.together import Together

# What the event loop may be held up by one call; a small read takes a twentieth of it.
INLINE_SECONDS = 0.002
# What it is held up at most, by a call that was taken for short.
STALL_SECONDS = 0.01
# A call that took longer than its own processor time by this much has waited for something. Less is the interpreter's lock,
# which another thread keeps for 5 ms at a time.
WAITING_SECONDS = 0.01


class Transforms:
    """Runs calls; one for each worker."""

    def __init__(self, metrics: Metrics, budget_seconds: float) -> None:
        self._metrics = metrics
        self._budget = budget_seconds
        self._alarm = Alarm(min(budget_seconds, STALL_SECONDS))
        self._seconds: dict[str, Histogram] = {}
        self._together = Together(self._attempt, functools.partial(self._run, try_here=True), self._run)

    def expect(self, call: Call) -> bool:
        """Say that a request will make a call, if that matters; who has said so runs it, or takes it back. Hot."""
        if call.function.row_wise:
            self._together.expect(call)
            return True
        return False

    def forget(self, call: Call) -> None:
        """Take it back."""
        self._together.forget(call)

    async def run(self, call: Call, columns: Values, rows: int, expected: bool = False) -> list[Output]:
        """The outputs of a call, `rows` values each. Awaits nothing but futures. Hot.

        Raises ComputationFailed and ComputationTimeout.
        """
        if expected:
            return await self._together.join(call, columns, rows)
        return await self._run(call, columns, rows)

    async def _run(self, call: Call, columns: Values, rows: int, try_here: bool = False) -> list[Output]:
        """A call for one request: what goes wrong is told in terms of the view, its function and the row."""
        function = call.function
        try:
            return await self._attempt(call, columns, rows, try_here)
        except OverBudget:
            self._count(function, "timeout")
            raise ComputationTimeout(
                f"On-demand feature view {function.view}: its function {function.name} takes longer than {self._budget:g} s."
            ) from None
        except ComputationFailed:
            self._count(function, "misfit")
            raise
        except FunctionRaised as raised:
            self._count(function, "error")
            row = await self._find_row(call, columns, rows)
            raise ComputationFailed(function.view, function.name, f"raises {raised}", row) from raised.__cause__

    async def _attempt(self, call: Call, columns: Values, rows: int, try_here: bool = False) -> list[Output]:
        """A call, here or in a thread. Raises OverBudget, and what the call raises. Hot.

        One that was taken for short, and isn't, is given up here and made again in a thread; with `try_here` any call is.
        """
        function = call.function
        estimate = function.timing.estimate(rows)
        outputs: list[Output] | None = None
        if self._alarm.usable and (try_here or (estimate is not None and estimate < INLINE_SECONDS)):
            try:
                outputs = self._alarm.run(lambda: self._timed(call, columns, rows))
            except OverBudget:
                function.timing.record(rows, STALL_SECONDS)
        if outputs is None:
            outputs = await function.threads.run(lambda: self._timed(call, columns, rows), self._budget)
        self._count(function, "ok")
        return outputs

    def _timed(self, call: Call, columns: Values, rows: int) -> list[Output]:
        """The call itself, whatever comes of it. Hot."""
        started, worked = time.perf_counter(), time.thread_time()
        try:
            return call(columns, rows)
        finally:
            seconds, own = time.perf_counter() - started, time.thread_time() - worked
            call.function.timing.record(rows, own if seconds - own < WAITING_SECONDS else seconds)
            self._histogram(call.function.view).observe(seconds)

    def _histogram(self, view: str) -> Histogram:
        histogram = self._seconds.get(view)
        if histogram is None:
            histogram = self._seconds[view] = self._metrics.histogram("computation_seconds", view)
        return histogram

    async def _find_row(self, call: Call, columns: Values, rows: int) -> int | None:
        """The row that makes a function raise, if one alone does."""
        if rows == 1:
            return 0
        try:
            found: int | None = await call.function.threads.run(lambda: call.find_row(columns, rows), self._budget)
        except OverBudget:
            return None
        return found

    def _count(self, function: Function, outcome: str) -> None:
        self._metrics.count("computations", function.view, outcome)
