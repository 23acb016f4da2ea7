"""Great Expectations, set up once, and the count of what was compared with it."""

from collections import Counter
from collections.abc import Iterator

import pytest

from .reference import Reference

COMPARED = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session")
def reference() -> Reference:
    """GX itself."""
    return Reference()


@pytest.fixture(scope="session")
def compared(pytestconfig: pytest.Config) -> Iterator[Counter[str]]:
    """Outcomes that were compared, by what became of them."""
    pytestconfig.stash[COMPARED] = Counter()
    return pytestconfig.stash[COMPARED]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many outcomes were compared: a differential test that compares little says little."""
    counts = config.stash.get(COMPARED, None)
    if counts:
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        terminalreporter.write_line(f"{counts.total()} outcomes were compared with Great Expectations': {kinds}")
