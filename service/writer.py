"""The way of a push through the house: columns in, typed, validated, written, and an outcome for each row. Knows no HTTP."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from service.errors import InvalidRequest, RejectedRows, RequestTooLarge, StoreUnavailable, UnreadableValue, WriteUnconfirmed
from service.metrics import Metrics
from service.offline import OfflineQueue
from service.push_plan import PushPlan, Transformation
from service.push_report import BadRows, PushReport, outcome, validation_summary, warning
from service.push_rows import Batch, Columns, TypedRows, frame_columns, source_columns, type_rows
from service.quarantine import Quarantine, QuarantinedRow
from service.store import RowWriter, WriteReport
from service.suites import Suite
from service.transforms import Transforms
from service.validator import Failure, Validator

ONLINE, OFFLINE = "online", "offline"  # or online_and_offline


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What a client asks for. `unit` is what integer times count; None where there may be none."""

    columns: Columns
    rows: int
    to: str
    unit: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a push may be: rows, nanoseconds that an event may lie in the future, seconds that Redis may take."""

    max_rows: int
    skew_nanoseconds: int
    write_seconds: float
    clock: Callable[[], int] = time.time_ns


class Writer:
    """Runs push plans; one for each worker."""

    def __init__(
        self,
        rows: RowWriter,
        validator: Validator,
        quarantine: Quarantine,
        offline: OfflineQueue,
        transforms: Transforms,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self._rows = rows
        self._validator = validator
        self._quarantine = quarantine
        self._offline = offline
        self._transforms = transforms
        self._metrics = metrics
        self._limits = limits

    async def push(self, plan: PushPlan, request: PushRequest) -> PushReport:
        """Write what is right and deal with the rest as the push source's policy says. Hot.

        Awaits nothing but futures, so that it runs without a Task, too. Raises InvalidRequest for columns that don't fit,
        RejectedRows where the policy is to reject, WriteUnconfirmed, StoreUnavailable, ValidationMisconfigured,
        ValidationUnavailable, and for on-demand views ComputationFailed, ComputationTimeout.
        """
        request = self._with_times(plan, request)
        self._check_shape(plan, request)
        suite = self._validator.require(plan.validation.suite, plan.source) if plan.validation.suite is not None else None
        report = PushReport(request.rows, request.request_id)
        bad = BadRows()
        latest = self._limits.clock() + self._limits.skew_nanoseconds
        batch, typed = self._type(plan, Batch(request.columns, range(request.rows), request.unit, latest), bad)
        if plan.then is not None and typed is not None:
            batch = await self._transform(plan, plan.then, batch, typed)
            plan = plan.then.plan
            batch, typed = self._type(plan, batch, bad)
        if suite is not None and typed is not None:
            failures = await self._validator.check(suite, frame_columns(plan, batch, typed), len(batch))
            if failures:
                batch, typed = self._apply(plan, suite, batch, typed, failures, bad, report)
        if typed is not None:
            await self._write(plan, batch, typed, request, report)
        if bad:
            await self._put_aside(plan, bad, report)
        self._count(plan, report)
        return report

    def _with_times(self, plan: PushPlan, request: PushRequest) -> PushRequest:
        """The same with the present moment for rows that may come without a time, and do."""
        if not plan.timeless or not request.rows or plan.event_time in plan.layout(tuple(request.columns)):
            return request
        now = datetime.fromtimestamp(self._limits.clock() / 1e9, tz=UTC)
        return replace(request, columns={**request.columns, plan.event_time: [now] * request.rows})

    async def _transform(self, plan: PushPlan, then: Transformation, batch: Batch, typed: TypedRows) -> Batch:
        """The rows that an on-demand view's function makes of rows of its inputs."""
        layout = plan.layout(tuple(batch.columns))
        given = [codec.decode([raw])[0][0] for codec, raw in zip(then.codecs, typed.values, strict=True)]
        given += [batch.columns[layout[key]] for key, _ in then.keys]
        natives = [*then.natives, *(native for _, native in then.keys)]
        try:
            columns = [native(values) for native, values in zip(natives, given, strict=True)]
        except OverflowError as error:
            raise InvalidRequest.because(f"A time is beyond the year 9999, which {then.plan.target} can't be given.") from error
        outputs = await self._transforms.run(then.call, columns, len(batch))
        kept = [key.name for key in plan.join_keys] + [plan.event_time]
        made = dict(zip(then.outputs, (values for values, _ in outputs), strict=True))
        return replace(batch, columns={name: batch.columns[layout[name]] for name in kept} | made)

    def _check_shape(self, plan: PushPlan, request: PushRequest) -> None:
        if request.rows == 0:
            raise InvalidRequest.because("There are no rows: push one at least.", "df")
        layout = plan.layout(tuple(request.columns))
        if request.to != OFFLINE and not plan.views:
            message = f"{plan.target} has no feature view that is kept online (online=True), so only to: offline is possible."
            raise InvalidRequest.because(message, "to")
        if request.to != ONLINE and plan.created and plan.created not in layout:
            message = f"Column {plan.created} is missing; the offline store needs it in each row."
            raise InvalidRequest.because(message, plan.created)
        self.check_rows(request.rows)

    def check_rows(self, rows: int) -> None:
        """Raise RequestTooLarge for more rows than one push may have."""
        if rows > self._limits.max_rows:
            message = f"{rows} rows are more than the {self._limits.max_rows} that one push may have; split it."
            raise RequestTooLarge.because(message, "df")

    def _type(self, plan: PushPlan, batch: Batch, bad: BadRows) -> tuple[Batch, TypedRows | None]:
        """The rows that have the types of their columns; raises RejectedRows if others have no place to go."""
        typed, problems = type_rows(plan, batch)
        if not problems:
            return batch, typed
        bad.add_problems(batch, problems)
        if plan.validation.policy != "quarantine":
            # What has no type can't be written, so a policy that only warns can't let it through.
            raise self._rejected(plan, bad, None)
        return self._rest(plan, batch, problems)

    def _rest(self, plan: PushPlan, batch: Batch, bad: Mapping[int, object]) -> tuple[Batch, TypedRows | None]:
        """A batch without its bad rows."""
        rest = batch.without(bad)
        if not len(rest):
            return rest, None
        typed, _ = type_rows(plan, rest)
        return rest, typed

    def _apply(
        self,
        plan: PushPlan,
        suite: Suite,
        batch: Batch,
        typed: TypedRows,
        failures: Sequence[Failure],
        bad: BadRows,
        report: PushReport,
    ) -> tuple[Batch, TypedRows | None]:
        """What of a batch is written after all, going by what failed and the policy."""
        critical = [failure for failure in failures if failure.critical and plan.validation.policy != "warn"]
        report.warnings = [warning(failure) for failure in failures if failure not in critical]
        if not critical:
            return batch, typed
        rows = bad.add_failures(batch, critical)
        if plan.validation.policy == "reject":
            raise self._rejected(plan, bad, validation_summary(suite, failures))
        return self._rest(plan, batch, rows)

    def _rejected(self, plan: PushPlan, bad: BadRows, validation: Mapping[str, Any] | None) -> RejectedRows:
        self._metrics.count("pushed_rows", plan.source, "rejected", amount=len(bad))
        return RejectedRows(bad.problems(), bad.outcomes("rejected"), validation)

    async def _write(self, plan: PushPlan, batch: Batch, typed: TypedRows, request: PushRequest, report: PushReport) -> None:
        if request.to != ONLINE:
            # First, since it may refuse a batch, and does no harm when it gets one twice.
            columns = source_columns(plan, batch, typed)
            await self._offline.add(plan.source, columns, report.request_id, self._limits.write_seconds)
            report.queued = len(batch)
        if request.to != OFFLINE:
            deadline = asyncio.get_running_loop().time() + self._limits.write_seconds
            reports = []
            for group, keys in zip(plan.groups, typed.keys, strict=True):
                left = deadline - asyncio.get_running_loop().time()
                values = [typed.values[index] for index in group.columns]
                reports.append(await self._rows.write(group.write, keys, typed.times.stored, values, left))
            self._tell(plan, batch, reports, report)

    def _tell(self, plan: PushPlan, batch: Batch, reports: Sequence[WriteReport], report: PushReport) -> None:
        """Put into the report what Redis said of each row, or raise WriteUnconfirmed."""
        everything = [(1 << len(group.views)) - 1 for group in plan.groups]
        outcomes = [found.outcomes for found in reports]
        if all(found == [full] * len(batch) for found, full in zip(outcomes, everything, strict=True)):
            report.written = len(batch)
            report.views = {view: {"written": len(batch), "stale": 0} for view in plan.views}
            report.written_rows = batch.positions
            return
        report.views = {view: {"written": 0, "stale": 0} for view in plan.views}
        written, unconfirmed = [], []
        for row, position in enumerate(batch.positions):
            found = [column[row] for column in outcomes]
            if None in found:
                unconfirmed.append(position)
                continue
            stale = self._stale_views(plan, found, report)
            if stale:
                whole = len(stale) == len(plan.views)
                report.outcomes.append(outcome(position, "stale" if whole else "written", [_stale(stale)]) | {"stale": stale})
            if len(stale) == len(plan.views):
                report.stale += 1
            else:
                report.written += 1
                written.append(position)
        report.written_rows = written
        if unconfirmed:
            failures = [found.failure for found in reports if found.failure is not None]
            # Where some rows are worth a retry, the request is.
            failure = min(failures, key=lambda one: isinstance(one, UnreadableValue))
            raise self._unconfirmed(plan, report, unconfirmed, failure) from failure

    @staticmethod
    def _stale_views(plan: PushPlan, found: Sequence[int | None], report: PushReport) -> list[str]:
        stale = []
        for group, bits in zip(plan.groups, found, strict=True):
            for index, view in enumerate(group.views):
                is_written = bool(bits is not None and bits >> index & 1)
                report.views[view]["written" if is_written else "stale"] += 1
                if not is_written:
                    stale.append(view)
        return stale

    def _unconfirmed(
        self, plan: PushPlan, report: PushReport, unconfirmed: Sequence[int], failure: StoreUnavailable | UnreadableValue
    ) -> WriteUnconfirmed | UnreadableValue:
        """What to raise where Redis didn't confirm some rows; it says what became of the others."""
        self._count(plan, report)
        self._metrics.count("pushed_rows", plan.source, "unconfirmed", amount=len(unconfirmed))
        details = {
            "written": report.written,
            "stale": report.stale,
            "queued": report.queued,
            "unconfirmed": len(unconfirmed),
            "written_rows": list(report.written_rows),
            "unconfirmed_rows": list(unconfirmed),
        }
        confirmed = f"Redis confirmed {report.rows - len(unconfirmed)} of {report.rows} rows"
        if isinstance(failure, UnreadableValue):
            return UnreadableValue(f"{failure} {confirmed}; a retry won't help the others.", details)
        message = f"{confirmed}; the others may be kept or not, and the whole request may be sent again: {failure}"
        return WriteUnconfirmed(message, details)

    async def _put_aside(self, plan: PushPlan, bad: BadRows, report: PushReport) -> None:
        """Keep bad rows, after the good ones are written: so a request that is sent again keeps them once more at most."""
        rows = [QuarantinedRow(row, reasons, position) for position, row, reasons in bad.entries()]
        try:
            await self._quarantine.add(plan.source, report.request_id, rows, self._limits.write_seconds)
        except StoreUnavailable as error:
            raise self._unconfirmed(plan, report, [row.position for row in rows], error) from error
        report.quarantined = len(rows)
        report.outcomes += bad.outcomes("quarantined")
        report.outcomes.sort(key=lambda outcome: int(outcome["row"]))

    def _count(self, plan: PushPlan, report: PushReport) -> None:
        for what in ("written", "stale", "quarantined", "queued"):
            if amount := getattr(report, what):
                self._metrics.count("pushed_rows", plan.source, what, amount=amount)


def _stale(views: Sequence[str]) -> str:
    return f"A newer row stands in {', '.join(views)}."
