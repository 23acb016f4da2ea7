"""Both sides value by value: how many are equal, and for each that isn't a guess at why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service.parity.entities import Entities
from service.parity.online import OnlineColumn
from service.parity.selection import Feature, StoredView
from service.parity.values import FLOATS, from_offline, from_online, same

_EXPIRED = "OUTSIDE_MAX_AGE"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that isn't the same; `entity` has the row's join keys, `reason` what seems to be behind it."""

    entity: dict[str, Any]
    reference: str
    online: Any
    offline: Any
    reason: str


@dataclass(slots=True)
class Counts:
    """How the rows of one feature compare; `expired` are those of the equal ones that are null since they are too old."""

    reference: str
    equal: int = 0
    differing: int = 0
    only_online: int = 0
    only_offline: int = 0
    expired: int = 0

    @property
    def rows(self) -> int:
        """All that were compared."""
        return self.equal + self.differing + self.only_online + self.only_offline


@dataclass(frozen=True, slots=True)
class Times:
    """When the service was read, from the first request to the last answer, and the moment of the offline join."""

    begin: datetime
    end: datetime
    moment: datetime

    def parts(self, expiry: datetime) -> bool:
        """Whether what expires then may have been fresh for one side and expired for the other."""
        return min(self.begin, self.moment) <= expiry <= max(self.end, self.moment)


@dataclass(slots=True)
class Comparison:
    """Compares feature by feature; stored ones first, so that computed ones can be put down to their inputs.

    `newest` has for each view the event time of each row's newest offline row, None where there is none.
    """

    entities: Entities
    views: Mapping[str, StoredView]
    newest: Mapping[str, Sequence[datetime | None]]
    times: Times
    rtol: float
    pandas_store: bool
    counts: list[Counts] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    _differing: set[tuple[int, str]] = field(default_factory=set)

    def add(self, feature: Feature, online: OnlineColumn, offline: Any) -> None:
        """Compare one feature in all rows; `offline` is a column of Arrow."""
        counts = Counts(feature.reference)
        # Pandas has one nothing for both; the file store and functions in pandas mode go through it.
        nan_is_null = feature.value_type in FLOATS and (self.pandas_store or feature.computed_by is not None)
        pairs = zip(from_online(online.values, feature.value_type), from_offline(offline, feature.value_type), strict=True)
        for row, (mine, theirs) in enumerate(pairs):
            expiries = self._expiries(feature, row)
            if same(mine, theirs, self.rtol, nan_is_null=nan_is_null):
                counts.equal += 1
                old = online.statuses[row] == _EXPIRED or any(expiry < self.times.moment for expiry in expiries)
                counts.expired += mine is None and old
                continue
            # A stored value is then shown by one side alone; a computed one may be another.
            one_sided = mine is None or theirs is None or feature.computed_by is not None
            if one_sided and any(map(self.times.parts, expiries)):
                counts.equal += 1
                counts.expired += 1
                continue
            if mine is None:
                counts.only_offline += 1
            elif theirs is None:
                counts.only_online += 1
            else:
                counts.differing += 1
            self._differing.add((row, feature.reference))
            entity = {name: values[row] for name, values in self.entities.columns.items()}
            reason = self._reason(feature, row, online.statuses[row], _moment(online.times[row]))
            self.differences.append(Difference(entity, feature.reference, mine, theirs, reason))
        self.counts.append(counts)

    def _expiries(self, feature: Feature, row: int) -> list[datetime]:
        """When the offline rows that a value comes from expire, or did."""
        found = []
        for label in feature.sources:
            time, ttl = self.newest[label][row], self.views[label].ttl
            if time is not None and ttl is not None:
                found.append(time + ttl)
        return found

    def _reason(self, feature: Feature, row: int, status: str, online: datetime | None) -> str:
        inputs = sorted(reference for reference in feature.inputs if (row, reference) in self._differing)
        if inputs:
            return f"its input {inputs[0]} differs"
        sources = [self.newest[label][row] for label in feature.sources]
        if not sources:
            return "the function gives something else for the same request data"
        known = [time for time in sources if time is not None]
        if len(known) < len(sources):
            # Of a computed one the other inputs may be there.
            return "the offline store has no row: written online only" if online is not None else "there is no row"
        # Event times are kept by the second online.
        offline = min(known).replace(microsecond=0)
        if online is None:
            return f"not materialized: the offline row is of {_text(offline)}"
        if online > offline:
            return f"online is newer ({_text(online)}, offline {_text(offline)}): written online only, as a push is"
        if online < offline:
            return f"not materialized yet: the offline row is of {_text(offline)}, the online one of {_text(online)}"
        if feature.computed_by is not None:
            return "the function gives something else for inputs of the same event time"
        if status == _EXPIRED or any(expiry < self.times.moment for expiry in self._expiries(feature, row)):
            return "older than the view's ttl, and shown by one side only"
        return f"both rows are of {_text(offline)}: one was changed, or that time is there twice"


def _moment(text: str) -> datetime | None:
    """An event time of an answer; None for 1970, which stands for none."""
    moment = datetime.fromisoformat(text).replace(microsecond=0)
    return None if moment == EPOCH else moment


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
