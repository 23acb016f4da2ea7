"""The sample repository applied on this machine, for tests that ask Feast for features of the past."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.local.layout import REPO_DIR
from pipelines.local.prepare import prepare


@contextmanager
def sample_repository(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Feast's configuration, with the environment that it needs; applied by the first module that asks, kept for the others.

    Redis has been stopped: offline features don't need it.
    """
    prepared = prepare(REPO_DIR, factory.getbasetemp() / "sample-repository")
    prepared.redis.stop()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in prepared.environment.items():
            patch.setenv(name, value)
        yield prepared.config
