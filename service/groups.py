"""What is read of one hash: the views that share it, their fields, and where each feature goes. No I/O."""

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import mmh3

from service.catalog.definitions import ViewDefinition
from service.codec.packed_numbers import RawColumn
from service.codec.values import ColumnCodec, codec_for
from service.keys import KeyEncoder
from service.references import Selection
from service.store import HashRead


class FeatureReads(NamedTuple):
    """The features of a group that one codec reads, whichever view they belong to.

    `take` picks their columns from those of a reply. `places` has for each place in the answer the index of the column, the
    index of its view in the group, and the position. `owned` counts the columns of each view. `names` are for messages.
    """

    codec: ColumnCodec
    take: Callable[[Sequence[RawColumn]], Sequence[RawColumn]]
    places: tuple[tuple[int, int, int], ...]
    owned: tuple[tuple[int, int], ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ViewRead:
    """A view of a group: where its event time stands in a reply, and its ttl in nanoseconds (0 is forever)."""

    name: str
    timestamp_field: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Group:
    """Views with the same join keys taken from the same columns: one hash a row holds all of them.

    `inputs` are indexes into the plan's `join_keys`, in the encoder's order; empty for views without an entity.
    """

    encoder: KeyEncoder
    inputs: tuple[int, ...]
    read: HashRead
    views: tuple[ViewRead, ...]
    features: tuple[FeatureReads, ...]


class Fields:
    """Lays out the fields that a group reads of each hash: every feature once, however often it is asked for."""

    def __init__(self) -> None:
        self.indexes: dict[bytes, int] = {}
        self.views: list[ViewRead] = []
        self._view_of: dict[tuple[str, int], int] = {}
        # By codec, by field, owner and name: the positions at which it is wanted.
        self._wanted: dict[int, tuple[ColumnCodec, dict[tuple[int, int, str], list[int]]]] = {}

    def add(self, selection: Selection, position: int) -> None:
        """Read a feature and put it at `position` of the answer."""
        view, feature = selection.view, selection.feature
        owner = self._view(view)
        field = self._field(hash_field(view.store_name, feature.name))
        codec = codec_for(feature.value_type)
        _, wanted = self._wanted.setdefault(id(codec), (codec, {}))
        wanted.setdefault((field, owner, f"{view.name}:{feature.name}"), []).append(position)

    def _view(self, view: ViewDefinition) -> int:
        identity = (view.store_name, view.ttl_nanoseconds)
        if identity not in self._view_of:
            self._view_of[identity] = len(self.views)
            timestamp = self._field(f"_ts:{view.store_name}".encode())
            self.views.append(ViewRead(view.name, timestamp, view.ttl_nanoseconds))
        return self._view_of[identity]

    def _field(self, name: bytes) -> int:
        return self.indexes.setdefault(name, len(self.indexes))

    def features(self) -> tuple[FeatureReads, ...]:
        """What was added, by codec."""
        found = []
        for codec, wanted in self._wanted.values():
            fields, owners, names = zip(*wanted, strict=True)
            places = [
                (index, owners[index], position) for index, positions in enumerate(wanted.values()) for position in positions
            ]
            # Of one field itemgetter would give the item itself.
            take = itemgetter(*fields) if len(fields) > 1 else itemgetter(slice(fields[0], fields[0] + 1))
            found.append(FeatureReads(codec, take, tuple(places), tuple(Counter(owners).items()), names))
        return tuple(found)


def hash_field(store_name: str, feature: str) -> bytes:
    """A feature's field in the hash (feast/infra/online_stores/helpers.py, _mmh3)."""
    return struct.pack("<I", mmh3.hash(f"{store_name}:{feature}", signed=False))
