"""What a push does, compiled: a plan that a push only runs. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal, NamedTuple

from service.catalog import nearest
from service.codec.encoders import ColumnEncoder
from service.codec.natives import Native
from service.codec.values import ColumnCodec
from service.errors import InvalidRequest, Problem
from service.keys import JoinKey, KeyEncoder, shorten
from service.store import HashWrite
from service.transforms import Call

Policy = Literal["reject", "quarantine", "warn"]
# Sets of column names whose layout is kept. A producer sends one set for ever.
MAX_LAYOUTS = 64


class Validation(NamedTuple):
    """How what is pushed is validated: the suite's name (None: only types are checked), and what becomes of bad rows."""

    suite: str | None
    policy: Policy


class PushedFeature(NamedTuple):
    """A feature that is written: its name, its type's encoder."""

    name: str
    encoder: ColumnEncoder


@dataclass(frozen=True, slots=True)
class WriteGroup:
    """Views with the same join keys: one hash a row holds all of them.

    `inputs` are the join keys' indexes in the plan, in the encoder's order, `columns` the features' indexes in the plan, in
    the order of `write`.
    """

    views: tuple[str, ...]
    encoder: KeyEncoder
    inputs: tuple[int, ...]
    columns: tuple[int, ...]
    write: HashWrite


@dataclass(frozen=True, slots=True)
class Transformation:
    """An on-demand view's function between what is pushed and what is written.

    `call` gets the features of the push (read by `codecs`, turned by `natives`), then its columns `keys`, each with its native;
    `plan` is how its outputs are written.
    """

    call: Call
    codecs: tuple[ColumnCodec, ...]
    natives: tuple[Native, ...]
    keys: tuple[tuple[str, Native], ...]
    outputs: tuple[str, ...]
    plan: "PushPlan"


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push does. `target` is what it goes to, in words, `source` its name: a push source's, or a feature view's.

    `views` are those that are kept online; `aliases` are names that a client may use instead: name given to name meant.
    """

    target: str
    source: str
    validation: Validation
    views: tuple[str, ...]
    join_keys: tuple[JoinKey, ...]
    features: tuple[PushedFeature, ...]
    groups: tuple[WriteGroup, ...]
    event_time: str
    created: str
    aliases: dict[str, str]
    # Whether rows may come without event times: then they are of the moment at which they come.
    timeless: bool = False
    # What is made of the rows before they are written.
    then: "Transformation | None" = None
    layouts: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)

    def layout(self, given: tuple[str, ...]) -> dict[str, str]:
        """The column that the client has for each name that the plan knows. Hot on a hit.

        Raises InvalidRequest for columns that are missing, unknown or there twice.
        """
        layout = self.layouts.get(given)
        if layout is None:
            layout = self._match(given)
            if len(self.layouts) >= MAX_LAYOUTS:
                self.layouts.clear()
            self.layouts[given] = layout
        return layout

    def rejecting(self) -> "PushPlan":
        """The same for rows that are in quarantine already: one that is bad isn't put there again."""
        if self.validation.policy != "quarantine":
            return self
        return replace(self, validation=self.validation._replace(policy="reject"))

    def _match(self, given: tuple[str, ...]) -> dict[str, str]:
        needed = [*(key.name for key in self.join_keys), *dict.fromkeys(one.name for one in self.features)]
        needed += [] if self.timeless else [self.event_time]
        known = {*needed, self.event_time, self.created} - {""}
        layout: dict[str, str] = {}
        repeated, unknown = [], []
        for column in given:
            name = column if column in known else self.aliases.get(column, "")
            if not name:
                unknown.append(column)
            elif name in layout:
                repeated.append(Problem(f"{column} and {layout[name]} are the same column.", shorten(column)))
            else:
                layout[name] = column
        missing = [name for name in needed if name not in layout]
        if repeated or missing or unknown:
            # Only as many are made as the error takes: a body has room for a million unknown columns.
            raise InvalidRequest(chain(repeated, self._missing(missing), self._unknown(unknown, missing or needed, known)))
        return layout

    def _missing(self, names: Sequence[str]) -> Iterator[Problem]:
        for name in names:
            yield Problem(f"Column {name} is missing; {self.target} needs it in each row.", name)

    def _unknown(self, columns: Sequence[str], meant: Sequence[str], known: set[str]) -> Iterator[Problem]:
        for column in map(shorten, columns):
            close = nearest(column, list(meant))
            hint = f" Did you mean {close[0]}?" if close else f" Known are {', '.join(sorted(known))}."
            yield Problem(f"{self.target} has no column {column}.{hint}", column)
