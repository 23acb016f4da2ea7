"""Clients that misbehave: they go away, send too much, send in crumbs, or send everything at once."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.servers.http_connection import HttpConnection, encode_request
from tests.servers.waiting import wait_until

from .site import DEADLINE_SECONDS, Site, body, question

PATH = "/get-online-features"
MAX_BODY_BYTES = 4 * 1024 * 1024
CHUNKED = {"transfer-encoding": "chunked"}


@pytest.fixture(autouse=True)
def nothing_is_left_behind(site: Site) -> Iterator[None]:
    """After each test the same worker runs, no request is in flight, and its log has no trace of an error."""
    workers = site.service.worker_pids
    logged = len(site.service.log)
    yield
    wait_until(lambda: site.service.metric("requests_in_flight") == 0, "that no request is in flight")
    assert site.service.worker_pids == workers
    log = site.service.log[logged:]
    assert "Traceback" not in log
    assert " ERROR " not in log


def encoded(customers: list[int] | range) -> bytes:
    """The bytes of a read."""
    return encode_request("POST", PATH, json.dumps(body(customers)).encode())


def chunks(data: bytes, size: int) -> bytes:
    """A body in chunks."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def sent_in_every_way(customer: int) -> list[bytes]:
    """Reads of a customer: as usual, in chunks, and with a body of more than is read at once."""
    data = json.dumps(body([customer])).encode()
    large = json.dumps(body(range(customer, customer + 1500))).encode().ljust(100_000)
    return [
        encode_request("POST", PATH, data),
        encode_request("POST", PATH, headers=CHUNKED) + chunks(data, 20),
        encode_request("POST", PATH, large),
    ]


async def test_clients_that_leave_in_the_middle_of_a_body(site: Site) -> None:
    """By a reset or in order, with a length or in chunks: the worker forgets them."""
    whole = encoded(range(1, 100))
    head, _, rest = whole.partition(b"\r\n\r\n")
    half = head + b"\r\n\r\n" + rest[:50]
    chunked = encode_request("POST", PATH, headers=CHUNKED) + chunks(rest, 10)[:77]
    for start in [half, chunked, head, whole[:20]] * 5:
        leaves_in_order = await HttpConnection.open(site.service.url)
        resets = await HttpConnection.open(site.service.url)
        for connection in (leaves_in_order, resets):
            await connection.send(start)
        await asyncio.sleep(0.005)
        leaves_in_order.close()
        resets.reset()
    async with await HttpConnection.open(site.service.url) as connection:
        assert question([1]).is_answered_by(await connection.post(PATH, body([1])))


async def test_clients_that_leave_before_their_answer(site: Site) -> None:
    """Reads whose clients have gone when Redis answers are dropped; those of others are answered."""
    site.proxy.delay(DEADLINE_SECONDS * 0.6)
    leaving = [await HttpConnection.open(site.service.url) for _ in range(20)]
    for number, connection in enumerate(leaving):
        await connection.send(encoded([number]))
    async with await HttpConnection.open(site.service.url) as staying:
        answer = asyncio.create_task(staying.post(PATH, body([7, 8])))
        await asyncio.sleep(0.05)
        for number, connection in enumerate(leaving):
            if number % 2:
                connection.reset()
            else:
                connection.close()
        assert question([7, 8]).is_answered_by(await answer)


async def test_a_client_that_leaves_in_the_middle_of_an_answer(site: Site) -> None:
    """Answers of a megabyte each to a client that reads nothing and then resets."""
    for _ in range(5):
        connection = await HttpConnection.open(site.service.url)
        await connection.send(encoded(range(1, 10_000)))
        await asyncio.sleep(0.05)
        connection.reset()
    async with await HttpConnection.open(site.service.url) as connection:
        assert question([1]).is_answered_by(await connection.post(PATH, body([1])))


