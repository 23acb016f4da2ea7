"""Every metric of the service: what it is called, what it says, what it is labelled with."""

from dataclasses import dataclass

PREFIX = "feature_service_"

LATENCY_SECONDS = (
    0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005,
    0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
PHASE_SECONDS = (0.00001, 0.000025, 0.00005, *LATENCY_SECONDS)
MATERIALIZATION_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
ENTITIES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric: its kind (counter, histogram, or how a gauge is put together: sum, min, max), help and labels."""

    kind: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def cells(self) -> int:
        """How many numbers a series takes: a histogram one a bucket, one for what lies beyond, one for the sum."""
        return len(self.buckets) + 2 if self.buckets else 1

    @property
    def lasting(self) -> bool:
        """Whether a series outlives the process that counted it; a gauge doesn't."""
        return self.kind in ("counter", "histogram")


DEFINITIONS = {
    "requests": Definition("counter", "Requests answered.", ("route", "status")),
    "request_seconds": Definition("histogram", "Time from a request's head to its answer.", ("route",), LATENCY_SECONDS),
    "read_phase_seconds": Definition("histogram", "Time spent in each phase of a read.", ("phase",), PHASE_SECONDS),
    "read_entities": Definition("histogram", "Entities in each read.", (), ENTITIES),
    "feature_values": Definition("counter", "Feature values answered.", ("view", "status")),
    "computations": Definition("counter", "Calls of an on-demand view's function.", ("view", "outcome")),
    "computation_seconds": Definition("histogram", "Time of such a call.", ("view",), PHASE_SECONDS),
    "requests_in_flight": Definition("sum", "Reads being answered now."),
    "requests_shed": Definition("counter", "Reads refused because too many were in flight."),
    "redis_connections": Definition("sum", "Open connections to Redis.", ("purpose",)),
    "redis_connects": Definition(
        "counter", "Connections to Redis opened; beyond the first of each worker, reconnections.", ("purpose",)
    ),
    "redis_timeouts": Definition("counter", "Requests that Redis didn't answer within the deadline.", ("purpose",)),
    "catalog_checked": Definition("min", "Unix time at which the oldest worker's definitions were last known to be current."),
    "catalog_refreshes": Definition("counter", "Readings of the registry.", ("result",)),
    "catalog_swaps": Definition("counter", "Times a worker put new definitions in place."),
    "pushed_rows": Definition("counter", "Rows of pushes.", ("source", "outcome")),
    "push_rows": Definition("histogram", "Rows in each push.", (), ENTITIES),
    "push_sources_misconfigured": Definition(
        "max", "1 for push sources whose suite or policy there isn't: pushes to them are refused.", ("source",)
    ),
    "validations": Definition("counter", "Frames checked by a suite.", ("suite", "result")),
    "expectations_failed": Definition("counter", "Expectations that a frame didn't meet.", ("suite", "expectation")),
    "suite_load_failures": Definition("max", "1 where a suite's file can't be used; the suite as it was stands.", ("suite",)),
    "suite_swaps": Definition("counter", "Times a worker put a changed suite in place.", ("suite",)),
    "gx_processes": Definition("sum", "Processes that evaluate with Great Expectations what isn't compiled."),
    "gx_process_starts": Definition("counter", "Such processes started."),
    "gx_requests": Definition("counter", "Requests to such processes.", ("result",)),
    "gx_validation_seconds": Definition("histogram", "Time of a validation by them, waiting included.", (), LATENCY_SECONDS),
    "quarantined_rows": Definition("counter", "Rows put into quarantine.", ("source",)),
    "quarantine_dropped_rows": Definition("counter", "Rows dropped from a full quarantine, the oldest first.", ("source",)),
    "quarantine_rows": Definition("max", "Rows in quarantine.", ("source",)),
    "quarantine_max_rows": Definition("max", "Rows that each source may have in quarantine."),
    "offline_rows_queued": Definition("counter", "Rows kept in Redis for the offline store.", ("source",)),
    "offline_rows_written": Definition("counter", "Rows appended to the offline store.", ("source",)),
    "offline_rows_dead": Definition("counter", "Rows put into the dead-letter stream.", ("source",)),
    "offline_failures": Definition("counter", "Attempts to append that failed.", ("source", "reason")),
    "offline_entries": Definition("max", "Offline pushes that wait in Redis."),
    "offline_oldest_seconds": Definition("max", "How long the oldest of them has waited."),
    "offline_dead_entries": Definition("max", "Offline pushes in the dead-letter stream."),
    "offline_writers": Definition("sum", "Whether this service's process is the one that appends."),
    "materializations": Definition("counter", "Materializations that were asked for by HTTP and have ended.", ("result",)),
    "materializations_running": Definition("sum", "Whether one is running."),
    "materialized_rows": Definition("counter", "Rows written by them.", ("view",)),
    "materialization_seconds": Definition("histogram", "Time of each view's.", ("view",), MATERIALIZATION_SECONDS),
    "last_materialization_timestamp_seconds": Definition(
        "max", "Unix time of the last one that a view came through.", ("view",)
    ),
    "workers": Definition("sum", "Worker processes."),
}
