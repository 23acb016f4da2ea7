"""Both servers for the shop and for each random registry: started once, side by side over one Redis."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pipelines.local.redis import EmbeddedRedis

from .depot import Depot, open_depot
from .servers import OurServer, Sides, StockServer
from .shop import open_shop
from .world import World

# Seed of a random registry, and whether it keeps the versions of its views apart.
SEEDS = {1: False, 2: True, 3: False}
# Whose service has error bodies that Feast's SDK maps to its exceptions.
SEED_WITH_FEAST_ERRORS = 3
FEAST_ERRORS = {"FEATURE_SERVICE_ERROR_FORMAT": "feast"}

# The same examples each time, so that a red build is somebody's change; PARITY_EXPLORE=1 looks for new ones.
settings.register_profile(
    "parity",
    deadline=None,
    derandomize=not os.environ.get("PARITY_EXPLORE"),
    max_examples=int(os.environ.get("PARITY_EXAMPLES", "60")),
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """An empty Redis of our own."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        yield server


# What Feast and what it stands on warn of all the time, and what stock logs of each request that it refuses.
IGNORED_WARNINGS = [
    "ignore:Stream feature views are experimental:RuntimeWarning",
    "ignore:Using entity name is deprecated:UserWarning",
    "ignore:Discarding nonzero nanoseconds:UserWarning",
    "ignore:Cannot write .*dataframe:UserWarning",
    "ignore:'HTTP_422_UNPROCESSABLE_ENTITY' is deprecated",
]
NOISY_LOGGERS = ["fastapi", "feast"]


def pytest_configure(config: pytest.Config) -> None:
    """Keep other people's noise out of the report."""
    for line in IGNORED_WARNINGS:
        config.addinivalue_line("filterwarnings", line)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def shop(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """The hand-made registry, served by both."""
    world = open_shop(tmp_path_factory.mktemp("shop"), redis.connection_string)
    with StockServer(world.store) as stock, OurServer(world.repo) as ours:
        yield Sides(world, stock, ours)


@pytest.fixture(scope="session")
def _depot(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    """The registry that is pushed to, in both servers and both of the SDK's stores."""
    with open_depot(tmp_path_factory.mktemp("depot"), redis) as opened:
        yield opened


@pytest.fixture
def depot(_depot: Depot) -> Depot:
    """The same without a row."""
    _depot.empty()
    return _depot


@pytest.fixture(scope="session")
def _random_sides(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Sides]]:
    """Every random registry, served by both; our services start at the same time."""
    repo: Path = tmp_path_factory.mktemp("random")
    with ExitStack() as stack:
        worlds = {
            seed: World.random(repo / str(seed), seed, redis.connection_string, versioning)
            for seed, versioning in SEEDS.items()
        }
        ours = {
            seed: OurServer(world.repo, FEAST_ERRORS if seed == SEED_WITH_FEAST_ERRORS else {})
            for seed, world in worlds.items()
        }
        for server in ours.values():
            stack.callback(server.stop)
        sides = {}
        for seed, world in worlds.items():
            ours[seed].wait()
            sides[seed] = Sides(world, stack.enter_context(StockServer(world.store)), ours[seed])
        yield sides


@pytest.fixture(scope="session", params=SEEDS)
def sides(request: pytest.FixtureRequest, _random_sides: dict[int, Sides]) -> Sides:
    """One random registry, served by both."""
    return _random_sides[request.param]


@pytest.fixture(scope="session")
def sides_with_feast_errors(_random_sides: dict[int, Sides]) -> Sides:
    """The random registry whose service refuses in Feast's form."""
    return _random_sides[SEED_WITH_FEAST_ERRORS]
