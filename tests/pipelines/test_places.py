"""Files and objects: read whole, written whole or not at all, and every failure says which one and what to do."""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import AccessDenied, BadInput, PipelineError, PlaceNotFound, ServerUnavailable
from pipelines.places import read_frame, stat, write_json, write_table
from tests.servers.s3 import S3Server

from .buckets import open_bucket
from .lossy_proxy import LossyProxy

TABLE = pa.table({"id": [1, 2], "name": ["a", "b"]})
# More than what passes at once, and more than one part of an upload.
LARGE = pa.table({"number": np.random.default_rng(1).random(2_000_000)})


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[str]:
    """The name of a bucket that the environment leads to; a request that fails isn't sent again."""
    with open_bucket(s3, attempts=1) as name:
        yield name


def test_what_is_written_is_read(bucket: str, tmp_path: Path) -> None:
    """With the ETag of exactly those bytes."""
    for place in (f"s3://{bucket}/folder/rows.parquet", str(tmp_path / "folder" / "rows.parquet")):
        write_table(TABLE, place)
        read = read_frame(place)
        assert read.frame.to_dict("list") == TABLE.to_pydict()
        assert read.stat == stat(place)


def test_csv_is_read_as_it_stands(s3: S3Server, bucket: str) -> None:
    """Packed or not, numbers to their last digit, texts that look like numbers where the caller knows better."""
    content = b"id,share\n007,0.1234567890123456\n"
    s3.put(bucket, "rows.csv", content)
    s3.put(bucket, "rows.csv.gz", gzip.compress(content))
    for name in ("rows.csv", "rows.csv.gz"):
        frame = read_frame(f"s3://{bucket}/{name}", ["id", "absent"]).frame
        assert frame.to_dict("list") == {"id": ["007"], "share": [0.1234567890123456]}


