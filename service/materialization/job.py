"""What is to be materialized, what became of it, and how both are said in JSON. Knows no Feast.

Times are datetimes in UTC; in JSON, ISO 8601 strings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, Self

from service.errors import FeatureServiceError

Kind = Literal["unknown_view", "bad_request", "store", "offline_store", "registry", "other"]
# "fast" is the writer here; "feast" is Feast's own, where the store, the engine or the view is one that this one doesn't write.
Writer = Literal["fast", "feast"]


class MaterializationFailed(FeatureServiceError):
    """A job couldn't be done, or not to its end; the message says which view, how far it came and what to do.

    `kind` is who has to do it: "unknown_view" and "bad_request" are the caller's fault, "store" is Redis, "offline_store"
    the data's source, "registry" Feast's registry.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


@dataclass(frozen=True, slots=True)
class Job:
    """What `feast materialize` is asked: all rows with event times from `start` to `end`, both included.

    `start` None is incremental: each view from where it was materialized to, or from as far back as its ttl goes. `views` None
    are all that are kept online. `disable_event_timestamp` is Feast's word for all rows up to now, whatever start and end are.
    `resume` passes over views that the registry says are materialized from start to end already. `rows_per_second` is how many
    rows are written at most, in batches so small that whoever reads hardly waits for one; None is as many as go.
    """

    start: datetime | None
    end: datetime
    views: tuple[str, ...] | None = None
    disable_event_timestamp: bool = False
    full_feature_names: bool = False
    version: str | None = None
    parallel: int = 1
    resume: bool = False
    rows_per_second: float | None = None

    def __post_init__(self) -> None:
        """Take times without a zone for UTC, as Feast does; raise MaterializationFailed for what can't be meant."""
        for name in ("start", "end"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, as_utc(given))
        if self.start is not None and self.start > self.end and not self.disable_event_timestamp:
            raise MaterializationFailed(
                "bad_request", f"The start {self.start.isoformat()} lies after the end {self.end.isoformat()}: swap them."
            )
        if self.parallel < 1:
            raise MaterializationFailed("bad_request", f"parallel is how many views go at a time, from 1, not {self.parallel}.")
        if self.rows_per_second is not None and not self.rows_per_second > 0:
            raise MaterializationFailed("bad_request", f"rows_per_second is more than 0, not {self.rows_per_second}.")
        if self.views is not None and not self.views:
            raise MaterializationFailed("bad_request", "The list of views is empty: name some, or leave it out for all.")

    def to_json(self) -> dict[str, Any]:
        """The job as a JSON object."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The job that `to_json` wrote; raises MaterializationFailed for what isn't one."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(content) - known)
        if unknown:
            raise MaterializationFailed("bad_request", f"A job has no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
        try:
            values = {"start": None, **content, "end": _time(content["end"])}
            if values["start"] is not None:
                values["start"] = _time(values["start"])
            if values.get("views") is not None:
                values["views"] = tuple(values["views"])
        except (KeyError, TypeError, ValueError) as error:
            raise MaterializationFailed(
                "bad_request", f"This isn't a job: {error!r}. It needs an end, an ISO 8601 time, at least."
            ) from error
        return cls(**values)


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What became of a view: how many rows were confirmed by the online store, None where Feast doesn't tell."""

    view: str
    start: datetime
    end: datetime
    rows: int | None
    seconds: float
    writer: Writer
    skipped: bool = False

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The report that `to_json` wrote."""
        known = {field.name: content[field.name] for field in fields(cls)}
        return cls(**{**known, "start": _time(content["start"]), "end": _time(content["end"])})


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a job: its views in order, all their rows that are known, and seconds from begin to end."""

    views: tuple[ViewReport, ...]
    rows: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {"views": [view.to_json() for view in self.views], "rows": self.rows, "seconds": self.seconds}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The report that `to_json` wrote."""
        return cls(tuple(map(ViewReport.from_json, content["views"])), content["rows"], content["seconds"])


def as_utc(moment: datetime) -> datetime:
    """The same time in UTC; one without a zone is in UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _time(text: str) -> datetime:
    return as_utc(datetime.fromisoformat(text))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
