"""A stage of the benchmark: a repository that is ready to be served, and scenarios that run on it one after the other."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loadtest.results import Results
from loadtest.scenario import Scenario
from loadtest.servers import Server, Site
from loadtest.wrk import Load


class Stage(Protocol):
    """What `bench` needs to know of it."""

    name: str
    site: Site
    scenarios: list[Scenario]

    @property
    def first(self) -> Scenario:
        """The request whose answer ends a server's start."""

    def compare(self, servers: Sequence[Server], wanted: Callable[[str], bool], results: Results) -> None:
        """Make the wanted scenarios and compare what both servers do; AnswersDifferError when that isn't the same.

        There may be one server only, and nothing to compare then.
        """

    def inspect(self, server: Server, scenario: Scenario, number: int, load: Load, results: Results) -> None:
        """Look at what a timed run left behind, `number` being its round; AnswersDifferError when it is wrong."""


@dataclass(frozen=True, slots=True)
class StageKind:
    """How a stage is made: in a new folder, with a Redis of its own for as long as the block runs."""

    name: str
    scenarios: tuple[str, ...]
    opened: Callable[[Path], AbstractContextManager[Stage]]
