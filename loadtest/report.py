"""The report as Markdown, and its place in a page: between two markers, prose outside of them untouched."""

from collections.abc import Iterable
from pathlib import Path

from loadtest.answers import Comparison
from loadtest.errors import PageError
from loadtest.results import Median, Results
from loadtest.servers import Kind

MIB = 2**20
BUSY_ENOUGH = 0.9  # of a core
OURS = "this service"
NAMES = {Kind.STOCK: "stock Feast", Kind.OURS: OURS}


def render(results: Results, plot: str | None) -> str:
    """Return the whole report; `plot` is the address of the picture, None for none."""
    parts = [_heading(results), _speed(results), _reading(results)]
    if plot:
        parts.append(f"![CPU time per request of both servers, and how many times faster {OURS} is]({plot})")
    parts += [_memory_and_start(results), _answers(results), _machine(results.machine)]
    return "\n\n".join(part for part in parts if part)


def put_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name:begin -->` and `<!-- name:end -->` in a page.

    A page that isn't there is made; PageError for one without exactly one pair of the markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    old = page.read_text() if page.exists() else f"{begin}\n{end}\n"
    head, found_begin, rest = old.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end) or begin in tail or end in head + tail:
        raise PageError(f"{page} must hold one line {begin} and, after it, one line {end}: the report goes between them")
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table, first column to the left and all others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Return a number with three significant digits at least: 0.482, 5.13, 16.0, 2,746."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:#.3g}"


def _heading(results: Results) -> str:
    return f"Measured on {results.date} UTC by `{results.command}`; {results.machine.get('runs', '')}."


def _speed(results: Results) -> str:
    servers = results.servers()
    arrow = " → ".join(NAMES[server] for server in servers)
    header = [f"{arrow}", "requests/s", "p50, ms", "p99, ms", "CPU, us a request"]
    if len(servers) == 2:
        header += ["requests/s, times", "CPU, times", "to reach"]
    return table(header, (_speed_row(results, checked.name, len(servers) == 2) for checked in results.scenarios))


def _speed_row(results: Results, scenario: str, both: bool) -> list[str]:
    checked = next(s for s in results.scenarios if s.name == scenario)
    found = [median for server in results.servers() if (median := results.measured(scenario, server))]

    def cell(field: str) -> str:
        return " → ".join(number(getattr(median, field)) for median in found)

    row = [checked.title, *map(cell, ("per_second", "p50_ms", "p99_ms", "cpu_us"))]
    ratios = results.ratios(scenario)
    if both and ratios:
        row += [f"**{number(ratio)}**" for ratio in ratios]
        row.append(_verdict(checked.target, ratios))
    return row


def _verdict(target: float | None, ratios: tuple[float, float]) -> str:
    if target is None:
        return ""
    return f"{target:g}: {'reached' if min(ratios) >= target else 'missed'}"


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
    repository = results.scenarios[0].repository
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
    return table(["", *(NAMES[server] for server in servers)], rows)


def _answers(results: Results) -> str:
    compared = [checked.comparison for checked in results.scenarios if checked.comparison]
    if not compared:
        return "Only one server ran, so no answers were compared."
    total = sum(compared, Comparison())
    text = (
        f"Before the timing, {total.bodies} of the timed bodies went to both servers: {total.cells:,} values, statuses "
        f"and event times by feature name, {'all of them equal' if total.same else 'NOT all of them equal'}."
    )
    others = sum(results.others.values(), Comparison())
    if others.statuses_differ:
        reasons = "; ".join(f"{count:,} times {why}" for why, count in sorted(others.statuses_differ.items()))
        text += (
            " The timed bodies hold only entities whose values are all alive. For entities that are absent, expired or "
            f"have nulls the statuses differ on purpose ({others.cells:,} values asked): {reasons}."
        )
    return text


def _machine(machine: dict[str, str]) -> str:
    return "; ".join(f"{what}: {value}" for what, value in machine.items() if what != "runs") + "."
