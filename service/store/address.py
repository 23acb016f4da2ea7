"""Where Redis is and how to reach it, from Feast's connection string or a redis:// URL."""

import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from service.errors import ConfigurationError

DEFAULT_PORT = 6379

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}
# redis-py options that Feast passes through, and that change nothing in how this service reads.
_IGNORED = {"skip_full_coverage_check", "decode_responses", "socket_timeout", "socket_connect_timeout", "health_check_interval"}


@dataclass(frozen=True, slots=True)
class TLS:
    """What of TLS can be configured; the names are redis-py's without their `ssl_`."""

    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    cert_reqs: str = "required"
    check_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """An SSL context for a client; raises ConfigurationError naming the file that can't be used."""
        for path in filter(None, (self.ca_certs, self.certfile, self.keyfile)):
            if not Path(path).is_file():
                raise ConfigurationError(f"The Redis connection string names a file that isn't there: {path}.")
        try:
            return self._load()
        except ssl.SSLError as error:
            files = ", ".join(filter(None, (self.ca_certs, self.certfile, self.keyfile)))
            raise ConfigurationError(
                f"The TLS files of the Redis connection string can't be used ({files}): {error}"
            ) from error

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_certs)
        if self.cert_reqs != "required":
            context.check_hostname = False
            context.verify_mode = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL}[self.cert_reqs]
        elif not self.check_hostname:
            context.check_hostname = False
        if self.certfile:
            context.load_cert_chain(self.certfile, self.keyfile)
        return context


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One standalone Redis server."""

    host: str = "localhost"
    port: int = DEFAULT_PORT
    unix_socket: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: TLS | None = None

    def __str__(self) -> str:
        """The address without secrets, for logs and messages."""
        place = f"unix:{self.unix_socket}" if self.unix_socket else f"{self.host}:{self.port}"
        return f"{place}/{self.db}" + (" (TLS)" if self.tls else "")


def parse_address(connection_string: str) -> RedisAddress:
    """Read either form; raises ConfigurationError naming the part that can't be read.

    Feast's form is `host:port,db=0,ssl=true,password=...` (feast/infra/online_stores/redis.py);
    the URL forms are redis://, rediss:// and unix://, as redis-py reads them.
    """
    if "://" in connection_string.partition(",")[0]:
        return _parse_url(connection_string)
    return _parse_feast(connection_string)


def _parse_feast(text: str) -> RedisAddress:
    nodes: list[str] = []
    options: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals:
            options[name.strip()] = _unquote_json(value.strip())
        elif part.strip():
            nodes.append(part.strip())
    if len(nodes) > 1:
        raise ConfigurationError(
            f"The connection string names {len(nodes)} Redis nodes; this server reads from one standalone Redis. "
            "Name one host:port."
        )
    host, port = _split_host(nodes[0]) if nodes else ("localhost", DEFAULT_PORT)
    return _build(host, port, options)


def _parse_url(url: str) -> RedisAddress:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigurationError(f"The Redis URL can't be read: {error}.") from error
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ConfigurationError(f"A Redis URL starts with redis://, rediss:// or unix://, not {parts.scheme}://.")
    options = dict(parse_qsl(parts.query))
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    if parts.scheme == "unix":
        options["unix_socket_path"] = unquote(parts.path)
    elif parts.path.strip("/"):
        options.setdefault("db", parts.path.strip("/"))
    if parts.scheme == "rediss":
        options["ssl"] = "true"
    return _build(parts.hostname or "localhost", port, options)


def _build(host: str, port: int, options: dict[str, str]) -> RedisAddress:
    known = {"db", "ssl", "username", "password", "unix_socket_path"} | {
        "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"
    }  # fmt: skip
    unknown = sorted(set(options) - known - _IGNORED)
    if unknown:
        raise ConfigurationError(
            f"The Redis connection string has options that aren't known: {', '.join(unknown)}. "
            f"Known are {', '.join(sorted(known))}."
        )
    db = options.get("db", "0")
    if not (db.isascii() and db.isdecimal()):
        raise ConfigurationError(f"The Redis db index is a number from 0, not {db!r}.")
    return RedisAddress(
        host=host,
        port=port,
        unix_socket=options.get("unix_socket_path"),
        username=options.get("username"),
        password=options.get("password"),
        db=int(db),
        tls=_tls(options) if _flag(options, "ssl", default=False) else None,
    )


def _tls(options: dict[str, str]) -> TLS:
    cert_reqs = options.get("ssl_cert_reqs", "required").lower()
    if cert_reqs not in ("required", "optional", "none"):
        raise ConfigurationError(f"ssl_cert_reqs is required, optional or none, not {cert_reqs!r}.")
    return TLS(
        ca_certs=options.get("ssl_ca_certs"),
        certfile=options.get("ssl_certfile"),
        keyfile=options.get("ssl_keyfile"),
        cert_reqs=cert_reqs,
        check_hostname=_flag(options, "ssl_check_hostname", default=True),
    )


def _split_host(node: str) -> tuple[str, int]:
    host, colon, port = node.rpartition(":")
    if not colon:
        return node, DEFAULT_PORT
    if not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ConfigurationError(f"The Redis port in {node!r} isn't a number from 1 to 65535.")
    return host.strip("[]") or "localhost", int(port)


def _flag(options: dict[str, str], name: str, default: bool) -> bool:
    text = options.get(name)
    if text is None:
        return default
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ConfigurationError(f"The Redis option {name} is true or false, not {text!r}.")


def _unquote_json(text: str) -> str:
    """Feast reads each option as JSON where it can be; only quoted strings change by it."""
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            return text
        return str(value)
    return text
