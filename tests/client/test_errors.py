"""Errors: each answer that isn't a success, and each way in which there is none."""

import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from typing import Any

import httpx
import pytest

import feature_client
from feature_client import (
    ConnectionFailed,
    FeatureClient,
    FeatureClientError,
    InvalidRequest,
    NotFound,
    Problem,
    Refused,
    Retries,
    RowsRejected,
    ServerError,
    Timeout,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
    WriteUnconfirmed,
)
from feature_client.errors import httpx_errors_translated
from feature_client.refusals import refusal
from tests.http.handmade.pushes import PROJECT, Pusher, scores
from tests.http.handmade.running import Running, running
from tests.servers.tcp_proxy import TcpProxy

from .clients import AnyClient

Connect = Callable[..., AnyClient]

ONCE = Retries(attempts=1)
ASKED = ["profile:age"], {"customer_id": [1]}


def answer(status: int, content: bytes | Mapping[str, Any], **headers: str) -> httpx.Response:
    """A response as httpx has it."""
    body: dict[str, Any] = {"content": content} if isinstance(content, bytes) else {"json": content}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, request=httpx.Request("POST", "http://features/push"), headers=named, **body)


def problem(kind: str, **more: Any) -> dict[str, Any]:
    """A problem document."""
    return {"type": f"urn:feature-service:{kind}", "title": "T", "detail": "D", "errors": [], **more}


