"""Reads in other forms than the usual one: Arrow streams, and JSON with an object a row."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pyarrow as pa

from .running import READ_PATH, Running

ARROW = "application/vnd.apache.arrow.stream"


def send(
    service: Running, body: Mapping[str, Any], accept: str | None = None, query: Mapping[str, str] | None = None
) -> httpx.Response:
    """The answer to a read, whatever it is."""
    headers = {} if accept is None else {"accept": accept}
    return service.client.post(READ_PATH, json=body, headers=headers, params=query)


def read_arrow(
    service: Running, features: Sequence[str], entities: Mapping[str, Any], include: str = "", **more: Any
) -> pa.Table:
    """The table of a read that must succeed."""
    query = {"include": include} if include else None
    response = send(service, {"features": features, "entities": entities, **more}, ARROW, query)
    assert response.status_code == httpx.codes.OK, response.text
    assert response.headers["content-type"] == ARROW
    with pa.ipc.open_stream(response.content) as stream:
        batches = list(stream)
    assert len(batches) == 1
    table = pa.Table.from_batches(batches)
    table.validate(full=True)
    return table


def read_rows(
    service: Running, features: Sequence[str], entities: Mapping[str, Any], include: str = "", **more: Any
) -> dict[str, Any]:
    """The answer to a read with an object a row that must succeed."""
    query = {"layout": "rows", **({"include": include} if include else {})}
    response = send(service, {"features": features, "entities": entities, **more}, query=query)
    assert response.status_code == httpx.codes.OK, response.text
    assert response.headers["content-type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer
