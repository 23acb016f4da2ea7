"""The report as Markdown, put together from what was measured: a table for each group of scenarios, and what they mean."""

from loadtest import arrow, beside, files, materialization, on_demand, row_wise, validation
from loadtest.answers import Comparison
from loadtest.markdown import MIB, number, table, verdict
from loadtest.records import Checked
from loadtest.results import Median, Results
from loadtest.scenario import Group
from loadtest.servers import Kind
from loadtest.stored import Kept

BUSY_ENOUGH = 0.9  # of a core
OURS = "this service"
NAMES = {Kind.STOCK: "stock Feast", Kind.OURS: OURS}
TITLES = {Group.READS: "Reads", Group.ON_DEMAND: "On-demand features", Group.PUSHES: "Pushes"}


def render(results: Results, plot: str | None) -> str:
    """Return the whole report; `plot` is the address of the picture, None for none."""
    parts = [_heading(results)]
    for group in Group:
        if measured := [checked for checked in results.scenarios if checked.group is group]:
            parts += [f"### {TITLES[group]}", _speed(results, measured), *_compared(results, group, measured)]
    if results.runs:
        parts.append(_reading(results))
    if plot:
        parts.append(f"![CPU time per request of both servers, and how many times faster {OURS} is]({plot})")
    parts += [part.render(results) for part in (row_wise, arrow, beside, validation, files, materialization)]
    parts.append(_memory_and_start(results))
    parts += ["### The machine", _machine(results.machine)]
    return "\n\n".join(part for part in parts if part)


def _heading(results: Results) -> str:
    return f"Measured on {results.date} UTC by `{results.command}`; {results.machine.get('runs', '')}."


def _speed(results: Results, measured: list[Checked]) -> str:
    servers = results.servers()
    header = [" → ".join(NAMES[server] for server in servers), "requests/s", "p50, ms", "p99, ms", "CPU, us a request"]
    if with_redis := any(run.redis_us for run in results.runs):
        header.append("Redis's CPU, us")
    if len(servers) == 2:
        header += ["requests/s, times", "CPU, times", "to reach"]
    fields = ("per_second", "p50_ms", "p99_ms", "cpu_us", *(("redis_us",) if with_redis else ()))
    return table(header, (_speed_row(results, checked, fields) for checked in measured))


def _speed_row(results: Results, checked: Checked, fields: tuple[str, ...]) -> list[str]:
    found = [median for server in results.servers() if (median := results.measured(checked.name, server))]
    row = [checked.title, *(" → ".join(number(getattr(median, field)) for median in found) for field in fields)]
    if ratios := results.ratios(checked.name):
        row += [f"**{number(ratio)}**" for ratio in ratios]
        row.append(f"{checked.target:g}: {verdict(min(ratios) >= checked.target)}" if checked.target else "")
    return row


def _reading(results: Results) -> str:
    spreads = [
        median.cpu_spread
        for checked in results.scenarios
        for server in results.servers()
        if isinstance(median := results.measured(checked.name, server), Median)
    ]
    text = "Medians over the rounds; CPU is user and system time of all the server's processes."
    if any(run.round > 1 for run in results.runs):
        text += f" The CPU time a request of one scenario varied by {max(spreads):.0%} between rounds at most."
    busy = min(run.busy for run in results.runs)
    if busy < BUSY_ENOUGH:
        text += (
            f" **In one run the server used only {busy:.0%} of its core**: something else used it too, or Redis and "
            "wrk were the limit. CPU times stand; requests/s and latencies are worse than they would be."
        )
    return text


def _memory_and_start(results: Results) -> str:
    if not results.starts:
        return ""
    repository = results.starts[0].repository
    servers = results.servers()

    def start_row(title: str, field: str, unit: float) -> list[str]:
        return [title, *(number(results.start_median(server, field, repository) / unit) for server in servers)]

    def peak_row(title: str, field: str) -> list[str]:
        peaks = [max(getattr(run, field) for run in results.runs if run.server is server) for server in servers]
        return [title, *(number(peak / MIB) for peak in peaks)]

    rows = [
        start_row("start to first answer, s", "seconds", 1),
        start_row("resident memory of the worker after start, MiB", "worker_rss", MIB),
        peak_row("the same under load, at most", "worker_rss"),
        start_row("memory of all its processes after start, MiB (shared pages once)", "tree_pss", MIB),
        peak_row("the same under load, at most", "tree_pss"),
    ]
    return f"### Start and memory\n\n{table(['', *(NAMES[server] for server in servers)], rows)}"


def _compared(results: Results, group: Group, measured: list[Checked]) -> list[str]:
    match group:
        case Group.READS:
            return [_answers(measured) + _others(results)]
        case Group.ON_DEMAND:
            return [on_demand.beside_pandas(results), _answers(measured)]
        case Group.PUSHES:
            return [_stored(results, measured)]


def _answers(measured: list[Checked]) -> str:
    compared = [checked.comparison for checked in measured if checked.comparison]
    if not compared:
        return "Only one server ran, so no answers were compared."
    total = sum(compared, Comparison())
    text = (
        f"Before the timing, {total.bodies} of the timed bodies went to both servers: {total.cells:,} values, statuses "
        f"and event times by feature name, {'all of them equal' if total.same else 'NOT all of them equal'}."
    )
    if total.times_unknown:
        text += (
            f" Left out are {total.times_unknown:,} event times of computed features: stock says 1970 of each, {OURS} "
            "what the oldest of its inputs has."
        )
    return text


def _others(results: Results) -> str:
    others = sum(results.others.values(), Comparison())
    if not others.statuses_differ:
        return ""
    reasons = "; ".join(f"{count:,} times {why}" for why, count in sorted(others.statuses_differ.items()))
    return (
        " The timed bodies hold only entities whose values are all alive. For entities that are absent, expired or "
        f"have nulls the statuses differ on purpose ({others.cells:,} values asked): {reasons}."
    )


def _stored(results: Results, measured: list[Checked]) -> str:
    total = sum((checked.comparison for checked in measured if checked.comparison), Comparison())
    text = "Only one server ran, so what is stored was not compared."
    if total.bodies:
        text = (
            f"Before the timing, {total.bodies} of the timed pushes, stale ones among them, went through each server to keys "
            f"without any rows: {total.cells:,} fields of Redis's hashes, {'all' if total.same else 'NOT all'} equal byte for "
            "byte, and Feast's own store reads the newest of the pushed rows from them."
        )
    for server in results.servers():
        kept = sum((left.kept for left in results.left if left.server is server), Kept())
        if kept.keys:
            newest = f"{kept.keys - kept.older:,} of {kept.keys:,}"
            text += f" After the timed runs {newest} keys looked at held the newest row pushed through {NAMES[server]}"
            text += "; the others had lost it to an older one, pushed at the same moment." if kept.older else "."
    return text


def _machine(machine: dict[str, str]) -> str:
    return "; ".join(f"{what}: {value}" for what, value in machine.items() if what != "runs") + "."
