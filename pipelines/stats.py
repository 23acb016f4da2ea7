"""What is known of a file or an object without reading it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stat:
    """A place, how many bytes lie there, and what tells them from others: S3's ETag, or SHA-256 of a local file."""

    place: str
    size: int
    etag: str
