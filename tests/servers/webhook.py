"""A web server that keeps what is posted to it, as Slack's incoming webhooks take it."""

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from pipelines.local.redis import HOST

PATH = "/services/T000/B000/secret-of-the-webhook"


@dataclass
class _Kept:
    posts: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: deque[tuple[int, bytes, dict[str, str]]] = field(default_factory=deque)


class WebhookServer:
    """Answers 200 and `ok`, as Slack does, unless `answer` said otherwise. A context manager."""

    def __init__(self) -> None:
        """It listens from now on and serves once it is entered."""
        self._kept = kept = _Kept()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                kept.posts.append(json.loads(body))
                kept.headers.append(dict(self.headers))
                status, content, headers = kept.answers.popleft() if kept.answers else (200, b"ok", {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        """Where it is posted to; its path is the secret."""
        return f"http://{HOST}:{self.port}{PATH}"

    @property
    def posts(self) -> list[Any]:
        """The JSON of each post, in order."""
        return self._kept.posts

    @property
    def headers(self) -> list[dict[str, str]]:
        """The headers of each post."""
        return self._kept.headers

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """What the next post, for which nothing is said yet, gets."""
        self._kept.answers.append((status, body, headers or {}))
