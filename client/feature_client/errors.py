"""What can go wrong with a call.

    FeatureClientError
    ├── ConnectionFailed         there is no connection, or it broke          (repeated)
    ├── Timeout                  no answer within the time                    (repeated, if time is left)
    ├── UnexpectedAnswer         an answer that isn't the feature service's
    └── Refused                  an answer that is an error: status, kind, title, detail, problems
        ├── InvalidRequest       4xx: the request can't be answered as it stands; `problems` name field and row
        │   ├── NotFound         404: no such view, feature, feature service, push source or suite
        │   ├── TooLarge         413: more bytes, rows or features than the server's settings allow
        │   └── RowsRejected     422: rows of a push aren't right, so none was written; `outcomes` has each
        ├── ServerError          5xx: a fault of the server's, which a repetition wouldn't mend
        └── Unavailable          502, 503, 504: may be well in `retry_after` seconds   (repeated)
            └── WriteUnconfirmed some rows of a push aren't confirmed; the same push may be sent again

An InvalidRequest whose `status` is None was raised by the client itself, and nothing was sent. Errors can be pickled.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import httpx

from feature_client.reports import RowOutcome, outcomes


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request: the field, a path into the body, and the zero-based row, where there is one."""

    message: str
    field: str | None = None
    row: int | None = None


class FeatureClientError(Exception):
    """Base of all that this client raises on purpose; `attempts` says how often the request was sent."""

    # Whether the same call may succeed when it is made again.
    is_passing: ClassVar[bool] = False
    attempts: int = 1


class ConnectionFailed(FeatureClientError):
    """The server can't be reached, or the connection broke before the answer was whole."""

    is_passing = True


class Timeout(FeatureClientError):
    """No answer came within the time. The server may have done what it was asked for."""

    is_passing = True


class UnexpectedAnswer(FeatureClientError):
    """What came isn't an answer of the feature service: something else listens there, or stands between."""


class Refused(FeatureClientError):
    """The server answered with an error. `body` is its problem document (RFC 9457), empty if it sent none."""

    def __init__(
        self,
        detail: str,
        body: Mapping[str, Any] | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.body: Mapping[str, Any] = body or {}
        self.status = status
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """The end of the problem's type, such as `unknown-name`; docs/api.md lists them. Empty without a document."""
        return str(self.body.get("type", "")).rpartition(":")[2]

    @property
    def title(self) -> str:
        """What the problem's kind is called."""
        return str(self.body.get("title", ""))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong, at most 20 of them."""
        return tuple(Problem(item["message"], item["field"], item["row"]) for item in self.body.get("errors", ()))


class InvalidRequest(Refused):
    """The request can't be answered as it stands."""

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """What the client itself finds wrong."""
        found = tuple(problems)
        said = " ".join(one.message if one.row is None else f"Row {one.row}: {one.message}" for one in found)
        return cls(said, {"errors": [{"field": one.field, "row": one.row, "message": one.message} for one in found]})

    @classmethod
    def because(cls, message: str, field: str | None = None, row: int | None = None) -> Self:
        """The common case of a single problem."""
        return cls.of([Problem(message, field, row)])


class NotFound(InvalidRequest):
    """The definitions have no such name; `detail` tells the nearest ones."""


class TooLarge(InvalidRequest):
    """More than the server's settings allow at a time."""


class RowsRejected(InvalidRequest):
    """Rows of a push aren't right, and its source's policy is to reject: nothing was written."""

    @property
    def outcomes(self) -> tuple[RowOutcome, ...]:
        """Each bad row and its reasons; none where the push asked for no detail."""
        return outcomes(self.body.get("outcomes"))

    @property
    def validation(self) -> Mapping[str, Any] | None:
        """GX's results of the expectations that failed."""
        return self.body.get("validation")


class ServerError(Refused):
    """A fault of the server's: a bug, a value that it can't read, a definition that it can't serve."""


class Unavailable(Refused):
    """Not the caller's fault, and worth a retry, at the earliest in `retry_after` seconds if that isn't None."""

    is_passing = True


class WriteUnconfirmed(Unavailable):
    """Redis confirmed some rows of a push and not others. Sent again, the push does no harm: the newest rows stand."""

    @property
    def written_rows(self) -> Sequence[int]:
        """Zero-based rows that are confirmed."""
        return tuple(self.body.get("written_rows") or ())

    @property
    def unconfirmed_rows(self) -> Sequence[int]:
        """Zero-based rows that may be written or not."""
        return tuple(self.body.get("unconfirmed_rows") or ())


def shown(url: httpx.URL) -> str:
    """An address as errors tell it: without a user's name and password."""
    return f"{url.scheme}://{url.netloc.decode()}{url.raw_path.decode()}"


# httpx's errors to ours. A class stands before its base classes: the first that matches counts.
_OF_HTTPX: tuple[tuple[type[Exception], type[FeatureClientError]], ...] = (
    (httpx.TimeoutException, Timeout),
    (httpx.NetworkError, ConnectionFailed),
    (httpx.RemoteProtocolError, ConnectionFailed),
    (httpx.ProxyError, ConnectionFailed),
    (httpx.DecodingError, UnexpectedAnswer),
    (httpx.TooManyRedirects, UnexpectedAnswer),
)


@contextmanager
def httpx_errors_translated() -> Iterator[None]:
    """The one edge to httpx. What isn't in the table (an address that isn't HTTP's) is a mistake in the program, and stays."""
    try:
        yield
    except httpx.RequestError as error:
        ours = next((ours for theirs, ours in _OF_HTTPX if isinstance(error, theirs)), None)
        if ours is None:
            raise
        request = error.request
        raise ours(f"{request.method} {shown(request.url)}: {str(error) or type(error).__name__}") from error
