"""The Accept header (RFC 9110, section 12.5.1): how much a client wants each of two media types."""

from collections.abc import Iterator
from typing import NamedTuple


class Wish(NamedTuple):
    """How much a media type is wanted: `quality` from 0 (not at all) to 1, and whether the client named it itself."""

    quality: float
    is_named: bool


def wish(accept: str, media_type: str) -> Wish:
    """What an Accept header says of a media type, by the range that fits it most closely. An empty header takes everything.

    Parameters of a range (`charset=utf-8`) don't matter, ranges that can't be read aren't there.
    """
    main_type = media_type.partition("/")[0]
    found = dict(_ranges(accept))
    if not found:
        return Wish(1.0, False)
    for pattern in (media_type, f"{main_type}/*", "*/*"):
        if pattern in found:
            return Wish(found[pattern], pattern == media_type)
    return Wish(0.0, False)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Each range with its quality."""
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            continue
        if media_range.count("/") == 1 and 0 <= weight <= 1:
            yield media_range, weight
