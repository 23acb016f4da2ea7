"""Calls of functions that treat each row by itself (the tag `row_wise`): those of requests in flight together become one.

A request says that it will make a call before it reads the inputs. So a call knows how many others are on their way, and waits
for them, though no longer than it would take itself, or a millisecond. One that is alone waits for nobody.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import NamedTuple

from service.transforms.alarm import OverBudget
from service.transforms.calls import Call, Output
from service.transforms.modes import Values

# Rows that are put together at most.
ROWS_TOGETHER = 2048
# Calls that take less aren't worth waiting for.
SHORTEST_SECONDS = 0.0001
# How long a call waits for others, at least and at most; timers of the event loop count milliseconds.
LEAST_WAIT_SECONDS, MOST_WAIT_SECONDS = 0.001, 0.005

Run = Callable[[Call, Values, int], Awaitable[list[Output]]]


class _Part(NamedTuple):
    """What one request asks of a call that several share."""

    columns: Values
    rows: int
    future: "asyncio.Future[list[Output]]"


class _Gathering:
    """What is known of one call: how many requests are on their way to it, and those that are there."""

    __slots__ = ("coming", "parts", "timer")

    def __init__(self) -> None:
        self.coming = 0
        self.parts: list[_Part] = []
        self.timer: asyncio.Handle | None = None


class Together:
    """One for each worker."""

    def __init__(self, attempt: Run, run_again: Run, run: Run) -> None:
        """`attempt` is how a call is run for several requests, `run` how for one, which is told what went wrong with it.

        `run_again` is the same for one that was among others whose call failed: most of these are good, and quick.
        """
        self._attempt = attempt
        self._run_again = run_again
        self._run = run
        self._gatherings: dict[Call, _Gathering] = {}
        # The event loop only has weak references to them.
        self._tasks: set[asyncio.Task[None]] = set()

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # Asked once: see service.gathering.
        return asyncio.get_running_loop()

    def expect(self, call: Call) -> None:
        """A request is on its way to a call. Hot."""
        gathering = self._gatherings.get(call)
        if gathering is None:
            gathering = self._gatherings[call] = _Gathering()
        gathering.coming += 1

    def forget(self, call: Call) -> None:
        """It will not come."""
        gathering = self._gatherings[call]
        gathering.coming -= 1
        if not gathering.coming:
            self._start(call, gathering)

    async def join(self, call: Call, columns: Values, rows: int) -> list[Output]:
        """The outputs of a call that was expected. Awaits nothing but a future. Hot."""
        gathering = self._gatherings[call]
        gathering.coming -= 1
        part = _Part(columns, rows, self._loop.create_future())
        gathering.parts.append(part)
        if not gathering.coming:
            self._start(call, gathering)
        elif gathering.timer is None:
            gathering.timer = _when_due(self._loop, call, rows)(self._start, call, gathering)
        return await part.future

    def _start(self, call: Call, gathering: _Gathering) -> None:
        parts, gathering.parts = gathering.parts, []
        if gathering.timer is not None:
            gathering.timer.cancel()
            gathering.timer = None
        if not gathering.coming:
            del self._gatherings[call]
        if not parts:
            return
        task = self._loop.create_task(self._run_all(call, parts))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_all(self, call: Call, parts: Sequence[_Part]) -> None:
        """Run a call for several requests, ROWS_TOGETHER or so at a time."""
        try:
            await asyncio.gather(*[self._run_group(call, group) for group in _groups(parts)])
        finally:
            for part in parts:
                if not part.future.done():  # this task was cancelled
                    part.future.cancel()

    async def _run_group(self, call: Call, group: Sequence[_Part]) -> None:
        """One call for all; where one of them makes it fail, a call for each."""
        if len(group) == 1:
            await _answer(group[0], self._run(call, group[0].columns, group[0].rows))
            return
        columns = [list(chain.from_iterable(column)) for column in zip(*[part.columns for part in group], strict=True)]
        try:
            outputs = await self._attempt(call, columns, sum(part.rows for part in group))
        except (Exception, OverBudget):  # each is told its own
            await asyncio.gather(*[_answer(part, self._run_again(call, part.columns, part.rows)) for part in group])
            return
        first = 0
        for part in group:
            last = first + part.rows
            found = [(values[first:last], complete or None not in values[first:last]) for values, complete in outputs]
            if not part.future.done():
                part.future.set_result(found)
            first = last


async def _answer(part: _Part, outputs: Awaitable[list[Output]]) -> None:
    """Give one request what becomes of its own call."""
    try:
        found = await outputs
    except Exception as error:
        if not part.future.done():
            part.future.set_exception(error)
        return
    if not part.future.done():
        part.future.set_result(found)


def _when_due(loop: asyncio.AbstractEventLoop, call: Call, rows: int) -> Callable[..., asyncio.Handle]:
    """How a call that others are on their way to is set off: when it would have ended, or with this turn of the event loop."""
    seconds = call.function.timing.estimate(rows) or 0.0
    if seconds < SHORTEST_SECONDS:
        return loop.call_soon
    return functools.partial(loop.call_later, min(max(seconds, LEAST_WAIT_SECONDS), MOST_WAIT_SECONDS))


def _groups(parts: Sequence[_Part]) -> Sequence[Sequence[_Part]]:
    groups: list[list[_Part]] = [[]]
    rows = 0
    for part in parts:
        if groups[-1] and rows + part.rows > ROWS_TOGETHER:
            groups.append([])
            rows = 0
        groups[-1].append(part)
        rows += part.rows
    return groups
