"""What the running service answers, over HTTP as a model server asks it."""

import http.client
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from service.parity.errors import NotComparable

READ_PATH = "/get-online-features"
# Entities in one request: well below what the service takes, and what it answers in a few milliseconds.
BATCH_ROWS = 200
TIMEOUT_SECONDS = 60.0


@dataclass(slots=True)
class OnlineColumn:
    """One feature: its values as JSON has them, statuses, and event times as text."""

    values: list[Any] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)


class OnlineService:
    """A client of a service that runs; a context manager."""

    def __init__(self, url: str) -> None:
        """Raises NotComparable when it isn't an address."""
        parts = urlsplit(url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme not in kinds or not parts.hostname:
            raise NotComparable(f"The service's address is http://HOST:PORT, not {url}.")
        self._url = url
        self._path = parts.path.rstrip("/") + READ_PATH
        self._connection = kinds[parts.scheme](parts.hostname, port, timeout=TIMEOUT_SECONDS)

    def __enter__(self) -> "OnlineService":
        """Nothing is opened before the first read."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def read(self, asked: Mapping[str, Any], columns: Mapping[str, list[Any]], rows: int) -> dict[str, OnlineColumn]:
        """All rows, batch by batch; `asked` names the features. By full feature name. Raises NotComparable."""
        answer: dict[str, OnlineColumn] = {}
        for start in range(0, rows, BATCH_ROWS):
            entities = {
                name: [as_json(value) for value in values[start : start + BATCH_ROWS]] for name, values in columns.items()
            }
            for name, vector in self._ask({**asked, "entities": entities, "full_feature_names": True}):
                column = answer.setdefault(name, OnlineColumn())
                column.values += vector["values"]
                column.statuses += vector["statuses"]
                column.times += vector["event_timestamps"]
        return answer

    def _ask(self, body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        headers = {"Content-Type": "application/json"}
        try:
            self._connection.request("POST", self._path, json.dumps(body), headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotComparable(
                f"The feature service at {self._url} can't be reached: {error or type(error).__name__}."
            ) from error
        if response.status != http.HTTPStatus.OK:
            raise NotComparable(f"The feature service at {self._url} answers {response.status}: {_detail(content)}")
        try:
            answer = json.loads(content)
            return iter(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
        except (ValueError, KeyError, TypeError) as error:
            raise NotComparable(f"What answers at {self._url} isn't a feature server.") from error


def as_json(value: Any) -> Any:
    """A join key or a piece of request data as a request has it: bytes as base64, times as seconds since the epoch."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return int(value.timestamp())
    return [as_json(item) for item in value] if isinstance(value, list) else value


def _detail(content: bytes) -> str:
    """The sentence in an error's body, in either of the forms that the service has (service/routes/problems.py)."""
    try:
        body = json.loads(content)
        if isinstance(body, str):
            body = json.loads(body)
        return str(body.get("detail") or body.get("message") or body)
    except (ValueError, AttributeError):
        return content[:200].decode(errors="replace")
