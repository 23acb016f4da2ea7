"""A whole site: Redis, the network before it, a Feast repository, and the service."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.local.redis import EmbeddedRedis
from tests.servers.feast_repo import PROFILE, FeastRepo, RegistryKind, profile_rows, service
from tests.servers.load import Question
from tests.servers.service_process import ServiceProcess
from tests.servers.tcp_proxy import TcpProxy

CUSTOMERS = range(1, 200)
FEATURES = ["profile:visits", "profile:segment"]
SERVICE = "profile_service"
DEADLINE_SECONDS = 0.25
# What a busy machine may add to a promise of the service.
MARGIN_SECONDS = 1.0
# Redis is back: right answers are promised within a second.
RECOVERY_SECONDS = 1.0 + MARGIN_SECONDS
# For tests of anything else than the deadline: the proxy is a thread of the test's process, which may keep it from its turn
# for longer than the usual deadline while it applies definitions or collects garbage.
PATIENT = {"FEATURE_SERVICE_READ_DEADLINE_MS": "20000"}


@dataclass(frozen=True)
class Site:
    """What there is to hurt."""

    redis: EmbeddedRedis
    proxy: TcpProxy
    repo: FeastRepo
    service: ServiceProcess

    def prepare(self) -> None:
        """Apply the definitions and write the rows."""
        self.repo.apply(PROFILE, service(SERVICE, PROFILE))
        self.repo.write(PROFILE, profile_rows(CUSTOMERS))
        self.redis.command("SAVE")


@contextmanager
def open_site(
    folder: Path,
    *,
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
    kind: RegistryKind = "sql",
    cache_ttl_seconds: int = 60,
    prepared: bool = True,
) -> Iterator[Site]:
    """Everything started, the service last: wait for it with `site.service.wait_ready()`."""
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(folder / "redis"))
        proxy = stack.enter_context(TcpProxy(redis.port))
        repo = FeastRepo(folder / "repo", f"127.0.0.1:{proxy.port}", kind=kind, cache_ttl_seconds=cache_ttl_seconds)
        process = ServiceProcess(repo.folder, workers=workers, environment=environment, log=folder / "service.log")
        site = Site(redis, proxy, repo, process)
        if prepared:
            site.prepare()
        stack.callback(process.stop)
        process.start()
        yield site


def body(customers: Sequence[int]) -> dict[str, object]:
    """Asks for everything of some customers."""
    return {"entities": {"customer_id": list(customers)}, "features": FEATURES}


def question(customers: Sequence[int]) -> Question:
    """The same, with what must come back."""
    return Question(body(customers), _expected(customers))


def question_by_service(customers: Sequence[int]) -> Question:
    """The same by the feature service."""
    return Question({"entities": {"customer_id": list(customers)}, "feature_service": SERVICE}, _expected(customers))


def _expected(customers: Sequence[int]) -> dict[str, list[object]]:
    rows = profile_rows(CUSTOMERS)
    return {
        "customer_id": list(customers),
        "visits": [rows[customer]["visits"] if customer in rows else None for customer in customers],
        "segment": [rows[customer]["segment"] if customer in rows else None for customer in customers],
    }


# One customer, some, an absent one among them, many.
QUESTIONS = [question([1]), question_by_service([22, 3]), question([4, 999, 5]), question(CUSTOMERS)]
