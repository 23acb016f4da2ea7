"""Two services for the tests of the contract, those of tests/http: one that is read, and one that can be pushed to."""

from tests.http.conftest import client, expectations, pusher, pushing, redis, service

__all__ = ["client", "expectations", "pusher", "pushing", "redis", "service"]
