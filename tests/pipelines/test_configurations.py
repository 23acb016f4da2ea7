"""Both Feast configurations of the repository on real servers: applied, materialized, read; and where a server is down."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from feast import FeatureStore

from pipelines.errors import ServerUnavailable
from pipelines.local.layout import CUSTOMER_FILE, LOCAL_CONFIG, REPO_DIR, TRANSACTION_FILE
from pipelines.local.redis import EmbeddedRedis
from pipelines.local.sample import write_sample
from pipelines.materialize import materialize
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Server
from tests.servers.service_process import ServiceProcess

from .buckets import open_bucket

CUSTOMERS = 200
DAY = datetime.now(UTC).date()
NOW = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=3 * 365)
VIEWS = {"customer_stats": CUSTOMERS, "transaction_stats": CUSTOMERS}
PRODUCTION = REPO_DIR / "feature_store.yaml"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the offline store."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, date(DAY.year, DAY.month, DAY.day), CUSTOMERS)
    return folder


@pytest.fixture
def production(
    s3: S3Server, postgres: PostgresServer, redis: EmbeddedRedis, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The environment of the production configuration, over a bucket with the files; its name."""
    with open_bucket(s3) as bucket:
        for name in (CUSTOMER_FILE, TRANSACTION_FILE):
            s3.put(bucket, name, (sample / name).read_bytes())
        redis.command("FLUSHALL")
        monkeypatch.setenv("FEAST_REGISTRY_URL", postgres.url)
        monkeypatch.setenv("FEAST_REDIS", f"127.0.0.1:{redis.port}")
        monkeypatch.setenv("FEAST_DATA_URL", f"s3://{bucket}")
        yield bucket


def apply(config: Path) -> "subprocess.CompletedProcess[str]":
    """`feast apply`."""
    command = [Path(sys.executable).with_name("feast"), "-c", REPO_DIR, "-f", config, "apply"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_applied_and_materialized(config: Path) -> None:
    """From definitions to features, and that Feast's own SDK reads them."""
    done = apply(config)
    assert done.returncode == 0, done.stderr
    report = materialize(config, LONG_AGO, NOW)
    assert {view.view: view.rows for view in report.views} == VIEWS
    assert {view.writer for view in report.views} == {"fast"}
    store = FeatureStore(fs_yaml_file=config)
    features = ["customer_stats:tenure_months", "transaction_stats:txn_count_30d"]
    read = store.get_online_features(features, [{"customer_id": 1001}, {"customer_id": 1}]).to_dict()
    assert [type(value) for value in read["tenure_months"]] == [int, type(None)]
    again = materialize(config, None, NOW + timedelta(hours=1))
    assert [view.start for view in again.views] == [NOW, NOW]


def test_production(production: str) -> None:
    """PostgreSQL as registry, S3 as offline store, Redis as online store."""
    check_applied_and_materialized(PRODUCTION)


def test_local(redis: EmbeddedRedis, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite, files, Redis: the same definitions."""
    redis.command("FLUSHALL")
    monkeypatch.setenv("FEAST_DATA_URL", str(sample))
    monkeypatch.setenv("FEAST_LOCAL_DIR", str(tmp_path))
    monkeypatch.setenv("FEAST_LOCAL_REDIS_PORT", str(redis.port))
    check_applied_and_materialized(REPO_DIR / LOCAL_CONFIG)


def test_views_at_a_time(production: str, redis: EmbeddedRedis) -> None:
    """Each in a process of its own, where PostgreSQL keeps the registry."""
    assert apply(PRODUCTION).returncode == 0
    report = materialize(PRODUCTION, LONG_AGO, NOW, parallel=2)
    assert {view.view: view.rows for view in report.views} == VIEWS
    assert redis.command("DBSIZE") == CUSTOMERS


def refused(environment: dict[str, str]) -> str:
    """What `feature-pipelines materialize` says where it can't; in a process of its own, since Arrow reads credentials once."""
    command = [Path(sys.executable).with_name("feature-pipelines"), "materialize", "--repo", PRODUCTION]
    words = ["--start", LONG_AGO.isoformat(), "--end", NOW.isoformat(), "--view", "customer_stats"]
    done = subprocess.run([*command, *words], env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_wrong_secret_and_files_that_arent_there(production: str, s3: S3Server) -> None:
    """Say which source can't be read, and why."""
    assert apply(PRODUCTION).returncode == 0
    said = refused({"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert "customer_stats: its source customer_stats_source can't be read: " in said
    assert "signature" in said
    s3.client().delete_object(Bucket=production, Key=CUSTOMER_FILE)
    said = refused({})
    assert "customer_stats: its source customer_stats_source can't be read: " in said
    assert f"{production}/{CUSTOMER_FILE}" in said


def test_a_registry_that_is_down(production: str, postgres: PostgresServer) -> None:
    """Is worth another try; nothing was begun."""
    assert apply(PRODUCTION).returncode == 0
    postgres.stop()
    try:
        with pytest.raises(ServerUnavailable, match=r"The registry can't be read: .*onnection"):
            materialize(PRODUCTION, LONG_AGO, NOW)
    finally:
        postgres.start()
    assert {view.view: view.rows for view in materialize(PRODUCTION, LONG_AGO, NOW).views} == VIEWS


def test_two_applies_at_once_beside_a_running_service(production: str, tmp_path: Path) -> None:
    """Reads go on without an error all the while, and the definitions stand afterwards."""
    assert apply(PRODUCTION).returncode == 0
    materialize(PRODUCTION, LONG_AGO, NOW)
    expectations = REPO_DIR.parents[1] / "expectations"
    body = {"features": ["customer_stats:tenure_months"], "entities": {"customer_id": [1001]}}
    with (
        ServiceProcess(PRODUCTION, log=tmp_path / "service.log", expectations=expectations) as service,
        ThreadPoolExecutor(2) as pool,
    ):
        applying = [pool.submit(apply, PRODUCTION) for _ in range(2)]
        statuses = []
        while not all(each.done() for each in applying):
            statuses.append(service.read(body).status)
            service.post("/catalog/refresh")
        assert set(statuses) == {200}
        assert len(statuses) > 20
        codes = [each.result().returncode for each in applying]
        assert 0 in codes, [each.result().stderr for each in applying]
        assert service.post("/catalog/refresh").status == 200
        assert len(service.get("/catalog").json["feature_views"]) == 4
    assert apply(PRODUCTION).returncode == 0
