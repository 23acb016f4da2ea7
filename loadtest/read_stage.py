"""The stage of a repository's reads: which entities are alive, and whether both servers' answers are the same."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from pathlib import Path
from random import Random

from loadtest.answers import Comparison, compare_online_features
from loadtest.errors import AnswersDifferError
from loadtest.records import Checked
from loadtest.repositories import Repository
from loadtest.results import Results
from loadtest.scenario import SEED, Scenario
from loadtest.servers import Server, Site
from loadtest.wrk import Load

CHECKED_BODIES = 16  # a scenario
OTHER_IDS = 100  # expired, incomplete and absent ones, to show where the servers differ

log = logging.getLogger("loadtest")


class ReadStage:
    """A `Stage` of reads."""

    def __init__(self, repository: Repository, site: Site) -> None:
        """Take a repository that is applied and filled."""
        self.name = repository.name
        self.site = site
        self.scenarios: list[Scenario] = []
        self._repository = repository

    @property
    def first(self) -> Scenario:
        """The first scenario; before there is one, a read of everything of one entity."""
        return self.scenarios[0] if self.scenarios else self._repository.survey(self._repository.ids[:1])

    def compare(self, servers: Sequence[Server], wanted: Callable[[str], bool], results: Results) -> None:
        """Find the entities that are alive, make the scenarios and compare the answers to them."""
        repository = self._repository
        alive = repository.alive(servers[0])
        log.info("%s: %d of %d entities are complete and within their ttl", self.name, len(alive), len(repository.ids))
        self.scenarios = [scenario for scenario in repository.scenarios(alive) if wanted(scenario.name)]
        for scenario in self.scenarios:
            compared = compare(scenario, servers, CHECKED_BODIES)
            results.scenarios.append(Checked.of(scenario, self.name, compared))
            if compared and not compared.same:
                raise AnswersDifferError(f"{scenario.name}: the answers differ, so speeds can't be compared: {compared}")
        if others := compare(repository.survey(other_ids(repository, alive)), servers, 1):
            results.others[self.name] = others

    def inspect(self, server: Server, scenario: Scenario, number: int, load: Load, results: Results) -> None:
        """Reads leave nothing behind."""


@contextmanager
def read_stage(repository: Repository, folder: Path) -> Iterator[ReadStage]:
    """Apply and fill a repository in a folder, with its Redis running until the block ends."""
    with repository.site(folder) as site:
        yield ReadStage(repository, site)


def compare(scenario: Scenario, servers: Sequence[Server], bodies: int) -> Comparison | None:
    """Ask both servers for the same bodies and return what differs; None when there is only one server."""
    if len(servers) < 2:
        return None
    stock, ours = servers
    sample = Random(SEED).sample(scenario.bodies, min(bodies, len(scenario.bodies)))
    return reduce(
        add, (compare_online_features(stock.ask(scenario, b), ours.ask(scenario, b), scenario.derived) for b in sample)
    )


def other_ids(repository: Repository, alive: Sequence[int]) -> list[int]:
    """Return ids whose values are in part expired or null, and as many that were never stored: at most 100."""
    unfit = sorted(set(repository.ids).difference(alive))[: OTHER_IDS // 2]
    absent = range(repository.ids.stop, repository.ids.stop + OTHER_IDS // 2)
    return [*unfit, *absent]