async def test_a_client_that_does_not_read(site: Site) -> None:
    """One that asks for megabytes without reading holds nobody up, and gets everything in order when it reads."""
    async with await HttpConnection.open(site.service.url) as lazy, await HttpConnection.open(site.service.url) as other:
        for first in range(1, 21):
            await lazy.send(encoded(range(first, first + 2000)))
        for _ in range(50):
            assert question([3]).is_answered_by(await other.post(PATH, body([3])))
        for first in range(1, 21):
            assert question(range(first, first + 2000)).is_answered_by(await lazy.receive())


async def test_a_body_over_the_limit(site: Site) -> None:
    """A body too long is 413 and says the limit, and its connection ends behind the answer."""
    async with await HttpConnection.open(site.service.url) as connection:
        answer = await connection.request("POST", PATH, b" " * (2 * MAX_BODY_BYTES))
        assert answer.status == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert str(MAX_BODY_BYTES) in answer.json["detail"]
        assert await connection.ended()


async def test_a_body_that_announces_too_much(site: Site) -> None:
    """A length beyond the limit, of which only the start ever comes, doesn't make the server wait for the rest."""
    async with await HttpConnection.open(site.service.url) as connection:
        await connection.send(encode_request("POST", PATH, headers={"content-length": str(10 * MAX_BODY_BYTES)}))
        for _ in range(5):
            await connection.send(b" " * 1024 * 1024)
        assert (await connection.receive()).status == 413


@pytest.mark.parametrize("headers", [CHUNKED, {"content-length": str(MAX_BODY_BYTES + 1)}])
async def test_a_body_just_over_the_limit(site: Site, headers: dict[str, str]) -> None:
    """A body that has come whole is refused without waiting for more of it."""
    data = b" " * (MAX_BODY_BYTES + 1)
    async with await HttpConnection.open(site.service.url) as connection, asyncio.timeout(1.5):
        await connection.send(encode_request("POST", PATH, headers=headers))
        await connection.send(chunks(data, 65_536) if headers is CHUNKED else data)
        assert (await connection.receive()).status == 413


async def test_chunks_over_the_limit(site: Site) -> None:
    """Without a length to go by, the limit holds for what has come."""
    async with await HttpConnection.open(site.service.url) as connection:
        await connection.send(encode_request("POST", PATH, headers=CHUNKED) + chunks(b" " * (2 * MAX_BODY_BYTES), 65_536))
        assert (await connection.receive()).status == 413


async def test_a_body_at_the_limit(site: Site) -> None:
    """A body of exactly the limit is read."""
    data = json.dumps(body([5])).encode().ljust(MAX_BODY_BYTES)
    async with await HttpConnection.open(site.service.url) as connection:
        assert question([5]).is_answered_by(await connection.request("POST", PATH, data))


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_chunked_bodies(site: Site, size: int) -> None:
    """A body in chunks is the body, and the connection goes on."""
    async with await HttpConnection.open(site.service.url) as connection:
        for customer in (5, 6):
            await connection.send(
                encode_request("POST", PATH, headers=CHUNKED) + chunks(json.dumps(body([customer])).encode(), size)
            )
            assert question([customer]).is_answered_by(await connection.receive())


async def test_bodies_byte_by_byte(site: Site) -> None:
    """Requests that trickle in, ten at once, are answered each with its own, and hold nobody up."""

    async def trickle(customer: int) -> bool:
        async with await HttpConnection.open(site.service.url) as connection:
            for byte in encoded([customer]):
                await connection.send(bytes([byte]))
                await asyncio.sleep(0.001)
            return question([customer]).is_answered_by(await connection.receive())

    trickles = asyncio.gather(*[trickle(customer) for customer in range(1, 11)])
    async with await HttpConnection.open(site.service.url) as connection:
        for _ in range(20):
            assert question([9]).is_answered_by(await connection.post(PATH, body([9])))
    assert all(await trickles)


