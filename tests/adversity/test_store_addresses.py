"""Every way to reach a Redis: Feast's strings and URLs, TCP, TLS, unix sockets, passwords, users, databases."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.local.redis import EmbeddedRedis, TlsFiles
from service.errors import StoreUnavailable
from service.store import RedisStore
from tests.servers.redis_build import redis_has_tls
from tests.servers.tls import make_tls_files

from .stores import connected, fill, read, row, started

PASSWORD = "p,ss=w@rd:/?#%20\"'"
QUOTED = "p%2Css%3Dw%40rd%3A%2F%3F%23%2520%22%27"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis with users, a unix socket, and other rows in database 3 than in 0."""
    folder = tmp_path_factory.mktemp("redis")
    with EmbeddedRedis(folder, unix_socket=folder / "socket", persist=False) as server:
        fill(server)
        fill(server, db=3)
        server.command("ACL", "SETUSER", "reader", "on", ">reading", "~*", "+hmget", "+ping", "+select")
        server.command("ACL", "SETUSER", "odd", "on", f">{PASSWORD}", "~*", "+@all")
        server.command("ACL", "SETUSER", "writer", "on", ">writing", "~*", "+hset", "+ping", "+select")
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis with a password for everyone."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        fill(server)
        fill(server, db=3)
        server.command("CONFIG", "SET", "requirepass", "s3cret")
        server.password = "s3cret"
        yield server


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A certificate for 127.0.0.1."""
    if not redis_has_tls():
        pytest.skip("this redis-server is built without TLS; Debian's is built with it")
    return make_tls_files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(tls_files: TlsFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis that speaks nothing but TLS."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), tls=tls_files, persist=False) as server:
        yield server


async def reads_db(connection_string: str) -> int:
    """The database that a store with this connection string reads from."""
    async with connected(connection_string) as (store, _):
        found = await read(store, 1, 222)
    return next(db for db in (0, 3) if found == [row(1, db), row(222, db)])


async def refusal(store: RedisStore) -> str:
    """What a store says that never gets through, once it has tried."""
    deadline = time.monotonic() + 3.0
    while True:
        with pytest.raises(StoreUnavailable) as refused:
            await store.ping()
        if "connected yet" not in str(refused.value):
            return str(refused.value)
        assert time.monotonic() < deadline, "it never says why it isn't connected"
        await asyncio.sleep(0.01)


async def refuses(connection_string: str) -> str:
    """What is said to a read with this connection string."""
    async with started(connection_string) as (store, events):
        message = await refusal(store)
        assert not events.connected
    return message


@pytest.mark.parametrize(
    ("pattern", "db"),
    [
        ("127.0.0.1:{port}", 0),
        ("localhost:{port},db=3", 3),
        ("127.0.0.1:{port},db=0,ssl=false", 0),
        ("redis://127.0.0.1:{port}", 0),
        ("redis://localhost:{port}/3", 3),
        ("redis://127.0.0.1:{port}?db=3", 3),
        ("unix://{socket}", 0),
        ("unix://{socket}?db=3", 3),
        ("127.0.0.1:{port},db=3,username=reader,password=reading", 3),
        ("redis://reader:reading@127.0.0.1:{port}/3", 3),
        ("unix://reader:reading@{socket}?db=3", 3),
        ("redis://odd:{quoted}@127.0.0.1:{port}/3", 3),
    ],
)
async def test_an_address_without_tls(redis: EmbeddedRedis, pattern: str, db: int) -> None:
    """Feast's form and URLs, by TCP and unix socket, as a user and as nobody in particular, in either database."""
    assert await reads_db(pattern.format(port=redis.port, socket=redis.unix_socket, quoted=QUOTED)) == db


@pytest.mark.parametrize(
    "pattern",
    ["{host}:{port},db=3,password=s3cret", "redis://:s3cret@{host}:{port}/3", "redis://default:s3cret@{host}:{port}/3"],
)
async def test_a_password_without_a_user(guarded: EmbeddedRedis, pattern: str) -> None:
    """A password alone logs in, and is asked for before the database is chosen."""
    assert await reads_db(pattern.format(host=guarded.host, port=guarded.port)) == 3


async def test_no_password_where_one_is_asked_for(guarded: EmbeddedRedis) -> None:
    """The message holds Redis's own word for it."""
    assert "NOAUTH" in await refuses(f"{guarded.host}:{guarded.port},db=3")
    assert "NOAUTH" in await refuses(f"redis://{guarded.host}:{guarded.port}")


