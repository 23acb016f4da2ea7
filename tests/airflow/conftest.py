"""One S3, PostgreSQL, Redis and webhook, the production configuration applied to them, and an Airflow that runs the DAGs."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from .platform import Platform, Run, open_platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything that the DAGs need, as in production."""
    with open_platform(tmp_path_factory.mktemp("airflow")) as opened:
        yield opened


@pytest.fixture(scope="session")
def first_run(platform: Platform) -> Run:
    """`feast_feature_pipeline` run from the first row to the end of the sample."""
    return platform.run("feast_feature_pipeline", datetime(2026, 2, 1, 10, tzinfo=UTC), {"start": "2024-01-01T00:00:00Z"})


@pytest.fixture
def materialized(first_run: Run) -> datetime:
    """The moment up to which the registry says that all views are materialized, since the first run."""
    assert first_run.code == 0, first_run.output
    return datetime(2026, 2, 1, 10, tzinfo=UTC)
