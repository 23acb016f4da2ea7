"""Where Redis is: Feast's connection strings and Redis URLs, and what is said of those that can't be meant."""

import contextlib
import ssl
from pathlib import Path

import pytest
import redis
import trustme
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ConfigurationError
from service.store import RedisAddress, parse_address
from service.store.address import TLS
from tests.http.handmade.examples import examples


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", RedisAddress()),
        ("redis.example.org", RedisAddress(host="redis.example.org")),
        ("redis.example.org:6380", RedisAddress(host="redis.example.org", port=6380)),
        (":6380", RedisAddress(port=6380)),
        ("[::1]:6380", RedisAddress(host="::1", port=6380)),
        ("h:1,db=3", RedisAddress(host="h", port=1, db=3)),
        (" h:1 , db=3 ", RedisAddress(host="h", port=1, db=3)),
        ("h:1,password=p=w:d/@", RedisAddress(host="h", port=1, password="p=w:d/@")),
        ("h:1,password=a://b", RedisAddress(host="h", port=1, password="a://b")),
        ('h:1,password="quo\\"ted"', RedisAddress(host="h", port=1, password='quo"ted')),
        ("h:1,username=reader,password=pw", RedisAddress(host="h", port=1, username="reader", password="pw")),
        ("h:1,ssl=false", RedisAddress(host="h", port=1)),
        ("h:1,ssl=true", RedisAddress(host="h", port=1, tls=TLS())),
        ("h:1,ssl=True,ssl_cert_reqs=none", RedisAddress(host="h", port=1, tls=TLS(cert_reqs="none"))),
        (
            "h:1,ssl=true,ssl_ca_certs=/ca,ssl_certfile=/crt,ssl_keyfile=/key,ssl_check_hostname=false",
            RedisAddress(host="h", port=1, tls=TLS("/ca", "/crt", "/key", check_hostname=False)),
        ),
        ("unix_socket_path=/run/redis.sock", RedisAddress(unix_socket="/run/redis.sock")),
        ("h:1,skip_full_coverage_check=true,socket_timeout=5", RedisAddress(host="h", port=1)),
        ("redis://h", RedisAddress(host="h")),
        ("redis://h:1/3", RedisAddress(host="h", port=1, db=3)),
        ("redis://h:1?db=3", RedisAddress(host="h", port=1, db=3)),
        ("redis://[::1]:1/", RedisAddress(host="::1", port=1)),
        ("redis://:p%40ss@h", RedisAddress(host="h", password="p@ss")),
        ("redis://reader:pw@h", RedisAddress(host="h", username="reader", password="pw")),
        ("rediss://h", RedisAddress(host="h", tls=TLS())),
        ("rediss://h?ssl_cert_reqs=none&ssl_ca_certs=/ca", RedisAddress(host="h", tls=TLS("/ca", cert_reqs="none"))),
        ("unix:///run/redis%20main.sock?db=2", RedisAddress(unix_socket="/run/redis main.sock", db=2)),
        ("unix://reader:pw@/run/r.sock", RedisAddress(unix_socket="/run/r.sock", username="reader", password="pw")),
    ],
)
def test_every_form_of_address_is_understood(text: str, address: RedisAddress) -> None:
    """Feast's own and redis-py's, with what either may carry."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:1,b:2", "2 Redis nodes"),
        ("h:port", "'h:port'"),
        ("h:0", "'h:0'"),
        ("h:65536", "'h:65536'"),
        ("h:1,db=x", "'x'"),
        ("h:1,db=-1", "'-1'"),
        ("h:1,db=²", "'²'"),
        ("h:1,ssl=maybe", "ssl is true or false"),
        ("h:1,ssl=true,ssl_cert_reqs=perhaps", "'perhaps'"),
        ("h:1,colour=red,shape=round", "colour, shape"),
        ("http://h", "not http://"),
        ("redis://h/x", "'x'"),
        ("redis://h:65536", "URL"),
        ("redis://h:x", "URL"),
        ("redis://[h", "URL"),
        ("redis://h?colour=red", "colour"),
    ],
)
def test_what_cannot_be_meant_is_told(text: str, said: str) -> None:
    """A ConfigurationError that names the part at fault."""
    with pytest.raises(ConfigurationError) as caught:
        parse_address(text)
    assert said in str(caught.value)


@examples(300)
@given(text=st.one_of(st.text(max_size=30), st.text('redis:/,=[]@?%&1x\\"', max_size=30)))
def test_any_text_is_an_address_or_a_configuration_error(text: str) -> None:
    """Nothing else may come out of a typing mistake."""
    with contextlib.suppress(ConfigurationError):
        assert parse_address(text).host


@pytest.mark.parametrize("text", ["h:1,username=me,password=s3cret", "redis://me:s3cret@h:1/2", "rediss://:s3cret@h:1"])
def test_an_address_is_shown_without_its_secret(text: str) -> None:
    """In logs, messages and tracebacks."""
    address = parse_address(text)
    assert address.password == "s3cret"
    assert "s3cret" not in f"{address} {address!r}"
    assert "h:1" in str(address)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:6380/2",
        "redis://reader:p%2Fw@h",
        "rediss://h:1",
        "unix:///run/redis.sock?db=1",
        "redis://h?db=4",
        "redis://:pw@h:7/",
    ],
)
def test_a_url_means_what_it_means_to_redis_py(url: str) -> None:
    """The same host, port, socket, user, password, db and TLS."""
    pool = redis.ConnectionPool.from_url(url)
    theirs = pool.connection_kwargs
    ours = parse_address(url)
    assert ours.unix_socket == theirs.get("path")
    assert (ours.username, ours.password, ours.db) == (theirs.get("username"), theirs.get("password"), theirs.get("db", 0))
    if not ours.unix_socket:
        assert (ours.host, ours.port) == (theirs["host"], theirs.get("port", 6379))
    assert (ours.tls is not None) == issubclass(pool.connection_class, redis.SSLConnection)


def test_tls_checks_the_server_unless_told_otherwise(tmp_path: Path) -> None:
    """The context says what the options said."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("client.example.org")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    strict = TLS(str(tmp_path / "ca.pem"), str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")).context()
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert [each["subject"] for each in strict.get_ca_certs()]
    assert (TLS(cert_reqs="none").context().verify_mode, TLS(cert_reqs="none").context().check_hostname) == (
        ssl.CERT_NONE,
        False,
    )
    nameless = TLS(check_hostname=False).context()
    assert (nameless.verify_mode, nameless.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert TLS(cert_reqs="optional").context().verify_mode == ssl.CERT_OPTIONAL
