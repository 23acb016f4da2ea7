"""A bucket of its own for a test, gone afterwards: each takes up room of the S3 server, also when it is empty."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.s3 import S3Server


@contextmanager
def open_bucket(s3: S3Server, *, attempts: int = 3) -> Iterator[str]:
    """Its name; the environment leads there, and a request is sent that often."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(name)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in (s3.environment | {"AWS_MAX_ATTEMPTS": str(attempts)}).items():
                patch.setenv(variable, value)
            yield name
    finally:
        client = s3.client()
        for key in s3.keys(name):
            client.delete_object(Bucket=name, Key=key)
        client.delete_bucket(Bucket=name)