@pytest.mark.parametrize("pattern", ["{host}:{port},password=wr0ng", "redis://:wr0ng@{host}:{port}/3"])
async def test_a_wrong_password_is_said_and_not_shown(guarded: EmbeddedRedis, pattern: str) -> None:
    """The message says that logging in failed, and never what was tried."""
    message = await refuses(pattern.format(host=guarded.host, port=guarded.port))
    assert "log in" in message
    assert "WRONGPASS" in message
    assert "wr0ng" not in message


async def test_a_password_that_is_changed_and_changed_back(guarded: EmbeddedRedis) -> None:
    """A store that is locked out while Redis runs comes back by itself when its password is good again."""
    async with connected(guarded.connection_string) as (store, _):
        guarded.command("CONFIG", "SET", "requirepass", "other")
        guarded.password = "other"
        guarded.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.1)
        assert "WRONGPASS" in await refusal(store)
        guarded.command("CONFIG", "SET", "requirepass", "s3cret")
        guarded.password = "s3cret"
        await asyncio.sleep(1.0)
        assert await read(store, 2) == [row(2)]


async def test_a_user_who_may_not_read(redis: EmbeddedRedis) -> None:
    """A user without HMGET connects, and a read says what it lacks."""
    async with connected(f"redis://writer:writing@127.0.0.1:{redis.port}") as (store, _):
        with pytest.raises(StoreUnavailable, match=r"NOPERM.*hmget"):
            await read(store, 1)


async def test_a_database_that_does_not_exist(redis: EmbeddedRedis) -> None:
    """The message names it, and Redis's reason."""
    message = await refuses(f"127.0.0.1:{redis.port},db=99")
    assert "select db 99" in message
    assert "out of range" in message


async def test_a_unix_socket_that_does_not_exist(tmp_path: Path) -> None:
    """The message names it."""
    assert str(tmp_path / "nothing") in await refuses(f"unix://{tmp_path / 'nothing'}")


@pytest.mark.parametrize("host", ["nowhere.invalid", "redis..svc", "x" * 80])
async def test_a_host_that_does_not_exist(host: str) -> None:
    """A name that can't be resolved, or can't even be a name, is said, again and again, rather than given up on."""
    async with started(f"{host}:6379") as (store, _):
        assert host in await refusal(store)
        await asyncio.sleep(0.1)
        assert host in await refusal(store)


@pytest.mark.parametrize(
    "pattern",
    [
        "127.0.0.1:{port},ssl=true,ssl_ca_certs={ca}",
        "rediss://127.0.0.1:{port}?ssl_ca_certs={ca}",
        "rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none",
        "localhost:{port},ssl=true,ssl_ca_certs={ca},ssl_check_hostname=false",
    ],
)
async def test_tls(encrypted: EmbeddedRedis, tls_files: TlsFiles, pattern: str) -> None:
    """Feast's form and rediss://, with the authority's certificate, or with the check that isn't wanted turned off."""
    async with connected(pattern.format(port=encrypted.port, ca=tls_files.ca)) as (store, _):
        await store.ping()


async def test_tls_of_an_unknown_authority_is_refused(encrypted: EmbeddedRedis, tmp_path: Path) -> None:
    """Without the authority's certificate, or with another's, the message says that the certificate can't be verified."""
    stranger = make_tls_files(tmp_path)
    for connection_string in (
        f"127.0.0.1:{encrypted.port},ssl=true",
        f"rediss://127.0.0.1:{encrypted.port}",
        f"rediss://127.0.0.1:{encrypted.port}?ssl_ca_certs={stranger.ca}",
    ):
        assert "certificate verify failed" in (await refuses(connection_string)).lower()


async def test_tls_for_another_host_is_refused(encrypted: EmbeddedRedis, tls_files: TlsFiles) -> None:
    """A certificate for 127.0.0.1 isn't one for localhost."""
    assert "hostname" in (await refuses(f"localhost:{encrypted.port},ssl=true,ssl_ca_certs={tls_files.ca}")).lower()


async def test_an_authority_file_that_is_not_there(encrypted: EmbeddedRedis, tmp_path: Path) -> None:
    """The message names the file."""
    missing = str(tmp_path / "no.pem")
    assert missing in await refuses(f"127.0.0.1:{encrypted.port},ssl=true,ssl_ca_certs={missing}")


async def test_plain_text_to_a_tls_port_is_refused(encrypted: EmbeddedRedis) -> None:
    """Forgetting ssl=true is unavailable with a message, not a hang."""
    assert await refuses(f"127.0.0.1:{encrypted.port}")


async def test_tls_to_a_plain_port_is_refused(redis: EmbeddedRedis) -> None:
    """Wanting TLS of a server that has none is unavailable with a message, not a hang."""
    assert await refuses(f"rediss://127.0.0.1:{redis.port}?ssl_cert_reqs=none")
