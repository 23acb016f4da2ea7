"""Where on-demand functions run: short calls in the event loop, others in threads, all within a budget of time."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.errors import ComputationFailed, ComputationTimeout
from service.metrics import Metrics
from service.transforms import Call, InputSpec, Transforms
from service.transforms.functions import load_function
from service.transforms.runner import INLINE_SECONDS
from service.transforms.threads import THREADS
from service.transforms.timing import Timing
from service.transforms.together import ROWS_TOGETHER, SHORTEST_SECONDS
from tests.http.handmade.definitions import projection
from tests.http.handmade.on_demand import on_demand
from tests.servers.waiting import wait_until

BUDGET_SECONDS = 0.3
NUMBERS = [InputSpec(("n",), "INT64")]


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    """Counts of this test."""
    counted = Metrics(tmp_path)
    yield counted
    counted.close()


def call_of(function: Callable[..., Any], **more: Any) -> Call:
    """A call of a function in this process, so that a test sees what it does."""
    view = on_demand("view", b"", {"n": "INT64"}, [projection("other", "n")], **more)
    assert view.computation is not None
    loaded = load_function(view, view.computation)
    known = {field: getattr(loaded, field) for field in loaded.__slots__ if field not in ("run", "failure")}
    return Call(type(loaded)(run=function, **known), NUMBERS, ["n"])


def known_to_be_quick(call: Call) -> Call:
    """As after some calls."""
    call.function.timing.record(1, 0.00001)
    return call


def where(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
    """The thread that it runs in."""
    return {"n": [threading.get_ident() for _ in inputs["n"]]}


def forever(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
    """Never ends for 1."""
    while inputs["n"][0] == 1:
        time.sleep(0)
    return inputs


def stubborn(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
    """The same, and takes the first two interruptions for something else."""
    swallowed = 0
    while inputs["n"][0] == 1:
        try:
            time.sleep(0)
        except BaseException:
            swallowed += 1
            if swallowed > 2:
                raise
    return inputs


async def run(transforms: Transforms, call: Call, *numbers: int) -> list[Any]:
    """The only output."""
    expected = transforms.expect(call)
    await asyncio.sleep(0)  # as others read their inputs
    ((values, _),) = await transforms.run(call, [list(numbers)], len(numbers), expected)
    return list(values)


async def test_a_function_of_which_nothing_is_known_runs_in_a_thread(metrics: Metrics) -> None:
    """The next time it is known to be short, and runs here."""
    transforms, call = Transforms(metrics, BUDGET_SECONDS), call_of(where)
    assert await run(transforms, call, 1) != [threading.get_ident()]
    known_to_be_quick(call)
    assert await run(transforms, call, 1) == [threading.get_ident()]


async def test_a_call_that_may_take_long_runs_in_a_thread(metrics: Metrics) -> None:
    """Its rows make it long, or what was seen before."""
    transforms, call = Transforms(metrics, BUDGET_SECONDS), known_to_be_quick(call_of(where))
    many = range(2048)
    assert set(await run(transforms, call, *many)) != {threading.get_ident()}
    call.function.timing.record(1, 2 * INLINE_SECONDS)
    assert await run(transforms, call, 1) != [threading.get_ident()]


IN_BOTH = pytest.mark.parametrize("quick", [False, True], ids=["in a thread", "in the event loop"])


@IN_BOTH
@pytest.mark.parametrize("function", [forever, stubborn])
async def test_a_function_that_never_ends_is_interrupted(metrics: Metrics, function: Callable[..., Any], quick: bool) -> None:
    """Wherever it runs, and again if it goes on; the next call is answered."""
    transforms, call = Transforms(metrics, BUDGET_SECONDS), call_of(function)
    if quick:
        known_to_be_quick(call)
    with pytest.raises(ComputationTimeout, match=r"view: its function view takes longer than 0\.3 s"):
        await run(transforms, call, 1)
    await asyncio.to_thread(wait_until, lambda: not call.function.threads.running, "that its thread has ended")
    assert await run(transforms, call, 2) == [2]
    assert metrics.cells[metrics.cell("computations", "view", "timeout")] == 1


async def test_a_function_that_hangs_keeps_its_own_threads_only(metrics: Metrics) -> None:
    """Calls behind it are over their time, too; those of others run."""
    release = threading.Event()

    def hanging(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
        release.wait(10)
        return inputs

    transforms, call, other = Transforms(metrics, BUDGET_SECONDS), call_of(hanging), call_of(where)
    tasks = [asyncio.ensure_future(run(transforms, call, 1)) for _ in range(3 * THREADS)]
    await asyncio.sleep(0.05)
    assert call.function.threads.running == THREADS
    assert await run(transforms, other, 1)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, ComputationTimeout) for each in found)
    assert call.function.threads.waiting == 0
    release.set()
    await asyncio.to_thread(wait_until, lambda: not call.function.threads.running, "that its threads have ended")


async def test_a_call_that_is_over_before_it_has_a_thread_does_not_run(metrics: Metrics) -> None:
    """Nobody waits for it any more, and nobody would interrupt it."""
    release, seen = threading.Event(), []

    def hanging(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
        seen.append(inputs["n"])
        release.wait(10)
        return inputs

    transforms, call = Transforms(metrics, BUDGET_SECONDS), call_of(hanging)
    await asyncio.gather(*[run(transforms, call, number) for number in range(THREADS + 1)], return_exceptions=True)
    release.set()
    await asyncio.to_thread(wait_until, lambda: not call.function.threads.running, "that its threads have ended")
    assert len(seen) == THREADS


@IN_BOTH
@pytest.mark.parametrize("row_wise", [False, True])
@pytest.mark.parametrize("kind", [StopIteration, SystemExit, KeyboardInterrupt, TimeoutError, asyncio.CancelledError])
async def test_whatever_a_function_raises_is_its_own_failure(
    metrics: Metrics, kind: type[BaseException], row_wise: bool, quick: bool
) -> None:
    """It ends that call, and nothing else."""

    def raising(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
        if 7 in inputs["n"]:
            raise kind
        return inputs

    transforms, call = Transforms(metrics, BUDGET_SECONDS), call_of(raising, tags={"row_wise": str(row_wise)})
    if quick:
        known_to_be_quick(call)
    asked = ([1], [5, 7], [2])
    first, bad, last = await asyncio.gather(*[run(transforms, call, *each) for each in asked], return_exceptions=True)
    assert (first, last) == ([1], [2])
    assert isinstance(bad, ComputationFailed)
    assert str(bad).endswith(f"raises {kind.__name__} (row 1).")
    await asyncio.to_thread(wait_until, lambda: not call.function.threads.running, "that its threads have ended")


async def test_a_call_that_fails_late_is_known_to_be_long(metrics: Metrics) -> None:
    """So the next one is made in a thread."""
    threads: list[int] = []

    def late(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
        threads.append(threading.get_ident())
        time.sleep(10 * INLINE_SECONDS)
        raise ValueError

    transforms, call = Transforms(metrics, BUDGET_SECONDS), known_to_be_quick(call_of(late))
    for _ in range(2):
        with pytest.raises(ComputationFailed):
            await run(transforms, call, 1)
    assert threads[0] == threading.get_ident() != threads[-1]


async def test_one_that_hangs_keeps_the_others_of_its_call_for_one_budget_more(metrics: Metrics) -> None:
    """They are tried at once, each by itself, when the call for all took too long."""

    def hanging(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
        while 7 in inputs["n"]:
            time.sleep(0)
        return inputs

    transforms = Transforms(metrics, BUDGET_SECONDS)
    call = call_of(hanging, tags={"row_wise": "true"})
    found = await asyncio.gather(*[run(transforms, call, number) for number in (7, 1, 2, 3)], return_exceptions=True)
    assert isinstance(found[0], ComputationTimeout)
    assert found[1:] == [[1], [2], [3]]


async def test_the_loop_goes_on_while_a_slow_function_runs(metrics: Metrics) -> None:
    """A call that waits keeps nobody."""

    def slow(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
        time.sleep(0.1)
        return inputs

    transforms, call = Transforms(metrics, 5.0), call_of(slow)
    for _ in range(2):
        task = asyncio.ensure_future(run(transforms, call, 1))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 100


def doubling(seen: list[int]) -> Callable[..., Any]:
    """A function that tells how many rows it gets."""

    def double(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
        seen.append(len(inputs["n"]))
        if 13 in inputs["n"]:
            raise ValueError("13")
        return {"n": [number * 2 for number in inputs["n"]]}

    return double


@pytest.mark.parametrize("row_wise", [False, True])
async def test_calls_of_one_turn_go_together_where_the_view_allows_it(metrics: Metrics, row_wise: bool) -> None:
    """Each gets its own rows back."""
    seen: list[int] = []
    call = known_to_be_quick(call_of(doubling(seen), tags={"row_wise": "true"} if row_wise else {}))
    transforms = Transforms(metrics, BUDGET_SECONDS)
    asked = [range(start, start + start % 3 + 1) for start in range(100, 120)]
    found = await asyncio.gather(*[run(transforms, call, *numbers) for numbers in asked])
    assert found == [[number * 2 for number in numbers] for numbers in asked]
    assert seen == ([sum(map(len, asked))] if row_wise else list(map(len, asked)))


def worth_waiting_for(call: Call) -> Call:
    """Long enough that a call waits for others, short enough for the event loop."""
    call.function.timing.record(1, 5 * SHORTEST_SECONDS)
    return call


async def test_a_call_waits_for_those_who_are_on_their_way(metrics: Metrics) -> None:
    """However many turns of the event loop they take, as long as they take no longer than the call would."""
    seen: list[int] = []
    call = worth_waiting_for(call_of(doubling(seen), tags={"row_wise": "true"}))
    transforms = Transforms(metrics, BUDGET_SECONDS)

    async def late(turns: int) -> list[Any]:
        expected = transforms.expect(call)
        for _ in range(turns):
            await asyncio.sleep(0)
        ((values, _),) = await transforms.run(call, [[turns]], 1, expected)
        return list(values)

    found = await asyncio.gather(*[late(turns) for turns in (1, 4, 9)])
    assert (found, seen) == ([[2], [8], [18]], [3])


async def test_a_call_does_not_wait_for_ever(metrics: Metrics) -> None:
    """For one that doesn't come in time, or has said that it won't come; nor at all where it is alone."""
    seen: list[int] = []
    call = worth_waiting_for(call_of(doubling(seen), tags={"row_wise": "true"}))
    transforms = Transforms(metrics, BUDGET_SECONDS)
    assert await run(transforms, call, 1) == [2]
    for _ in range(2):
        transforms.expect(call)
    assert await run(transforms, call, 2) == [4]
    task = asyncio.ensure_future(run(transforms, call, 3))
    await asyncio.sleep(0)
    transforms.forget(call)
    transforms.forget(call)
    assert await task == [6]
    assert seen == [1, 1, 1]
    assert not transforms._together._gatherings


async def test_an_error_is_the_error_of_those_whose_rows_make_it(metrics: Metrics) -> None:
    """The others are computed again without them, and the row is the place in one's own request."""
    seen: list[int] = []
    call = known_to_be_quick(call_of(doubling(seen), tags={"row_wise": "true"}))
    transforms = Transforms(metrics, BUDGET_SECONDS)
    asked = [[1, 2], [3, 4, 13], [5], [13]]
    first, bad, third, worse = await asyncio.gather(
        *[run(transforms, call, *numbers) for numbers in asked], return_exceptions=True
    )
    assert (first, third) == ([2, 4], [10])
    assert isinstance(bad, ComputationFailed)
    assert isinstance(worse, ComputationFailed)
    assert seen[0] == 7  # all together, and then each by itself
    assert sum(seen[1:]) < 20
    assert (bad.details["row"], worse.details["row"]) == (2, 0)


async def test_not_too_many_rows_go_together(metrics: Metrics) -> None:
    """Several calls, and each row once."""
    seen: list[int] = []
    call = call_of(doubling(seen), tags={"row_wise": "true"})
    transforms = Transforms(metrics, 5.0)
    half = ROWS_TOGETHER // 2 + 1
    await asyncio.gather(*[run(transforms, call, *range(1000, 1000 + half)) for _ in range(4)])
    assert seen == [half] * 4


def test_what_a_call_takes_is_remembered_by_its_size() -> None:
    """A slow one counts in full, quick ones little by little; larger ones than were seen are taken to be as much slower."""
    timing = Timing()
    assert timing.estimate(1) is None
    timing.record(1, 0.001)
    assert timing.estimate(1) == 0.001
    assert timing.estimate(8) == 0.008
    timing.record(1, 0.01)
    assert timing.estimate(1) == 0.01
    timing.record(1, 0.001)
    assert 0.001 < (timing.estimate(1) or 0) < 0.01
    timing.record(1_000_000, 1.0)
    assert timing.estimate(10_000_000) == 1.0
