"""What `make serve` serves is what its models are trained on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
import redis as redis_py
from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from .conftest import Parity, Sites

SERVICES = ("churn_model_v1", "fraud_model_v1")
SAMPLE = 1000
UNKNOWN = 10


@pytest.mark.parametrize("service", SERVICES)
def test_a_model_gets_online_what_it_is_trained_on(sites: Sites, parity: Parity, service: str) -> None:
    """All values of a thousand entities, some of them expired, and of ten that nobody knows."""
    ran = parity(sites.sample, "--feature-service", service, "--sample", str(SAMPLE))
    assert ran.code == 0, ran
    assert "No difference in " in ran.out
    _, features, _ = ran.out.split("\n\n")
    for line in features.splitlines()[1:]:
        rows, equal, *others, expired = ran.counts(line.split()[0])
        assert (rows, equal, others) == (SAMPLE + UNKNOWN, SAMPLE + UNKNOWN, [0, 0, 0])
        assert expired > SAMPLE / 25


@pytest.fixture
def customer(sites: Sites) -> Iterator[int]:
    """A customer whose online row is put back when the test is over."""
    number = 1042
    key = _redis_key("customer_features", EntityKey(join_keys=["customer_id"], entity_values=[Value(int64_val=number)]), 3)
    with redis_py.Redis(port=int(sites.sample.environment["FEAST_LOCAL_REDIS_PORT"])) as client:
        before = client.dump(key)
        assert before is not None
        yield number
        client.restore(key, 0, before, replace=True)


def test_a_row_that_is_pushed_online_only_is_found(sites: Sites, parity: Parity, customer: int) -> None:
    """It is named with its entity, both values, and what seems to be behind it; rows of others stay equal."""
    row = {
        "customer_id": customer,
        "tenure_months": 119,
        "total_purchases": 150,
        "total_spend": 5500.0,
        "avg_purchase_value": 36.67,
        "customer_segment": "gold",
        "loyalty_score": 0.875,
        "event_timestamp": datetime.now(UTC).isoformat(),
        "created_timestamp": None,
    }
    pushed = sites.sample.service.post("/push", {"push_source_name": "customer_push_source", "rows": [row]})
    assert pushed.json["written"] == 1
    features = ["customer_stats:loyalty_score", "transaction_stats:txn_count_7d"]
    ran = parity(sites.sample, "--features", *features, "--sample", "10000")
    assert ran.code == 1, ran
    assert ran.counts(features[0])[2:5] == [1, 0, 0]
    assert ran.counts(features[1])[2:5] == [0, 0, 0]
    assert f"customer_stats:loyalty_score of customer_id {customer}\n    online 0.875, offline " in ran.out
    assert "online is newer" in ran.out
    machine = parity(sites.sample, "--features", *features, "--sample", "10000", "--format", "json")
    (difference,) = json.loads(machine.out)["differences"]
    assert (difference["entity"], difference["feature"]) == ({"customer_id": customer}, features[0])


def test_an_unknown_service_is_told_with_its_nearest(sites: Sites, parity: Parity) -> None:
    """Exit code 2, as for all that can't be told."""
    ran = parity(sites.sample, "--feature-service", "churn_modl_v1")
    assert (ran.code, ran.out) == (2, "")
    assert "churn_modl_v1 does not exist" in ran.err
    assert "Did you mean churn_model_v1" in ran.err


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("customer_stat:loyalty_score", "Did you mean customer_stats or"),
        ("customer_stats:loyalty", "Did you mean loyalty_score?"),
        ("loyalty_score", "A feature reference is"),
        ("customer_stats@v7:loyalty_score", "versioning is disabled"),
    ],
)
def test_a_wrong_reference_is_told(sites: Sites, parity: Parity, reference: str, sentence: str) -> None:
    """Before anything is read."""
    ran = parity(sites.sample, "--features", reference)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


def test_a_service_that_does_not_run_is_told(sites: Sites, parity: Parity) -> None:
    """With its address."""
    url = "http://127.0.0.1:9"
    ran = parity(sites.sample, "--feature-service", "churn_model_v1", "--sample", "5", url=url)
    assert (ran.code, ran.out) == (2, "")
    assert f"{url} can't be reached" in ran.err


def test_what_is_no_feature_server_is_told(sites: Sites, parity: Parity) -> None:
    """Here: another path of the service."""
    url = f"{sites.sample.service.url}/docs"
    assert httpx.get(url).status_code == httpx.codes.OK
    ran = parity(sites.sample, "--feature-service", "churn_model_v1", "--sample", "5", url=url)
    assert (ran.code, ran.out) == (2, "")
    assert " answers 404" in ran.err


@pytest.mark.parametrize("arguments", [["--sample", "0"], ["--rtol", "2"], ["--at", "2026-11-25T10:00:00"], ["--seed", "x"]])
def test_a_wrong_option_is_told(sites: Sites, parity: Parity, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """By argparse, whose exit code is 2 as well."""
    with pytest.raises(SystemExit) as ended:
        parity(sites.sample, "--feature-service", "churn_model_v1", *arguments)
    assert ended.value.code == 2
    assert f"argument {arguments[0]}" in capsys.readouterr().err
