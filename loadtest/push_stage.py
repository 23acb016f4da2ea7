"""The stage of pushes to the sample repository: the same rows through both servers, and what is stored of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import orjson

from loadtest.answers import Comparison
from loadtest.errors import AnswersDifferError
from loadtest.feast_rows import FeastRows, feast_rows
from loadtest.pushes import JOIN_KEY, push_scenarios
from loadtest.records import Checked, Left
from loadtest.repositories import SAMPLE
from loadtest.results import Results
from loadtest.scenario import SEED, Scenario
from loadtest.servers import Kind, Server, Site
from loadtest.stamps import Ticks
from loadtest.stored import Sent, check_kept, compare_stored, pushed_rows, sure_requests
from loadtest.wrk import Load

CHECKED_BODIES = 16  # a scenario
LOOKED_AT = 500  # keys after each timed run


class PushStage:
    """A `Stage` of pushes, on a site that nothing else reads: they change what is stored."""

    name = "pushes"

    def __init__(self, site: Site, rows: FeastRows) -> None:
        """Take the sample repository, applied and filled, and a witness of what is stored there."""
        self.site = site
        self.scenarios: list[Scenario] = []
        self._rows = rows

    @property
    def first(self) -> Scenario:
        """A read of one customer: a push would change what is stored before it is compared."""
        return SAMPLE.survey(SAMPLE.ids[:1])

    def compare(self, servers: Sequence[Server], wanted: Callable[[str], bool], results: Results) -> None:
        """Push the same rows through both servers, each to keys without any, and compare what is stored, byte for byte."""
        self.scenarios = [scenario for scenario in push_scenarios() if wanted(scenario.name)]
        for scenario in self.scenarios:
            compared = self._compare(scenario, servers)
            results.scenarios.append(Checked.of(scenario, self.name, compared))
            if compared and not compared.same:
                raise AnswersDifferError(f"{scenario.name}: what is stored differs, so speeds can't be compared: {compared}")

    def _compare(self, scenario: Scenario, servers: Sequence[Server]) -> Comparison | None:
        if len(servers) < 2 or scenario.stamp is None:
            return None
        sent = trial(scenario, Ticks(scenario.stamp))
        ids = sorted({one for body, _ in sent for one in pushed_ids(scenario, body)})
        stored = []
        for server in servers:
            self._rows.forget(ids)
            for body, tick in sent:
                server.ask(scenario, scenario.stamp.fill(scenario.bodies[body], tick))
            stored.append(self._rows.read(ids))
            kept = check_kept(pushed_rows(scenario, sent, len(sent), JOIN_KEY, ids), stored[-1])
            if kept.older or kept.wrong:
                raise AnswersDifferError(f"{scenario.name}, {server.kind}: what was pushed isn't what is stored: {kept}")
        return compare_stored(stored[0], stored[1], len(sent))

    def inspect(self, server: Server, scenario: Scenario, number: int, load: Load, results: Results) -> None:
        """Look at a sample of the keys that a timed run pushed to: the newest row must be there.

        Stock reads an event time and then writes, so that of two pushes at the same moment the older one may stay: that is
        counted, where ours would end the benchmark.
        """
        if scenario.stamp is None:
            raise ValueError(f"{scenario.name}: pushes need event times of their own")
        sure = sure_requests(load, scenario.stamp)
        ids = sorted({one for body in {body for body, _ in load.sent[:sure]} for one in pushed_ids(scenario, body)})
        ids = Random(SEED).sample(ids, min(LOOKED_AT, len(ids)))
        kept = check_kept(pushed_rows(scenario, load.sent, sure, JOIN_KEY, ids), self._rows.read(ids))
        results.left.append(Left(server.kind, scenario.name, number, kept))
        if kept.wrong or (kept.older and server.kind is Kind.OURS):
            raise AnswersDifferError(f"{scenario.name}, {server.kind}: the newest rows aren't what is stored: {kept}")


@contextmanager
def push_stage(folder: Path) -> Iterator[PushStage]:
    """Fill the sample repository in a folder, with its Redis and the witness running until the block ends."""
    with SAMPLE.site(folder) as site, feast_rows(site, folder / "feast-rows.log") as rows:
        yield PushStage(site, rows)


def trial(scenario: Scenario, ticks: Ticks) -> Sent:
    """Return the pushes by which servers are compared: new rows, newer ones of the same keys, and at the end stale ones."""
    bodies = range(min(CHECKED_BODIES, len(scenario.bodies)))
    stale = ticks.next()
    return [*((body, ticks.next()) for body in bodies), (0, ticks.next()), (1, stale)]


def pushed_ids(scenario: Scenario, body: int) -> list[int]:
    """Return the ids of a body's rows."""
    ids: list[int] = orjson.loads(scenario.bodies[body])["df"][JOIN_KEY]
    return ids