async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """A hundred requests in one write, of every kind and result, get a hundred answers in their order."""
    requests, wanted = [], []
    for customer in range(1, 41):
        requests += [encoded([customer]), encode_request("GET", "/health"), encode_request("POST", PATH, b"{")]
        wanted += [200, 200, 400]
        if customer % 10 == 0:
            requests += [encode_request("GET", "/nowhere"), *sent_in_every_way(customer)]
            wanted += [404, 200, 200, 200]
    async with await HttpConnection.open(site.service.url) as connection:
        await connection.send(b"".join(requests))
        answers = [await connection.receive() for _ in requests]
    assert [answer.status for answer in answers] == wanted
    reads = [answer for answer in answers if answer.status == 200 and b"results" in answer.body]
    firsts = [answer.json["results"][0]["values"][0] for answer in reads]
    assert firsts == sorted(firsts)
    assert len(firsts) == 40 + 4 * 3


async def test_ways_of_sending_one_after_another(site: Site) -> None:
    """One connection may change between plain bodies, chunks and large ones, whether or not answers have come."""
    async with await HttpConnection.open(site.service.url) as connection:
        for customer in range(1, 31):
            for request in sent_in_every_way(customer):
                await connection.send(request)
                if customer % 2:
                    assert (await connection.receive()).json["results"][0]["values"][0] == customer
            if not customer % 2:
                for _ in range(3):
                    assert (await connection.receive()).json["results"][0]["values"][0] == customer
        await connection.send(encode_request("POST", PATH, json.dumps(body([7])).encode(), {"connection": "close"}))
        assert question([7]).is_answered_by(await connection.receive())
        assert await connection.ended()


async def test_what_follows_a_refusal_on_the_same_connection(site: Site) -> None:
    """A request that is wrong costs the client no connection."""
    async with await HttpConnection.open(site.service.url) as connection:
        for wrong, status in ((b"", 400), (b"[]", 422), (b'{"entities": {"customer_id": ["x"]}, "features": ["a:b"]}', 404)):
            assert (await connection.request("POST", PATH, wrong)).status == status
            assert question([2]).is_answered_by(await connection.post(PATH, body([2])))


async def test_a_client_that_waits_to_be_asked_for_its_body(site: Site) -> None:
    """Expect: 100-continue is answered by 100, as curl wants it for larger bodies."""
    data = json.dumps(body([4])).encode()
    async with await HttpConnection.open(site.service.url) as connection:
        await connection.send(
            encode_request("POST", PATH, headers={"content-length": str(len(data)), "expect": "100-continue"})
        )
        assert (await connection.receive()).status == 100
        await connection.send(data)
        assert question([4]).is_answered_by(await connection.receive())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("HEAD", "/nowhere", 404),
        ("POST", "/nowhere", 404),
        ("GET", PATH, 405),
        ("HEAD", PATH, 405),
        ("PUT", PATH, 405),
        ("OPTIONS", PATH, 405),
        ("POST", "/health", 405),
        ("DELETE", "/catalog", 405),
        ("GET", "/catalog/refresh", 405),
    ],
)
async def test_routes_and_methods_that_there_are_not(site: Site, method: str, path: str, status: int) -> None:
    """They are 404 and 405 in the form of all errors, without a body for HEAD, and the connection goes on."""
    async with await HttpConnection.open(site.service.url) as connection:
        answer = await connection.request(method, path)
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers.get("allow") if status == 405 else True
        if method != "HEAD":
            assert answer.json["status"] == status
        assert (await connection.request("GET", "/health")).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS to a plain port
        b"HELP\r\n\r\n",
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /get-online-features HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST /get-online-features HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /get-online-features HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_not_http(site: Site, data: bytes) -> None:
    """It is 400 and the end of its connection."""
    async with await HttpConnection.open(site.service.url) as connection:
        await connection.send(data)
        assert (await connection.receive()).status == 400
        assert await connection.ended()


async def test_many_idle_connections(site: Site) -> None:
    """Two hundred clients that connect and say nothing are in nobody's way."""
    idle = [await HttpConnection.open(site.service.url) for _ in range(200)]
    async with await HttpConnection.open(site.service.url) as connection:
        assert question([1]).is_answered_by(await connection.post(PATH, body([1])))
    for connection in idle:
        connection.close()
