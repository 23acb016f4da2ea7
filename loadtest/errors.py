"""What can end a benchmark early.

BenchmarkError
    MissingToolError     wrk or taskset isn't installed
    ServerFailedError    a server did not start, died, or answered something else than 2xx
    AnswersDifferError   the two servers do not say the same, so their speeds can't be compared
    PageError            the page to write has no markers
"""


class BenchmarkError(Exception):
    """The benchmark can't go on; the message says why, in words for the one who runs it."""


class MissingToolError(BenchmarkError):
    """A program that the benchmark needs isn't on PATH; the message says which package holds it."""


class ServerFailedError(BenchmarkError):
    """A server did not start in time, died, or gave an answer outside 2xx; the message holds its log's end."""


class AnswersDifferError(BenchmarkError):
    """The servers' answers to the same body differ; the message holds examples."""


class PageError(BenchmarkError):
    """The page has not exactly one pair of the markers between which the benchmark writes."""
