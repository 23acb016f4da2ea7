"""A worker's end of its GX processes: started when they are needed, given one request at a time, killed when they are stuck.

A caller waits for a plain future only, so that coroutines without an asyncio.Task (`service.http.run_eagerly`) may call; what
takes timers and processes is done in a task of the pool for each process.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from service.errors import InvalidRequest, Overloaded, SuiteTimeout, ValidationUnavailable
from service.metrics import Metrics
from service.suites.errors import ParameterError
from service.suites.gx_connection import GxConnection
from service.suites.gx_messages import frame_request

logger = logging.getLogger(__name__)

# Importing Great Expectations takes 3 to 6 s of CPU, and more where others want the CPU, too.
START_SECONDS = 30.0
# How soon after a failed start another is tried; what comes in between is refused at once.
RETRY_SECONDS = 5.0
# Each waiting request holds its rows; a process answers some dozens a second.
MAX_WAITING = 64

GONE = "The process that evaluates what is not compiled ended in the middle of it; another is started."


class Evaluated(NamedTuple):
    """What GX says of one expectation.

    `result` is its ExpectationValidationResult.to_json_dict(), with the differences that `service.suites.results` names.
    `rows` are the positions of all rows that fail the expectation, in whatever result format; None where it is met, judges
    the batch as a whole, or raised.
    """

    result: dict[str, Any]
    rows: list[int] | None


class _Job:
    """A request that waits for a process, or for its answer."""

    __slots__ = ("answer", "deadline", "request")

    def __init__(self, request: bytes, deadline: float, answer: "asyncio.Future[dict[str, Any]]") -> None:
        self.request = request
        self.deadline = deadline
        self.answer = answer

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def succeed(self, answer: dict[str, Any]) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class GxPool:
    """At most `size` processes of one worker."""

    def __init__(self, size: int, deadline_seconds: float, metrics: Metrics, start_seconds: float = START_SECONDS) -> None:
        """A request may take `deadline_seconds`, waiting included, and `start_seconds` more while no process runs yet."""
        self._size = size
        self._deadline = deadline_seconds
        self._start_seconds = start_seconds
        self._metrics = metrics
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._unanswered: set[_Job] = set()
        self._keepers: set[asyncio.Task[None]] = set()
        self._running = 0
        self._stopped = False
        self._refused_until = 0.0
        self._start_failure = ""

    def warm(self) -> None:
        """Start all processes in the background, for a suite that will need them."""
        while len(self._keepers) < self._size:
            self._start_keeper()

    async def stop(self) -> None:
        """Kill the processes; who still waits gets ValidationUnavailable."""
        self._stopped = True
        for job in self._unanswered:
            job.fail(ValidationUnavailable("The service is being stopped."))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def validate(
        self,
        expectations: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Sequence[Any]],
        datetime_columns: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        result_format: str | Mapping[str, Any] = "SUMMARY",
    ) -> list[Evaluated]:
        """What GX says of each expectation (a dict as in a suite's file), in their order.

        The frame is pandas.DataFrame(columns), with `datetime_columns` (ISO strings) parsed to UTC; columns of datetimes may
        also be given as such. Raises ParameterError, InvalidRequest where columns or result format don't fit, SuiteTimeout,
        ValidationUnavailable, Overloaded.
        """
        started = time.perf_counter()
        request = frame_request(
            "validate",
            expectations=[dict(expectation) for expectation in expectations],
            columns={name: list(values) for name, values in columns.items()},
            datetime_columns=list(datetime_columns),
            parameters=dict(parameters or {}),
            result_format=result_format if isinstance(result_format, str) else dict(result_format),
        )
        answer = await self._ask(request, self._deadline)
        self._metrics.histogram("gx_validation_seconds").observe(time.perf_counter() - started)
        return [Evaluated(*each) for each in answer]

    async def check(self, document: Mapping[str, Any]) -> list[str]:
        """Why GX can't evaluate some expectations of a suite on data frames, a sentence each; none if it can evaluate all."""
        request = frame_request("check", expectations=list(document["expectations"]))
        reasons: list[str] = await self._ask(request, self._start_seconds)
        return reasons

    async def _ask(self, request: bytes, seconds: float) -> Any:
        """A process's answer; raises what the public methods raise."""
        loop = asyncio.get_running_loop()
        if self._stopped:
            raise ValidationUnavailable("The service is being stopped.")
        if not self._keepers and loop.time() < self._refused_until:
            raise ValidationUnavailable(self._start_failure)
        if len(self._unanswered) >= MAX_WAITING + self._size:
            raise Overloaded(f"{MAX_WAITING} requests wait for Great Expectations already.")
        if not self._running:
            seconds += self._start_seconds
        job = _Job(request, loop.time() + seconds, loop.create_future())
        late = SuiteTimeout(f"The suite wasn't evaluated within {seconds:g} s.")
        timer = loop.call_at(job.deadline, job.fail, late)
        self._unanswered.add(job)
        self._jobs.put_nowait(job)
        if len(self._unanswered) > len(self._keepers) and len(self._keepers) < self._size:
            self._start_keeper()
        try:
            answer = await job.answer
        except Exception as error:
            self._metrics.count("gx_requests", "timeout" if error is late else "unavailable")
            raise
        finally:
            timer.cancel()
            self._unanswered.discard(job)
        return self._unpacked(answer)

    def _unpacked(self, answer: dict[str, Any]) -> Any:
        if "refused" in answer:
            self._metrics.count("gx_requests", "refused")
            kind = ParameterError if answer["field"] == "expectation_parameters" else InvalidRequest
            raise kind.because(answer["refused"], answer["field"])
        if "failed" in answer:
            self._metrics.count("gx_requests", "failed")
            raise ValidationUnavailable(f"Great Expectations failed: {answer['failed']}")
        self._metrics.count("gx_requests", "answered")
        return answer["answer"]

    def _start_keeper(self) -> None:
        keeper = asyncio.get_running_loop().create_task(self._keep())
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)

    async def _keep(self) -> None:
        """Keep one process running, replaced whenever it ends, until one can't be started."""
        keeper = asyncio.current_task()
        while True:
            try:
                process = await GxConnection.start(self._start_seconds)
            except ValidationUnavailable as error:
                self._keepers.discard(keeper)
                self._give_up(error)
                return
            self._metrics.count("gx_process_starts")
            self._count_running(1)
            try:
                await self._serve(process)
            finally:
                self._count_running(-1)
                await process.kill()

    def _give_up(self, error: ValidationUnavailable) -> None:
        """Nothing is tried until somebody needs it again; who waits is told, if no other process can take over."""
        logger.error("%s", error)
        self._start_failure = str(error)
        self._refused_until = asyncio.get_running_loop().time() + RETRY_SECONDS
        if not self._keepers:
            for job in self._unanswered:
                job.fail(ValidationUnavailable(self._start_failure))

    def _count_running(self, change: int) -> None:
        self._running += change
        self._metrics.set("gx_processes", self._running)

    async def _serve(self, process: GxConnection) -> None:
        """Hand jobs to a process until it has ended, or has to be ended."""
        while True:
            next_job = asyncio.create_task(self._jobs.get())
            try:
                await asyncio.wait((next_job, process.ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                next_job.cancel()  # which a job that has come doesn't mind
            if not next_job.done():
                logger.error("An idle GX process (%d) ended; another is started.", process.pid)
                return
            if not await self._run(process, next_job.result()):
                return

    async def _run(self, process: GxConnection, job: _Job) -> bool:
        """Have one job done; False when the process can't go on."""
        if job.answer.done():  # its time is over, or nobody waits for it any more
            return True
        try:
            async with asyncio.timeout_at(job.deadline):
                job.succeed(await process.ask(job.request))
        except TimeoutError:
            logger.error("A suite took too long; its GX process (%d) is killed.", process.pid)
            return False
        except (OSError, asyncio.IncompleteReadError):
            logger.error("A GX process (%d) ended in the middle of a validation; another is started.", process.pid)
            job.fail(ValidationUnavailable(GONE))
            return False
        return True
