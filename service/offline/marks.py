"""What a parquet file says of itself: which entries were appended to it last.

Rows and mark are put in place together, so a writer that finds an entry pending knows whether a dead one has written it. One
mark of each push source is enough: of its entries those from the first to the last that were still waiting are all in the file
then, those of the mark before among them unless they have been acknowledged.
"""

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from service.offline.entry import Entry, id_order

# Key of the file's metadata, before the stream's identity and the push source.
PREFIX = "feature-service:offline"


def unwritten(metadata: Mapping[bytes, bytes] | None, identity: str, entries: Sequence[Entry]) -> list[Entry]:
    """Of some entries of one push source, in order, those that aren't in the file, by its metadata."""
    mark = (metadata or {}).get(_key(identity, entries))
    if mark is None:
        return list(entries)
    first, last = (id_order(entry_id.encode()) for entry_id in json.loads(mark))
    return [entry for entry in entries if not first <= entry.order <= last]


def marked(schema: pa.Schema, identity: str, entries: Sequence[Entry]) -> pa.Schema:
    """The schema of the file once these entries are in it, all that wait from the first to the last."""
    mark = json.dumps([entries[0].id.decode(), entries[-1].id.decode()])
    return schema.with_metadata({**(schema.metadata or {}), _key(identity, entries): mark})


def _key(identity: str, entries: Sequence[Entry]) -> bytes:
    return f"{PREFIX}:{identity}:{entries[0].source}".encode()