ANSWERS: dict[str, tuple[int, bytes | Mapping[str, Any], type[FeatureClientError], str]] = {
    "malformed": (400, problem("malformed-request"), InvalidRequest, "D"),
    "unknown": (404, problem("unknown-name"), NotFound, "D"),
    "large": (413, problem("too-large"), TooLarge, "D"),
    "invalid": (422, problem("invalid-request"), InvalidRequest, "D"),
    "rejected": (422, problem("rejected-rows"), RowsRejected, "D"),
    "of a kind that is new": (418, problem("teapot"), InvalidRequest, "D"),
    "internal": (500, problem("internal-error"), ServerError, "D"),
    "unsupported": (501, problem("not-supported"), ServerError, "D"),
    "store": (503, problem("store-unavailable"), Unavailable, "D"),
    "unconfirmed": (503, problem("write-unconfirmed"), WriteUnconfirmed, "D"),
    "over the time budget": (504, problem("computation-timeout"), Unavailable, "D"),
    "a proxy's page": (502, b"<html>Bad Gateway</html>", Unavailable, "answered HTTP 502: <html>Bad Gateway</html>"),
    "an empty one": (503, b"", Unavailable, "answered HTTP 503$"),
    "a list": (500, b"[1]", ServerError, "answered HTTP 500: "),
    "in the form of Feast": (404, json.dumps(json.dumps({"message": "No such view"})).encode(), NotFound, "No such view"),
    "a redirection": (302, b"", UnexpectedAnswer, "answered HTTP 302"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_has_its_error(name: str) -> None:
    """By its kind, else by its status; it says what the server says."""
    status, content, expected, said = ANSWERS[name]
    error = refusal(answer(status, content))
    assert type(error) is expected
    with pytest.raises(expected, match=said):
        raise error
    if isinstance(error, Refused):
        assert error.status == status


def test_a_problem_document_is_typed() -> None:
    """Kind, title, and each thing that is wrong."""
    found = {"field": "entities.customer_id", "row": 3, "message": "M"}
    error = refusal(answer(422, problem("invalid-request", errors=[found])))
    assert isinstance(error, InvalidRequest)
    assert (error.kind, error.title, error.problems) == ("invalid-request", "T", (Problem("M", "entities.customer_id", 3),))


NOON = 1_795_694_400.0
RETRY_AFTER: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry_after": "3"}, 3.0),
    "a date": ({"retry_after": formatdate(NOON + 90, usegmt=True), "date": formatdate(NOON, usegmt=True)}, 90.0),
    "a date in the past": ({"retry_after": formatdate(NOON, usegmt=True), "date": formatdate(NOON + 5, usegmt=True)}, 0.0),
    "a date without now": ({"retry_after": formatdate(NOON, usegmt=True)}, None),
    "nonsense": ({"retry_after": "soon", "date": formatdate(NOON, usegmt=True)}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("form", RETRY_AFTER)
def test_retry_after_has_two_forms(form: str) -> None:
    """A date is counted from the answer's own: the clocks of two machines differ."""
    headers, seconds = RETRY_AFTER[form]
    error = refusal(answer(503, b"", **headers))
    assert isinstance(error, Unavailable)
    assert error.retry_after == seconds


def _leaves(cls: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _leaves(subclass)


# Mistakes in the program, which no error of the server's or the network's hides.
MISTAKES = {httpx.LocalProtocolError, httpx.UnsupportedProtocol}


@pytest.mark.parametrize("theirs", sorted(_leaves(httpx.RequestError), key=str))
def test_every_error_of_httpx_has_one_of_ours(theirs: type[httpx.RequestError]) -> None:
    """But for mistakes in the program; the cause is kept."""
    if theirs in MISTAKES | {httpx.TransportError, httpx.ProtocolError}:  # the last two are never raised themselves
        expected: type[Exception] = theirs
    else:
        expected = FeatureClientError
    with pytest.raises(expected) as caught, httpx_errors_translated():
        raise theirs("why", request=httpx.Request("GET", "http://features/health"))
    if expected is FeatureClientError:
        assert str(caught.value) == "GET http://features/health: why"
        assert isinstance(caught.value.__cause__, theirs)


@pytest.mark.parametrize("name", feature_client.__all__)
def test_errors_can_be_pickled(name: str) -> None:
    """Worker pools hand them over."""
    cls = getattr(feature_client, name)
    if not issubclass(cls, FeatureClientError):
        return
    error = cls("why", {"written_rows": [1], "outcomes": []}, 503, 2.0) if issubclass(cls, Refused) else cls("why")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again), vars(again)) == (cls, "why", vars(error))


def test_nobody_listens(connect: Connect) -> None:
    """ConnectionFailed, with the address."""
    with TcpProxy(1) as proxy:
        proxy.refuse()
        with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{proxy.port}/health") as caught:
            connect(f"http://127.0.0.1:{proxy.port}", retries=ONCE).health()
    assert caught.value.attempts == 1


def test_a_server_that_says_nothing(connect: Connect, service: Running) -> None:
    """Timeout, after the time of the client or of the call."""
    with TcpProxy(service.port) as proxy:
        proxy.black_hole()
        url = f"http://127.0.0.1:{proxy.port}"
        with pytest.raises(Timeout):
            connect(url, timeout=0.05).get_online_features(*ASKED)
        with pytest.raises(Timeout):
            connect(url, timeout=60.0).get_online_features(*ASKED, timeout=0.05)


def test_something_else_listens(connect: Connect, service: Running) -> None:
    """What it answers isn't ours; and what isn't there is told."""
    with pytest.raises(UnexpectedAnswer, match="aren't what was asked for"):
        connect(service.url + "/docs?").catalog()
    with pytest.raises(NotFound):
        connect(service.url + "/elsewhere").catalog()


def test_rows_that_are_too_many(connect: Connect, pusher: Pusher) -> None:
    """TooLarge, and nothing is repeated."""
    with running(pusher.service.registry, max_push_rows=2) as small, pytest.raises(TooLarge) as caught:
        connect(small.url).push("free", scores(1, 2, 3))
    assert (caught.value.status, caught.value.attempts) == (413, 1)


def test_rows_that_are_not_confirmed(connect: Connect, pusher: Pusher) -> None:
    """Both kinds of rows are told; the same push again does no harm."""
    client = connect(pusher.service.url, retries=ONCE)
    stream = f"feature-service:{PROJECT}:quarantine:quarantine"
    rows = scores(80_001, 80_002, score=[0.5, 1.5])
    pusher.redis.delete(stream)
    pusher.redis.set(stream, "no stream")
    try:
        with pytest.raises(WriteUnconfirmed) as caught:
            client.push("quarantine", rows)
    finally:
        pusher.redis.delete(stream)
    assert (caught.value.written_rows, caught.value.unconfirmed_rows, caught.value.retry_after) == ((0,), (1,), 1.0)
    report = client.push("quarantine", rows)
    assert (report.written, report.quarantined) == (1, 1)


def test_a_push_is_repeated_until_it_is_confirmed(connect: Connect, pusher: Pusher) -> None:
    """What was in the way goes while the client waits."""
    stream = f"feature-service:{PROJECT}:quarantine:quarantine"
    pusher.redis.delete(stream)
    pusher.redis.set(stream, "no stream")
    client = connect(pusher.service.url, sleep=lambda seconds: pusher.redis.delete(stream))
    report = client.push("quarantine", scores(80_003, 80_004, score=[0.5, 1.5]))
    assert (report.written, report.quarantined) == (1, 1)


def test_a_password_is_not_told(connect: Connect) -> None:
    """It may be in the address; errors go into logs."""
    with TcpProxy(1) as proxy:
        proxy.refuse()
        with pytest.raises(ConnectionFailed) as caught:
            connect(f"http://model:secret@127.0.0.1:{proxy.port}", retries=ONCE).health()
    assert "secret" not in str(caught.value)
    error = refusal(httpx.Response(503, request=httpx.Request("GET", "http://model:secret@features/catalog")))
    assert str(error) == "http://features/catalog answered HTTP 503"


def test_a_closed_client_is_a_mistake(service: Running) -> None:
    """As httpx says."""
    client = FeatureClient(service.url)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.health()
