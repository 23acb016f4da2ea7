"""One HTTP/1.1 connection with nothing hidden: raw bytes out, answers in order in."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from .service_process import Answer

ANSWER_SECONDS = 15.0


class HttpConnection:
    """A keep-alive connection. `async with await HttpConnection.open(url) as connection`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to `http://host:port`."""
        host, _, port = url.removeprefix("http://").partition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it in order."""
        self._writer.close()

    def reset(self) -> None:
        """Close it by a reset, as a client that crashes does."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self, head_only: bool = False) -> Answer:
        """The next answer; ConnectionError when the connection ends before it, TimeoutError after 15 s."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await self._reader.readuntil(b"\r\n\r\n")
                status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                length = 0 if head_only else int(headers.get("content-length", "0"))
                return Answer(int(status_line.split()[1]), headers, await self._reader.readexactly(length))
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("The connection ended before the answer was whole.") from error

    async def ended(self) -> bool:
        """Whether the server closes the connection, within 15 s, without another byte; a reset isn't an end in order."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._reader.read(1) == b""

    async def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request and its answer."""
        await self.send(encode_request(method, path, body, headers))
        return await self.receive(head_only=method == "HEAD")

    async def post(self, path: str, body: Any) -> Answer:
        """Answer to a POST of a JSON body."""
        return await self.request("POST", path, json.dumps(body).encode())


def encode_request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a request; a body comes with its length."""
    fields = {"host": "test", **({"content-length": str(len(body))} if body else {}), **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
