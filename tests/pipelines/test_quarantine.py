"""A bad file is moved out of the way, and never lost, whatever breaks in between."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipelines import s3 as objects
from pipelines.errors import AccessDenied, BadInput, ObjectChanged, PipelineError, PlaceNotFound, PlaceTaken, ServerUnavailable
from pipelines.places import stat
from pipelines.quarantine import Quarantined, quarantine
from tests.servers.s3 import S3Server

from .buckets import open_bucket
from .lossy_proxy import LossyProxy, Lost

CONTENT = b"customer_id,churn\n1001,2\n"
NEWER = b"customer_id,churn\n1001,1\n"
VALIDATION = {"success": False, "failed": [{"type": "expect_column_values_to_be_in_set", "column": "churn"}]}
# Looking at both, at the bucket, copying, looking again, the result, the deletion: at least so many answers of S3.
FEWEST_STEPS = 6


class Bucket:
    """A bucket, what lies in it, and who may do what with it."""

    def __init__(self, s3: S3Server, name: str) -> None:
        """It is there."""
        self.s3 = s3
        self.name = name
        self.port = urlsplit(s3.endpoint_url).port

    def put(self, key: str, content: bytes = CONTENT) -> str:
        """An object's address."""
        self.s3.put(self.name, key, content)
        return f"s3://{self.name}/{key}"

    def all(self) -> dict[str, bytes]:
        """What it holds, by key."""
        return {key: self.s3.get(self.name, key) for key in self.s3.keys(self.name)}

    def folder(self, name: str) -> str:
        """A folder for what is bad."""
        return f"s3://{self.name}/quarantine/{name}"

    def deny(self, action: str, keys: str) -> None:
        """Refuse it to everybody, as a bucket's policy does."""
        statement = {"Effect": "Deny", "Principal": "*", "Action": [action], "Resource": [f"arn:aws:s3:::{self.name}/{keys}"]}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.s3.client().put_bucket_policy(Bucket=self.name, Policy=json.dumps(policy))

    def allow(self) -> None:
        """Take that back."""
        self.s3.client().delete_bucket_policy(Bucket=self.name)


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[Bucket]:
    """A bucket that the pipelines find by the environment; a request that fails isn't sent again."""
    with open_bucket(s3, attempts=1) as name:
        yield Bucket(s3, name)


def moved(bucket: Bucket, name: str, content: bytes = CONTENT) -> bool:
    """Whether a file is in quarantine with its result, and nowhere else."""
    held = bucket.all()
    result = json.loads(held.get(f"quarantine/{name}/{name}.csv.validation.json", b"{}"))
    return (
        held.get(f"quarantine/{name}/{name}.csv") == content
        and f"{name}.csv" not in held
        and result.get("validation") == VALIDATION
        and result.get("quarantined_from") == f"s3://{bucket.name}/{name}.csv"
    )


def test_a_bad_file_is_moved_with_its_result_beside_it(bucket: Bucket) -> None:
    """Both are where the caller is told."""
    place = bucket.put("bad.csv")
    found = quarantine(place, bucket.folder("bad"), VALIDATION, stat(place).etag)
    target = f"s3://{bucket.name}/quarantine/bad/bad.csv"
    assert found == Quarantined(target, f"{target}.validation.json")
    assert moved(bucket, "bad")


def test_a_move_that_was_made_already_is_found_so(bucket: Bucket) -> None:
    """As when a task is run again that had succeeded."""
    place = bucket.put("bad.csv")
    etag = stat(place).etag
    first = quarantine(place, bucket.folder("bad"), VALIDATION, etag)
    assert quarantine(place, bucket.folder("bad"), VALIDATION, f'"{etag}"') == first
    assert moved(bucket, "bad")


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_nothing_is_lost_wherever_the_network_breaks(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, lost: Lost) -> None:
    """Each request in turn, or the answer to it, is lost; the same call then does what isn't done."""
    deleted_unheard = 0
    for passed in itertools.count():
        name = f"{lost}{passed}"
        place = bucket.put(f"{name}.csv")
        etag = stat(place).etag
        with LossyProxy(bucket.port, passed, lost) as proxy, monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
            failures = failure_of(lambda: quarantine(place, bucket.folder(name), VALIDATION, etag))  # noqa: B023
            if not failures:
                assert moved(bucket, name)
                break
            assert proxy.reached.is_set()
        assert [type(one) for one in failures] == [ServerUnavailable]
        assert re.search(rf"{re.escape(place)}|/{name}/{name}\.csv|Try it again", str(failures[0]))
        held = bucket.all()
        deleted_unheard += f"{name}.csv" not in held
        assert CONTENT in (held.get(f"{name}.csv"), held.get(f"quarantine/{name}/{name}.csv"))
        quarantine(place, bucket.folder(name), VALIDATION, etag)
        assert moved(bucket, name)
    assert passed >= FEWEST_STEPS
    assert deleted_unheard == (lost == "answer")


