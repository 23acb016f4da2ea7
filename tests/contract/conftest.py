"""One service for the tests of the contract: that of tests/http, with its Redis and its rows."""

from tests.http.conftest import redis, service

__all__ = ["redis", "service"]
