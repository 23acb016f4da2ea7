"""The raw results of a benchmark: what is kept as JSON, and the medians that the report shows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec

from loadtest.answers import Comparison
from loadtest.records import (
    Beside,
    Checked,
    FileTime,
    FormTime,
    Left,
    Materialized,
    MaterializedBeside,
    RowWise,
    Run,
    Start,
    SuiteTime,
)  # fmt: skip
from loadtest.servers import Kind


@dataclass(frozen=True, slots=True)
class Median:
    """The median over the rounds of one scenario on one server.

    `cpu_spread` is the distance of the largest and the smallest CPU time a request, as a part of the median.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    cpu_spread: float
    redis_us: float


@dataclass(slots=True)
class Results:
    """Everything that a benchmark found. `others` compares rows that are expired, incomplete or absent.

    `row_wise`, `forms` and `beside` are reads of ours alone: with an on-demand view that is tagged row-wise or not, in
    several forms of answer, without and with pushes. `suites` and `files` are validations without a server,
    `materialized` materializations without one, and `beside_materialization` reads of ours without and with one.
    """

    date: str
    command: str
    machine: dict[str, str]
    scenarios: list[Checked] = field(default_factory=list)
    others: dict[str, Comparison] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    row_wise: list[RowWise] = field(default_factory=list)
    forms: list[FormTime] = field(default_factory=list)
    beside: list[Beside] = field(default_factory=list)
    suites: list[SuiteTime] = field(default_factory=list)
    files: list[FileTime] = field(default_factory=list)
    materialized: list[Materialized] = field(default_factory=list)
    beside_materialization: list[MaterializedBeside] = field(default_factory=list)

    def servers(self) -> list[Kind]:
        """Return the servers that were measured."""
        return [kind for kind in Kind if any(run.server is kind for run in self.runs)]

    def measured(self, scenario: str, server: Kind) -> Median | None:
        """Return the medians of one scenario on one server; None when it did not run."""
        runs = [run for run in self.runs if run.scenario == scenario and run.server is server]
        if not runs:
            return None
        cpu = [run.cpu_us_per_request for run in runs]
        return Median(
            per_second=median(run.requests / run.seconds for run in runs),
            p50_ms=median(run.p50_us for run in runs) / 1000,
            p99_ms=median(run.p99_us for run in runs) / 1000,
            cpu_us=median(cpu),
            cpu_spread=(max(cpu) - min(cpu)) / median(cpu),
            redis_us=median(run.redis_us_per_request for run in runs),
        )

    def ratios(self, scenario: str) -> tuple[float, float] | None:
        """Return how much better ours is than stock, in requests/s and in CPU time a request; None without both."""
        stock, ours = self.measured(scenario, Kind.STOCK), self.measured(scenario, Kind.OURS)
        if not stock or not ours:
            return None
        return ours.per_second / stock.per_second, stock.cpu_us / ours.cpu_us

    def start_median(self, server: Kind, what: str, repository: str) -> float:
        """Return the median of a field of `Start` over the rounds."""
        return median_of(getattr(s, what) for s in self.starts if s.server is server and s.repository == repository)

    def save(self, folder: Path) -> Path:
        """Write everything as JSON, named by the time, and as latest.json; return the first file."""
        folder.mkdir(parents=True, exist_ok=True)
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        file = folder / f"{self.date.replace(':', '').replace(' ', '-')}.json"
        for target in (file, folder / "latest.json"):
            target.write_bytes(data)
        return file


def load(file: Path) -> Results:
    """Return what `save` wrote."""
    return msgspec.json.decode(file.read_bytes(), type=Results)


def median_of(values: Iterable[float]) -> float:
    """Return the median, NaN of nothing."""
    kept = list(values)
    return median(kept) if kept else float("nan")
