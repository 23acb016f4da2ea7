"""What one measurement found, each kind a record: this is what the raw results consist of."""

from dataclasses import dataclass

from loadtest.answers import Comparison
from loadtest.forms import Timing
from loadtest.scenario import Group, Scenario
from loadtest.servers import Kind
from loadtest.stored import Kept


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a server: seconds to its first answer, and memory in bytes after it."""

    server: Kind
    repository: str
    round: int
    seconds: float
    worker_rss: int
    tree_pss: int


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run: latencies and CPU time in microseconds, memory in bytes after it.

    `requests` were answered in time; `under_way` more were not when the load ended, but the server finished them:
    CPU time is of both, and `redis_us` is Redis's for them, which is on another core.
    """

    server: Kind
    scenario: str
    round: int
    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    cpu_us: int
    worker_rss: int
    tree_pss: int
    under_way: int = 0
    redis_us: int = 0

    @property
    def cpu_us_per_request(self) -> float:
        """CPU time a request, in microseconds."""
        return self.cpu_us / (self.requests + self.under_way)

    @property
    def redis_us_per_request(self) -> float:
        """Redis's CPU time a request, in microseconds."""
        return self.redis_us / (self.requests + self.under_way)

    @property
    def busy(self) -> float:
        """The part of one core that the answered requests used: 1 unless something else was the limit."""
        return self.cpu_us_per_request * self.requests / self.seconds / 1e6


@dataclass(frozen=True, slots=True)
class Checked:
    """A scenario and what comparing both servers found: their answers, or what is stored; None when only one was asked."""

    name: str
    title: str
    repository: str
    target: float | None
    comparison: Comparison | None
    group: Group = Group.READS
    label: str = ""

    @classmethod
    def of(cls, scenario: Scenario, repository: str, comparison: Comparison | None) -> "Checked":
        """Take from a scenario what is reported."""
        return cls(scenario.name, scenario.title, repository, scenario.target, comparison, scenario.group, scenario.label)


@dataclass(frozen=True, slots=True)
class Left:
    """What a timed run of pushes left in Redis."""

    server: Kind
    scenario: str
    round: int
    kept: Kept


@dataclass(frozen=True, slots=True)
class Beside:
    """One run of reads, alone or while pushes arrive; latencies in microseconds.

    `pushes` were due and answered 200, none of them (0) where reads were alone; a push's latency is from when it was due.
    """

    round: int
    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    pushes: int = 0
    pushes_p99_us: int = 0


@dataclass(frozen=True, slots=True)
class Materialized:
    """One materialization: seconds without imports, peak of resident memory in bytes, a digest of what Redis then holds."""

    writer: str
    round: int
    rows: int
    seconds: float
    peak_rss: int
    digest: str


@dataclass(frozen=True, slots=True)
class MaterializedBeside:
    """One run of reads, alone or while the service materializes (`busy`); latencies in microseconds."""

    round: int
    busy: bool
    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    rows_per_second: float


@dataclass(frozen=True, slots=True)
class RowWise:
    """One run of reads of an on-demand view that is tagged row-wise, or isn't, over so many connections; microseconds."""

    tagged: bool
    connections: int
    round: int
    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    cpu_us: int

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds

    @property
    def cpu_us_per_request(self) -> float:
        """CPU time a request, in microseconds; those under way at the end are finished, too."""
        return self.cpu_us / (self.requests + self.connections)


@dataclass(frozen=True, slots=True)
class FormTime:
    """One run of a client that asks for frames, one after the other, in one form of answer."""

    form: str
    round: int
    took: Timing


@dataclass(frozen=True, slots=True)
class SuiteTime:
    """Milliseconds that a suite takes over so many rows that are in memory: compiled, and by GX itself."""

    rows: int
    expectations: int
    compiled_ms: float
    gx_ms: float


@dataclass(frozen=True, slots=True)
class FileTime:
    """A process that validates a file, from its start to its end: seconds, and its peak of resident memory in bytes."""

    file: str
    validator: str
    rows: int
    columns: int
    seconds: float
    peak_rss: int
