"""One S3, PostgreSQL, Redis and webhook, the production configuration applied to them, and an Airflow that runs the DAGs."""

from collections.abc import Iterator

import pytest

from .platform import Platform, open_platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything that the DAGs need, as in production."""
    with open_platform(tmp_path_factory.mktemp("airflow")) as opened:
        yield opened
