"""Objects in S3, by their addresses: `s3://bucket/key`. The only module here that knows boto3.

Server and credentials are those of AWS's usual environment variables; AWS_ENDPOINT_URL names a server that isn't Amazon's.
Every change is one that S3 makes at once: an object is there as a whole or not at all, also when this process is killed.
"""

import functools
import hashlib
import os
from pathlib import Path
from typing import IO, Any

import boto3  # type: ignore[import-untyped]
from boto3.s3.transfer import TransferConfig  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from pipelines.errors import BadInput, PlaceNotFound, ServerUnavailable
from pipelines.s3_errors import MISSING, code_of, no_bucket, split, told
from pipelines.stats import Stat

CONNECT_SECONDS = 5
READ_SECONDS = 60
CHUNK_BYTES = 1 << 20
# An answer that breaks off isn't asked for again by boto3, as a request is that gets none.
DOWNLOAD_ATTEMPTS = 3
# Up to this size S3 copies an object by itself and at once; a larger one is copied in parts.
COPY_AT_ONCE_BYTES = 5 << 30
COPY_PART_BYTES = 512 << 20


def stat(place: str) -> Stat:
    """Size and ETag of an object; raises PlaceNotFound."""
    bucket, key = split(place)
    try:
        with told(place, "look at"):
            head = _client().head_object(Bucket=bucket, Key=key)
    except PlaceNotFound:
        # The answer doesn't say which of both isn't there.
        check_bucket(place)
        raise
    return Stat(place, head["ContentLength"], head["ETag"].strip('"'))


def download(place: str, file: IO[bytes]) -> Stat:
    """Write an object to a file, whole, and tell which one it was."""
    bucket, key = split(place)
    for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
        file.seek(0)
        file.truncate()
        try:
            with told(place, "read"):
                answer = _client().get_object(Bucket=bucket, Key=key)
                for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                    file.write(chunk)
        except ServerUnavailable:
            if attempt == DOWNLOAD_ATTEMPTS:
                raise
        else:
            file.seek(0)
            return Stat(place, answer["ContentLength"], answer["ETag"].strip('"'))
    raise AssertionError("the last attempt returns or raises")


def upload(path: Path, place: str) -> None:
    """Put a file; whatever lay there is replaced at once, or stays as it was if this fails."""
    bucket, key = split(place)
    with told(place, "write"):
        _client().upload_file(str(path), bucket, key)


def upload_new(path: Path, place: str) -> None:
    """Put a file where nothing is; raises ObjectChanged."""
    bucket, key = split(place)
    with told(place, "write"), path.open("rb") as body:
        _client().put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")


def put(body: bytes, place: str, content_type: str) -> None:
    """Put a small object."""
    bucket, key = split(place)
    with told(place, "write"):
        _client().put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)


def copy(source: Stat, target: str) -> None:
    """Let the server copy an object to a place where none is.

    Raises ObjectChanged when the source isn't that very object any more, or something is at the target: no reason to go by,
    since a request that is sent again finds its own copy there.
    """
    bucket, key = split(target)
    source_bucket, source_key = split(source.place)
    check_bucket(target)
    origin = {"Bucket": source_bucket, "Key": source_key}
    with told(target, f"copy {source.place} to"):
        if source.size <= COPY_AT_ONCE_BYTES:
            _client().copy_object(
                Bucket=bucket, Key=key, CopySource=origin, CopySourceIfMatch=f'"{source.etag}"', IfNoneMatch="*"
            )
        else:
            parts = TransferConfig(multipart_chunksize=COPY_PART_BYTES)
            _client().copy(origin, bucket, key, ExtraArgs={"CopySourceIfMatch": f'"{source.etag}"'}, Config=parts)


def delete(place: str, etag: str) -> None:
    """Delete an object if it is still that one, which the server checks; raises ObjectChanged."""
    bucket, key = split(place)
    with told(place, "delete"):
        _client().delete_object(Bucket=bucket, Key=key, IfMatch=f'"{etag}"')


def digest(place: str) -> str:
    """SHA-256 of what an object holds."""
    bucket, key = split(place)
    digest = hashlib.sha256()
    with told(place, "read"):
        for chunk in _client().get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _client() -> Any:
    return _client_of(tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))


@functools.lru_cache(maxsize=4)
def _client_of(environment: tuple[tuple[str, str], ...]) -> Any:
    # Servers that aren't Amazon's seldom have a host name for each bucket.
    elsewhere = any(name.startswith("AWS_ENDPOINT_URL") for name, _ in environment)
    style = {"addressing_style": "path"} if elsewhere else {}
    config = Config(s3=style, retries={"mode": "standard"}, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
    try:
        return boto3.session.Session().client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise BadInput(f"The S3 server can't be used as the environment names it: {error}. Check AWS_ENDPOINT_URL.") from error


def make_bucket(place: str) -> None:
    """Make the bucket of a place, unless it is there already."""
    bucket, _ = split(place)
    with told(place, "make the bucket of"):
        try:
            _client().create_bucket(Bucket=bucket)
        except ClientError as error:
            if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


def check_bucket(place: str) -> None:
    """Refuse a place in a bucket that isn't there: PlaceNotFound."""
    bucket, _ = split(place)
    with told(place, "write"):
        try:
            _client().head_bucket(Bucket=bucket)
        except ClientError as error:
            if code_of(error) in MISSING:
                raise PlaceNotFound(no_bucket(bucket)) from error
            # Who may write needn't be allowed to ask this; if it is more than that, the write tells.
