"""The answer to a read: a column for each name, in the order of the request, and of each value its status and its time."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

# What the server says where there is no event time.
_NO_TIME = "1970-01-01T00:00:00Z"


class FeatureAnswer:
    """Entity columns, then features, each with one item a row.

    Values are as JSON has them (docs/api.md): None for null, "NaN" for NaN, base64 for bytes.
    """

    __slots__ = ("_results", "names")

    def __init__(self, names: Sequence[str], results: Sequence[Mapping[str, list[Any]]]) -> None:
        """`results` are the vectors of an answer in JSON, one a name."""
        self.names = tuple(names)
        self._results = results

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Of the bytes of an answer to /get-online-features. Hot."""
        body = json.loads(content)
        return cls(body["metadata"]["feature_names"], body["results"])

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._results[0]["values"]) if self._results else 0

    def __repr__(self) -> str:
        return f"<FeatureAnswer: {len(self)} rows of {', '.join(self.names)}>"

    def to_dict(self) -> dict[str, list[Any]]:
        """The values by name."""
        return {name: vector["values"] for name, vector in zip(self.names, self._results, strict=True)}

    def to_rows(self) -> list[dict[str, Any]]:
        """The values row by row: `[{"customer_id": 1001, "loyalty_score": 0.5}, ...]`."""
        values = [vector["values"] for vector in self._results]
        return [dict(zip(self.names, row, strict=True)) for row in zip(*values, strict=True)]

    @property
    def statuses(self) -> dict[str, list[str]]:
        """PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE by name."""
        return {name: vector["statuses"] for name, vector in zip(self.names, self._results, strict=True)}

    @property
    def event_timestamps(self) -> dict[str, list[datetime | None]]:
        """When each value became true, in UTC, to the microsecond; None where there is no time, as for entity columns."""
        return {
            name: [None if text == _NO_TIME else datetime.fromisoformat(text) for text in vector["event_timestamps"]]
            for name, vector in zip(self.names, self._results, strict=True)
        }
