"""What both clients share, all but the sending: calls become httpx's requests, and its responses values or errors."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx

from feature_client.errors import UnexpectedAnswer, shown
from feature_client.refusals import refusal
from feature_client.requests import Call
from feature_client.retries import Attempts, Retries

T = TypeVar("T")

TIMEOUT_SECONDS = 10.0
# A model server asks from many threads or tasks; each that waits for an answer has a connection. Idle ones are kept for less
# than the server (75 s) and usual load balancers (60 s) keep them, so that a request doesn't meet one that is just closed.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=50.0)


class Connection:
    """Makes requests of calls and values of answers; sends nothing, and may be used by many at once."""

    __slots__ = ("_base", "_headers", "_retries", "_timeout", "_urls")

    def __init__(self, url: str, timeout: float, retries: Retries, headers: Mapping[str, str]) -> None:
        """`timeout` is in seconds; raises ValueError for an address that isn't one of HTTP."""
        if not url.startswith(("http://", "https://")):
            raise ValueError(f'The address must begin with "http://" or "https://", not be {url!r}')
        self._base = url.rstrip("/")
        self._headers = dict(headers)
        self._timeout = timeout
        self._retries = retries
        self._urls: dict[str, httpx.URL] = {}

    def attempts(self, timeout: float | None) -> Attempts:
        """The attempts of a call that begins now."""
        return Attempts(self._retries, self._timeout if timeout is None else timeout)

    def request(self, build: Callable[..., httpx.Request], call: Call[T], timeout: float) -> httpx.Request:
        """The request of one attempt, by httpx's `build_request`, so that what its client adds is added. Hot."""
        headers = {**self._headers, **call.headers}
        return build(call.method, self._url(call.target), content=call.content, headers=headers, timeout=timeout)

    def _url(self, target: str) -> httpx.URL:
        """Parsed once for each of the few that have no names in them: that costs as much as making the request. Hot."""
        known = self._urls.get(target)
        if known is None:
            known = httpx.URL(self._base + target)
            if "?" not in target:
                self._urls[target] = known
        return known

    @staticmethod
    def read(call: Call[T], response: httpx.Response) -> T:
        """The value of an answer; raises what it is as an error. Hot."""
        if not response.is_success and response.status_code not in call.also:
            raise refusal(response)
        try:
            return call.read(response.content)
        except (ValueError, LookupError, TypeError) as error:
            kind = response.headers.get("content-type", "no content type")
            said = f"{shown(response.url)} answered {len(response.content)} bytes of {kind} that aren't what was asked for"
            raise UnexpectedAnswer(f"{said}: {error!r}") from error
