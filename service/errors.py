"""What can go wrong, in the words of the domain. Nothing here knows HTTP.

    FeatureServiceError
    ├── InvalidRequest           the caller's fault; carries one Problem for each thing that is wrong
    │   ├── RejectedRows         rows that don't fit their columns' types, or fail the suite of what they are pushed to
    │   ├── MalformedRequest     the body isn't JSON, or not an object
    │   ├── UnknownName          a view, feature or service that the registry doesn't have
    │   ├── UnknownForm          the answer is wanted in a form that it can't have
    │   ├── RequestTooLarge      more bytes or entities than the settings allow
    │   └── FeatureNameCollision two features would get the same name in the answer
    ├── NotSupported             a definition that this server can't serve yet
    ├── MaterializationRunning   there is one at a time, and one runs already
    ├── NotMaterialized          a materialization failed, and a retry won't help before something is mended
    ├── Unavailable              not the caller's fault, and worth a retry
    │   ├── CatalogUnavailable   no definitions have been read yet
    │   ├── Overloaded           more requests in flight than the settings allow
    │   ├── SourceUnavailable    the offline store, or the registry, can't be read by a materialization
    │   ├── MaterializationInterrupted  one was ended before it was done, by a stop of the service or for another one
    │   ├── StoreUnavailable     Redis can't be reached or refuses
    │   │   ├── WriteUnconfirmed Redis didn't confirm all rows of a push; says which it did confirm
    │   │   └── StoreTimeout     Redis didn't answer within the deadline
    │   └── ValidationUnavailable  Great Expectations can't be asked what isn't compiled
    │       └── SuiteTimeout     it didn't answer within the deadline
    ├── ValidationMisconfigured  a push source names a suite or a policy that there isn't; nothing is written unvalidated
    ├── UnreadableValue          what is stored isn't what Feast writes
    ├── ComputationFailed        an on-demand view's function raised, or gave what its view doesn't promise
    ├── ComputationTimeout       it took longer than the settings allow
    └── ConfigurationError       the service can't start with what it was given

`service.routes.problems` maps each class to a status.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request, and what would be right.

    `field` is a path into the body (`entities.customer_id`), None when the body as a whole is meant;
    `row` is the zero-based position in a column, None when no single row is meant.
    """

    message: str
    field: str | None = None
    row: int | None = None


# What a process ends with to say that its configuration has to be mended (sysexits.h): it isn't started again.
EX_CONFIG = 78

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
    def because(cls, message: str, field: str | None = None, row: int | None = None) -> Self:
        """The common case of a single problem."""
        return cls([Problem(message, field, row)])


class RejectedRows(InvalidRequest):
    """Rows that were pushed and not written; none of their batch was.

    `outcomes` has each bad row and its reasons, `validation` GX's results of the expectations that failed.
    """

    def __init__(
        self,
        problems: Iterable[Problem],
        outcomes: Sequence[Mapping[str, Any]],
        validation: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(problems)
        self.details: dict[str, Any] = {"outcomes": outcomes, "validation": validation}


class MalformedRequest(InvalidRequest):
    """The body isn't a JSON object."""


class UnknownName(InvalidRequest):
    """A view, feature or feature service that the registry doesn't have."""


class UnknownForm(InvalidRequest):
    """The answer is wanted in a form that it can't have."""


class RequestTooLarge(InvalidRequest):
    """More bytes or more entities than the settings allow."""


class FeatureNameCollision(InvalidRequest):
    """Two requested features would get the same name in the answer."""


class NotSupported(FeatureServiceError):
    """The registry defines it, but this server can't serve it."""


class MaterializationRunning(FeatureServiceError):
    """One materialization runs at a time, and one does; `details` has its id and its views."""

    def __init__(self, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.details = dict(details)


class NotMaterialized(FeatureServiceError):
    """A materialization failed; the message says at which view, and why."""


class Unavailable(FeatureServiceError):
    """Not the caller's fault; a retry after a moment may succeed."""


class CatalogUnavailable(Unavailable):
    """No definitions have been read from the registry yet."""


class Overloaded(Unavailable):
    """More requests are in flight than the settings allow."""


class SourceUnavailable(Unavailable):
    """What is to be materialized can't be read now: the offline store, or the registry."""


class MaterializationInterrupted(Unavailable):
    """A materialization was ended before it was done; what it had written stays, and it may be asked for again."""


class StoreUnavailable(Unavailable):
    """The online store can't be reached, or refuses to answer."""


class StoreTimeout(StoreUnavailable):
    """The online store didn't answer within the deadline."""


class ValidationUnavailable(Unavailable):
    """A suite can't be evaluated now: the process that asks Great Expectations is gone, or can't be started."""


class SuiteTimeout(ValidationUnavailable):
    """A suite wasn't evaluated within the deadline."""


class WriteUnconfirmed(StoreUnavailable):
    """Redis didn't confirm everything; `details` says what it did. The whole request may be sent again."""

    def __init__(self, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.details = dict(details)


class ValidationMisconfigured(FeatureServiceError):
    """How a push source is to be validated can't be told: its tags name a suite or a policy that there isn't."""


class UnreadableValue(FeatureServiceError):
    """What is stored under a key isn't what Feast writes; the message says where. A retry won't help.

    `details` says of a push what became of its other rows.
    """

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = None if details is None else dict(details)


class ComputationFailed(FeatureServiceError):
    """An on-demand view's function can't be used as it is; a retry won't help.

    The message names the view, the function and, where it is known, the row; never what is in the data. The exception of
    the function, which may tell of it, is the cause, for the log alone.
    """

    def __init__(self, view: str, function: str, what: str, row: int | None = None) -> None:
        """`what` goes on from the function's name: `raises ValueError`."""
        place = "" if row is None else f" (row {row})"
        super().__init__(f"On-demand feature view {view}: its function {function} {what}{place}.")
        self.details = {"view": view, "function": function, "row": row}


class ComputationTimeout(FeatureServiceError):
    """An on-demand view's function didn't finish within its budget of time."""


class ConfigurationError(FeatureServiceError):
    """The service can't start with the configuration that it was given; the message says what to change."""
