"""One expectation as the suite document has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Expectation:
    """A configured expectation; `compiled` is False for one that only GX can evaluate, and `why` says why."""

    type: str
    kwargs: Mapping[str, Any]
    id: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "critical"
    notes: str | list[str] | None = None
    description: str | None = None
    compiled: bool = True
    why: str | None = None
