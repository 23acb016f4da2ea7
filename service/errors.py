"""What can go wrong, in the words of the domain. Nothing here knows HTTP.

    FeatureServiceError
    ├── InvalidRequest           the caller's fault; carries one Problem for each thing that is wrong
    │   ├── MalformedRequest     the body isn't JSON, or not an object
    │   ├── UnknownName          a view, feature or service that the registry doesn't have
    │   ├── RequestTooLarge      more bytes or entities than the settings allow
    │   └── FeatureNameCollision two features would get the same name in the answer
    ├── NotSupported             a definition that this server can't serve yet
    ├── Unavailable              not the caller's fault, and worth a retry
    │   ├── CatalogUnavailable   no definitions have been read yet
    │   ├── Overloaded           more requests in flight than the settings allow
    │   └── StoreUnavailable     Redis can't be reached or refuses
    │       └── StoreTimeout     Redis didn't answer within the deadline
    ├── UnreadableValue          what is stored isn't what Feast writes
    └── ConfigurationError       the service can't start with what it was given

`service.routes.problems` maps each class to a status.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request, and what would be right.

    `field` is a path into the body (`entities.customer_id`), None when the body as a whole is meant;
    `row` is the zero-based position in a column, None when no single row is meant.
    """

    message: str
    field: str | None = None
    row: int | None = None


# A request with a thousand bad ids isn't helped by a thousand messages, and a hostile one mustn't cost their making.
MAX_PROBLEMS = 20


class FeatureServiceError(Exception):
    """Base of everything that this service raises on purpose."""


class InvalidRequest(FeatureServiceError):
    """The request can't be answered as it stands; `problems` says where and what would be right."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Of `problems` only the first MAX_PROBLEMS are taken, and made."""
        self.problems = tuple(islice(problems, MAX_PROBLEMS))
        sentences = [
            problem.message if problem.row is None else f"Row {problem.row}: {problem.message}" for problem in self.problems
        ]
        if len(sentences) == MAX_PROBLEMS:
            sentences.append("There may be more; these are the first.")
        super().__init__(" ".join(sentences))

    @classmethod
    def because(cls, message: str, field: str | None = None, row: int | None = None) -> "InvalidRequest":
        """The common case of a single problem."""
        return cls([Problem(message, field, row)])


class MalformedRequest(InvalidRequest):
    """The body isn't a JSON object."""


class UnknownName(InvalidRequest):
    """A view, feature or feature service that the registry doesn't have."""


class RequestTooLarge(InvalidRequest):
    """More bytes or more entities than the settings allow."""


class FeatureNameCollision(InvalidRequest):
    """Two requested features would get the same name in the answer."""


class NotSupported(FeatureServiceError):
    """The registry defines it, but this server can't serve it."""


class Unavailable(FeatureServiceError):
    """Not the caller's fault; a retry after a moment may succeed."""


class CatalogUnavailable(Unavailable):
    """No definitions have been read from the registry yet."""


class Overloaded(Unavailable):
    """More requests are in flight than the settings allow."""


class StoreUnavailable(Unavailable):
    """The online store can't be reached, or refuses to answer."""


class StoreTimeout(StoreUnavailable):
    """The online store didn't answer within the deadline."""


class UnreadableValue(FeatureServiceError):
    """What is stored under a key isn't what Feast writes; the message says where. A retry won't help."""


class ConfigurationError(FeatureServiceError):
    """The service can't start with the configuration that it was given; the message says what to change."""
