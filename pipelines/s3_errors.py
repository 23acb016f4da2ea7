"""What S3 and boto3 raise, translated: which object it was about, and what to do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boto3.exceptions import S3UploadFailedError  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from pipelines.errors import AccessDenied, BadInput, ObjectChanged, PipelineError, PlaceNotFound, ServerUnavailable

SCHEME = "s3://"
MISSING = {"404", "NoSuchKey", "NoSuchBucket"}
_CHANGED = {"412", "PreconditionFailed"}
_REASONS = {
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY isn't the one that belongs to AWS_ACCESS_KEY_ID",
    "InvalidAccessKeyId": "it doesn't know AWS_ACCESS_KEY_ID",
    "ExpiredToken": "the session token has expired",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "AccessDenied": "these credentials may not do it; ask whoever keeps the bucket",
    "AllAccessDisabled": "nobody may use the bucket",
}


def split(place: str) -> tuple[str, str]:
    """Bucket and key of an address; raises BadInput."""
    bucket, slash, key = place.removeprefix(SCHEME).partition("/")
    if not place.startswith(SCHEME) or not bucket or not slash or not key or key.endswith("/"):
        raise BadInput(f"{place!r} is no address of an object: s3://bucket/key, for instance s3://data/customer_data.csv.")
    return bucket, key


def endpoint() -> str:
    """Where the server is, for messages."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3"


@contextmanager
def told(place: str, doing: str) -> Iterator[None]:
    """Translate what boto3 raises while something is done to a place; `doing` is a verb."""
    at = f"The S3 server at {endpoint()}"
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise AccessDenied(
            f"There are no credentials to {doing} {place}: {error}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except ClientError as error:
        raise _translated(error, place, doing) from error
    except S3UploadFailedError as error:
        # It is raised in place of a ClientError, which it keeps as its context.
        if isinstance(error.__context__, ClientError):
            raise _translated(error.__context__, place, doing) from error
        raise ServerUnavailable(f"{at} failed to {doing} {place}: {error}. Try it again.") from error
    except (HTTPClientError, BotoConnectionError, IncompleteReadError, ResponseStreamingError) as error:
        raise ServerUnavailable(
            f"{at} can't be reached to {doing} {place}: {error}. Check AWS_ENDPOINT_URL; try it again when it is up."
        ) from error
    except BotoCoreError as error:
        raise PipelineError(f"{at} can't be asked to {doing} {place}: {error}") from error


def _translated(error: Any, place: str, doing: str) -> PipelineError:
    code, status = code_of(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    at = f"The S3 server at {endpoint()}"
    if code in MISSING:
        bucket, key = split(place)
        return PlaceNotFound(
            no_bucket(bucket)
            if code == "NoSuchBucket"
            else f"{place} isn't there: the bucket {bucket} has no object {key}. "
            "Check the address, and whether it was written already."
        )
    if code in _CHANGED:
        return ObjectChanged(f"{at} refuses to {doing} {place}: it isn't what it was when it was looked at.")
    if code in _REASONS or status in (401, 403):
        reason = _REASONS.get(code, "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they are allowed to do")
        return AccessDenied(f"{at} refuses to {doing} {place}: {reason}.")
    message = error.response.get("Error", {}).get("Message", "")
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return ServerUnavailable(f"{at} failed to {doing} {place} ({code}: {message}). Try it again.")
    return PipelineError(f"{at} refuses to {doing} {place} ({code}: {message}).")


def no_bucket(bucket: str) -> str:
    """What to say where there is no such bucket."""
    return f"There is no bucket {bucket} at {endpoint()}: create it, or check the address and AWS_ENDPOINT_URL."


def code_of(error: Any) -> str:
    """S3's code of what is wrong, or the status where an answer has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))
