"""The short way of an ordinary request (service.http): one connection, looked at closely."""

import asyncio
import itertools
import json
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import uvicorn

from pipelines.local.redis import EmbeddedRedis
from service.app import FeatureService
from service.http import run_eagerly
from service.settings import Settings
from service.worker import server_config
from tests.http.handmade.definitions import shop
from tests.http.handmade.registry import Registry

BODY = json.dumps({"features": ["profile:age"], "entities": {"customer_id": [1]}}).encode()
IDLE_SECONDS = 1


def request(body: bytes, *headers: bytes) -> bytes:
    """A POST with a Content-Length."""
    head = [b"POST /get-online-features HTTP/1.1", b"host: test", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@asynccontextmanager
async def connected(redis: EmbeddedRedis) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a worker's server that closes idle connections after a second."""
    with (
        Registry(shop(redis.connection_string)) as registry,
        tempfile.TemporaryDirectory() as metrics,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        settings = Settings()
        app = FeatureService(settings, registry.socket, Path(metrics), None, False)
        config = server_config(app, settings)
        config.timeout_keep_alive = IDLE_SECONDS
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(20):
                while not (app._resources.reads is not None and app._resources.reads._open):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            yield reader, writer
            writer.close()
        finally:
            server.should_exit = True
            await serving


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    return head, await reader.readexactly(length)


async def test_both_ways_answer_alike(redis: EmbeddedRedis) -> None:
    """A chunked body goes uvicorn's way, one with a length the short way: the same answer, and the same connection."""
    chunked = b"POST /get-online-features HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    async with connected(redis) as (reader, writer), asyncio.timeout(20):
        answers = []
        for sent in (request(BODY), chunked, request(BODY)):
            writer.write(sent)
            answers.append(await answer(reader))
    heads, bodies = zip(*answers, strict=True)
    assert set(bodies) == {bodies[0]}
    names = [sorted(line.split(b":")[0] for line in head.split(b"\r\n")[1:] if line) for head in heads]
    assert names[0] == names[1] == names[2]
    assert b"PRESENT" in bodies[0]


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(redis: EmbeddedRedis) -> None:
    """It is closed a while after its last answer, not after its first."""
    async with connected(redis) as (reader, writer), asyncio.timeout(20):
        for _ in range(5):
            writer.write(request(BODY))
            assert b"200 OK" in (await answer(reader))[0]
            await asyncio.sleep(IDLE_SECONDS / 2)
        last = time.monotonic()
        assert await reader.read() == b""
    assert time.monotonic() - last < 10


async def test_connection_close_is_kept(redis: EmbeddedRedis) -> None:
    """Who asks for the connection to be closed gets the answer first."""
    async with connected(redis) as (reader, writer), asyncio.timeout(20):
        writer.write(request(BODY, b"connection: close"))
        head, body = await answer(reader)
        assert await reader.read() == b""
    assert b"connection: close" in head
    assert json.loads(body)["metadata"]["feature_names"] == ["customer_id", "age"]


async def test_a_head_that_was_parsed_before_means_the_same_however_it_comes(redis: EmbeddedRedis) -> None:
    """Whole, cut anywhere, several in one piece, between requests that go uvicorn's way: answers in order, each its own."""
    random = Random(5)
    sizes = [random.choice((1, 1, 1, 2, 30)) for _ in range(60)]
    bodies = [json.dumps({"features": ["profile:age"], "entities": {"customer_id": [7] * size}}).encode() for size in sizes]
    chunked = b"POST /get-online-features HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"
    sent = [
        chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if number % 7 == 6 else request(body)
        for number, body in enumerate(bodies)
    ]
    async with connected(redis) as (reader, writer), asyncio.timeout(60):
        for first in range(0, len(sent), 4):
            writer.write(sent[first])
            assert json.loads((await answer(reader))[1])["results"][0]["values"] == [7] * sizes[first]
            together = b"".join(sent[first + 1 : first + 4])
            cuts = sorted(random.choices(range(len(together)), k=random.choice((0, 0, 1, 4))))
            for start, stop in itertools.pairwise([0, *cuts, len(together)]):
                writer.write(together[start:stop])
                await writer.drain()
                await asyncio.sleep(0.002 if cuts else 0)
            for size in sizes[first + 1 : first + 4]:
                head, body = await answer(reader)
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                assert json.loads(body)["results"][0]["values"] == [7] * size


async def test_a_coroutine_runs_eagerly() -> None:
    """Its first part runs before the caller goes on, the rest as what it waits for is done."""
    steps = []
    waited = asyncio.get_running_loop().create_future()
    done = asyncio.get_running_loop().create_future()

    async def coroutine() -> None:
        steps.append("first")
        await asyncio.sleep(0)
        steps.append(await waited)
        done.set_result(None)

    run_eagerly(coroutine(), asyncio.get_running_loop())
    assert steps == ["first"]
    asyncio.get_running_loop().call_later(0.01, waited.set_result, "second")
    await done
    assert steps == ["first", "second"]


async def test_a_coroutine_that_raises_is_told() -> None:
    """It mustn't, but if it does the event loop hears of it."""
    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))

    async def coroutine() -> None:
        raise ValueError("lost")

    run_eagerly(coroutine(), asyncio.get_running_loop())
    assert [str(error) for error in heard] == ["lost"]