def test_what_json_has_no_number_for_is_null(s3: S3Server, bucket: str) -> None:
    """So that everybody can read it."""
    write_json({"share": float("nan"), 1: "one"}, f"s3://{bucket}/result.json")
    assert s3.get(bucket, "result.json") == b'{\n  "share": null,\n  "1": "one"\n}'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"", "is empty: not even a header is there"),
        ("rows.csv", b"a,b\n1,2,3\n4,5,6\n", "its rows have more fields than its header"),
        ("rows.csv", b"a,b\n1,2\n4,5,6\n", r"isn't csv that can be read: .*Expected 2 fields in line 3, saw 3"),
        ("rows.csv", b"a,b\n\xff,2\n", r"isn't csv that can be read: .*utf-8"),
        ("rows.csv.gz", b"a,b\n1,2\n", r"isn't csv that can be read: .*gzip"),
        ("rows.csv.gz", gzip.compress(b"a,b\n" * 9)[:-9], "isn't csv that can be read"),
        ("rows.parquet", b"a,b\n1,2\n", "isn't parquet that can be read"),
        ("rows.parquet", b"", "isn't parquet that can be read"),
        ("rows.json", b"{}", r"is neither \.csv, \.csv\.gz nor \.parquet"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """By its path, and the line where there is one."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=rf"{name}.*{message}"):
        read_frame(str(tmp_path / name))


@pytest.mark.parametrize("place", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key.csv", "s3://bucket/folder/"])
def test_half_an_address_is_refused(place: str) -> None:
    """With one that would be right."""
    with pytest.raises(BadInput, match="s3://bucket/key"):
        stat(place)


def test_what_is_not_there_is_named(bucket: str, tmp_path: Path) -> None:
    """The object, the bucket or the file; also where S3's answer doesn't tell which (HEAD has no body)."""
    for look in (stat, read_frame):
        with pytest.raises(PlaceNotFound, match=rf"s3://{bucket}/no\.csv isn't there: the bucket {bucket} has no object"):
            look(f"s3://{bucket}/no.csv")
        with pytest.raises(PlaceNotFound, match="There is no bucket no-such-bucket at http://127"):
            look("s3://no-such-bucket/no.csv")
        with pytest.raises(PlaceNotFound, match=r"no\.csv isn't there: check the path"):
            look(str(tmp_path / "no.csv"))


@pytest.mark.parametrize(
    ("variables", "kind", "message"),
    [
        (
            {"AWS_SECRET_ACCESS_KEY": "wrong"},
            AccessDenied,
            "AWS_SECRET_ACCESS_KEY isn't the one that belongs to",
        ),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, AccessDenied, "doesn't know AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": ""}, AccessDenied, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, ServerUnavailable, "Check AWS_ENDPOINT_URL; try it again"),
        ({"AWS_ENDPOINT_URL": "127.0.0.1"}, BadInput, "Check AWS_ENDPOINT_URL"),
    ],
)
def test_a_server_that_does_not_let_in_is_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], kind: type[PipelineError], message: str
) -> None:
    """By what is wrong in the environment; the secret isn't shown."""
    place = f"s3://{bucket}/rows.parquet"
    write_table(TABLE, place)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    if "AWS_ACCESS_KEY_ID" in variables and not variables["AWS_ACCESS_KEY_ID"]:
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    attempts: list[Callable[[], object]] = [lambda: read_frame(place), lambda: write_table(TABLE, place)]
    for attempt in attempts:
        with pytest.raises(kind, match=message) as caught:
            attempt()
        assert kind is BadInput or place in str(caught.value)


def test_a_download_that_breaks_off_is_begun_again(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it is never taken for all of it."""
    place = f"s3://{bucket}/large.parquet"
    write_table(LARGE, place)
    with LossyProxy(urlsplit(s3.endpoint_url).port, 20, "answer", once=True) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        assert len(read_frame(place).frame) == LARGE.num_rows
        assert proxy.reached.is_set()
        assert proxy.accepted >= 2


def test_a_download_that_keeps_breaking_off_is_told(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few attempts."""
    place = f"s3://{bucket}/large.parquet"
    write_table(LARGE, place)
    with LossyProxy(urlsplit(s3.endpoint_url).port, 20, "answer") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ServerUnavailable, match=rf"can't be reached to read {place}"):
            read_frame(place)


def test_an_upload_that_breaks_off_leaves_the_last_object(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it breaks off, of an object in several parts and of one in one."""
    place = f"s3://{bucket}/rows.parquet"
    write_table(TABLE, place)
    before = s3.get(bucket, "rows.parquet")
    for table, passed in ((LARGE, 0), (LARGE, 1), (LARGE, 2), (LARGE, 3), (TABLE, 0)):
        with LossyProxy(urlsplit(s3.endpoint_url).port, passed, "request") as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
            with pytest.raises(ServerUnavailable, match=rf"to write {place}"):
                write_table(table, place)
        assert s3.get(bucket, "rows.parquet") == before


@pytest.mark.parametrize("step", ["write_table(table, sys.argv[1])", "upload(ready, sys.argv[1])"])
def test_a_disk_that_fills_up_leaves_the_last_file(tmp_path: Path, step: str) -> None:
    """A limit on the size of files stands for it: the write fails in the middle."""
    output = tmp_path / "rows.parquet"
    output.write_bytes(b"the last one")
    script = f"""
import resource, sys, tempfile
from pathlib import Path
import numpy as np, pyarrow as pa
from pipelines.errors import PipelineError
from pipelines.places import upload, write_table
table = pa.table({{"a": np.random.default_rng(1).random(100_000)}})
with tempfile.TemporaryDirectory() as folder:
    ready = Path(folder, "ready")
    ready.write_bytes(bytes(1_000_000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        {step}
    except PipelineError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script, str(output)], capture_output=True, text=True, check=True)
    assert re.search(r"rows\.parquet can't be .*File too large", done.stdout)
    assert output.read_bytes() == b"the last one"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