def test_a_request_that_is_sent_again_meets_what_it_did(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """As boto3 does it by itself: the copy and the deletion are carried out, their answers are lost once."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    for passed in range(2 * FEWEST_STEPS):
        name = f"again{passed}"
        place = bucket.put(f"{name}.csv")
        etag = stat(place).etag
        with LossyProxy(bucket.port, passed, "answer", once=True) as proxy, monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
            quarantine(place, bucket.folder(name), VALIDATION, etag)
        assert moved(bucket, name)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_nothing_is_lost_whenever_it_is_killed(bucket: Bucket, tmp_path: Path, lost: Lost) -> None:
    """Each request in turn, or the answer to it, is the last that the process lives to see."""
    report = tmp_path / "validation.json"
    report.write_text(json.dumps(VALIDATION))
    for passed in itertools.count():
        name = f"{lost}{passed}"
        place = bucket.put(f"{name}.csv")
        with LossyProxy(bucket.port, passed, lost, hold=True) as proxy:
            if not killed_where_it_hangs(proxy, place, bucket.folder(name), report):
                assert moved(bucket, name)
                break
        held = bucket.all()
        assert CONTENT in (held.get(f"{name}.csv"), held.get(f"quarantine/{name}/{name}.csv"))
        quarantine(place, bucket.folder(name), VALIDATION)
        assert moved(bucket, name)
    assert passed >= FEWEST_STEPS


def killed_where_it_hangs(proxy: LossyProxy, place: str, folder: str, report: Path) -> bool:
    """Run the command through a proxy that goes silent, and kill it then; False if it came to its end."""
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "quarantine", place, "--folder", folder, "--validation", str(report)],
        env=os.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"},
        stdout=subprocess.DEVNULL,
    )
    while child.poll() is None:
        if proxy.reached.wait(0.05):
            child.send_signal(signal.SIGKILL)
            child.wait()
            return True
    assert child.returncode == 0
    return False


def test_an_object_that_was_replaced_since_it_was_validated_stays(bucket: Bucket) -> None:
    """It isn't known to be bad."""
    place = bucket.put("bad.csv")
    etag = stat(place).etag
    bucket.put("bad.csv", NEWER)
    with pytest.raises(ObjectChanged, match=r"bad\.csv was replaced since it was validated; nothing was moved\. Validate"):
        quarantine(place, bucket.folder("bad"), VALIDATION | {"etag": etag})
    assert bucket.all() == {"bad.csv": NEWER}


def test_an_object_that_is_replaced_during_the_move_stays(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever step the new one comes: the server deletes only what was looked at."""
    told = 0
    for passed in itertools.count():
        name = f"during{passed}"
        place = bucket.put(f"{name}.csv")
        etag = stat(place).etag
        with LossyProxy(bucket.port, passed, "request", hold=True) as proxy, monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
            patch.setenv("AWS_MAX_ATTEMPTS", "3")
            moving = Moving(place, bucket.folder(name), etag)
            if not moving.waits_for(proxy.reached):
                break
            bucket.put(f"{name}.csv", NEWER)
            proxy.recover()
            moving.join()
        assert bucket.all()[f"{name}.csv"] == NEWER
        assert [type(one) for one in moving.failures] == [ObjectChanged]
        told += "was replaced while it was moved" in str(moving.failures[0])
    assert passed >= FEWEST_STEPS
    assert told


def test_a_file_that_comes_into_quarantine_meanwhile_stays(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server copies only to where nothing is, however late it turns out that something is."""
    late = 0
    for passed in itertools.count():
        name = f"meanwhile{passed}"
        place, target = bucket.put(f"{name}.csv"), f"quarantine/{name}/{name}.csv"
        with LossyProxy(bucket.port, passed, "request", hold=True) as proxy, monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
            patch.setenv("AWS_MAX_ATTEMPTS", "3")
            moving = Moving(place, bucket.folder(name))
            if not moving.waits_for(proxy.reached) or target in bucket.all():
                proxy.recover()
                moving.join()
                break
            bucket.put(target, NEWER)
            proxy.recover()
            moving.join()
        assert [type(one) for one in moving.failures] == [PlaceTaken]
        held = bucket.all()
        assert (held[f"{name}.csv"], held[target]) == (CONTENT, NEWER)
        late += 1
    assert late >= 4


class Moving(threading.Thread):
    """A move in a thread of its own."""

    def __init__(self, place: str, folder: str, etag: str | None = None) -> None:
        """Start it."""
        super().__init__()
        self.failures: list[PipelineError] = []
        self._move = lambda: quarantine(place, folder, VALIDATION, etag)
        self.start()

    def run(self) -> None:
        """Move, and keep what it raises."""
        self.failures.extend(failure_of(self._move))

    def waits_for(self, event: threading.Event) -> bool:
        """Whether that happens before the move ends."""
        while self.is_alive():
            if event.wait(0.02):
                return True
        return event.is_set()


def failure_of(call: Callable[[], object]) -> list[PipelineError]:
    """What it raises."""
    try:
        call()
    except PipelineError as error:
        return [error]
    return []


@pytest.mark.parametrize(
    ("action", "keys"), [("s3:PutObject", "quarantine/*"), ("s3:PutObject", "*.json"), ("s3:DeleteObject", "*")]
)
def test_a_bucket_that_refuses_costs_nothing(bucket: Bucket, action: str, keys: str) -> None:
    """Whichever step the bucket's policy forbids."""
    place = bucket.put("bad.csv")
    bucket.deny(action, keys)
    with pytest.raises(AccessDenied, match=rf"refuses to .*s3://{bucket.name}/.*: these credentials may not do it"):
        quarantine(place, bucket.folder("bad"), VALIDATION)
    assert bucket.all()["bad.csv"] == CONTENT
    bucket.allow()
    quarantine(place, bucket.folder("bad"), VALIDATION)
    assert moved(bucket, "bad")


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket) -> None:
    """Before anything is done."""
    place = bucket.put("bad.csv")
    with pytest.raises(PlaceNotFound, match="There is no bucket nowhere-at-all at http://"):
        quarantine(place, "s3://nowhere-at-all/quarantine", VALIDATION)
    assert bucket.all() == {"bad.csv": CONTENT}


def test_something_else_in_quarantine_is_not_overwritten(bucket: Bucket) -> None:
    """It is the only copy of an earlier bad file."""
    place = bucket.put("bad.csv")
    bucket.put("quarantine/bad/bad.csv", NEWER)
    with pytest.raises(PlaceTaken, match=r"is there already and isn't what is at .* Name another folder"):
        quarantine(place, bucket.folder("bad"), VALIDATION)
    assert bucket.all() == {"bad.csv": CONTENT, "quarantine/bad/bad.csv": NEWER}


def test_a_file_that_is_nowhere_is_told(bucket: Bucket) -> None:
    """Neither where it was nor where it would be."""
    with pytest.raises(PlaceNotFound, match=r"absent\.csv isn't there, nor was it moved to"):
        quarantine(f"s3://{bucket.name}/absent.csv", bucket.folder("absent"), VALIDATION)


def test_a_move_into_its_own_folder_is_refused(bucket: Bucket) -> None:
    """Copying it onto itself and deleting it would lose it."""
    place = bucket.put("bad.csv")
    with pytest.raises(BadInput, match="name another folder"):
        quarantine(place, f"s3://{bucket.name}/", VALIDATION)
    assert bucket.all() == {"bad.csv": CONTENT}


def test_a_large_object_is_copied_in_parts_and_compared(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its copy has another ETag, so the bytes are compared."""
    monkeypatch.setattr(objects, "COPY_AT_ONCE_BYTES", 1 << 20)
    monkeypatch.setattr(objects, "COPY_PART_BYTES", 5 << 20)
    content = os.urandom(12 << 20)
    place = bucket.put("large.csv", content)
    etag = stat(place).etag
    quarantine(place, bucket.folder("large"), VALIDATION, etag)
    assert moved(bucket, "large", content)
    assert stat(f"s3://{bucket.name}/quarantine/large/large.csv").etag != etag
    quarantine(place, bucket.folder("large"), VALIDATION, etag)


def test_local_files_are_moved_as_well(tmp_path: Path) -> None:
    """By a folder that is made for it, with nothing half written beside it."""
    place = tmp_path / "bad.csv"
    place.write_bytes(CONTENT)
    found = quarantine(str(place), str(tmp_path / "quarantine" / "run"), VALIDATION, stat(str(place)).etag)
    assert Path(found.place).read_bytes() == CONTENT
    assert json.loads(Path(found.result_place).read_text())["validation"] == VALIDATION
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["bad.csv", "bad.csv.validation.json"]


def test_a_local_file_goes_to_s3(bucket: Bucket, tmp_path: Path) -> None:
    """Its ETag isn't the one of S3; it is found when the move is made again."""
    place = tmp_path / "bad.csv"
    place.write_bytes(CONTENT)
    etag = stat(str(place)).etag
    for _ in range(2):
        quarantine(str(place), bucket.folder("bad"), VALIDATION, etag)
        assert bucket.all()["quarantine/bad/bad.csv"] == CONTENT
        assert not place.exists()


def test_a_local_file_stays_where_there_can_be_no_folder(tmp_path: Path) -> None:
    """A file has the folder's name."""
    place = tmp_path / "bad.csv"
    place.write_bytes(CONTENT)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PipelineError, match="file/run"):
        quarantine(str(place), str(tmp_path / "file" / "run"), VALIDATION)
    assert place.read_bytes() == CONTENT
