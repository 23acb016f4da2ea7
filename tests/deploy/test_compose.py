"""docker-compose.yml: as Docker Compose reads it, and what it runs, run."""

import json
import subprocess
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from pipelines.local.layout import CUSTOMER_FILE
from tests.servers.waiting import wait_until

from .stack import PROGRAMS, ROOT, Stack, compose

READ = {"feature_service": "fraud_model_v1", "entities": {"customer_id": [1001, 5]}}
ROW = {
    "customer_id": 1001, "tenure_months": 25, "total_purchases": 150, "total_spend": 5500.0, "avg_purchase_value": 36.5,
    "customer_segment": "gold", "loyalty_score": 0.25, "created_timestamp": None,
}  # fmt: skip
# Rows that are pushed for the offline store are appended within seconds.
APPENDED_SECONDS = 40.0


def test_the_service_serves_what_was_prepared(stack: Stack) -> None:
    """Definitions from PostgreSQL, data from S3, features from a Redis with a password."""
    answer = stack.service().read(READ)
    assert answer.status == 200
    statuses = {status for vector in answer.json["results"][1:] for status in vector["statuses"]}
    assert statuses >= {"PRESENT", "NOT_FOUND"}


def test_a_second_preparation_keeps_what_was_pushed(stack: Stack) -> None:
    """Neither the newer row in Redis nor the one that was appended in S3 goes."""
    before = stack.s3.get("feast", f"data/{CUSTOMER_FILE}")
    row = {**ROW, "event_timestamp": datetime.now(UTC).isoformat()}
    pushed = stack.service().post(
        "/push", {"push_source_name": "customer_push_source", "rows": [row], "to": "online_and_offline"}
    )
    assert pushed.status in (200, 202), pushed.body
    wait_until(lambda: stack.s3.get("feast", f"data/{CUSTOMER_FILE}") != before, "that it is appended", APPENDED_SECONDS)
    appended = stack.s3.get("feast", f"data/{CUSTOMER_FILE}")
    stack.prepare()
    assert stack.s3.get("feast", f"data/{CUSTOMER_FILE}") == appended
    read = {"features": ["customer_stats:loyalty_score"], "entities": {"customer_id": [1001]}}
    assert stack.service().read(read).json["results"][1]["values"] == [0.25]


def test_passwords_are_the_same_on_both_sides() -> None:
    """Of PostgreSQL and its client; the other two are proven by the tests above."""
    services = compose()["services"]
    address, server = urlsplit(services["prepare"]["environment"]["FEAST_REGISTRY_URL"]), services["postgres"]["environment"]
    assert (address.username, address.password) == (server["POSTGRES_USER"], server["POSTGRES_PASSWORD"])
    assert (address.hostname, address.port, address.path) == ("postgres", 5432, f"/{server['POSTGRES_DB']}")
    assert f"--requirepass {services['redis']['environment']['REDISCLI_AUTH']}" in " ".join(services["redis"]["command"])


def test_nothing_listens_beyond_this_machine() -> None:
    """The passwords are known to all."""
    published = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert sorted(port["published"] for port in published) == ["3000", "6566", "9090"]


def test_what_it_mounts_is_there() -> None:
    """A path that isn't would be made by Docker, as an empty folder."""
    mounts = [mount for service in compose()["services"].values() for mount in service.get("volumes", [])]
    bound = [mount["source"] for mount in mounts if mount["type"] == "bind"]
    assert len(bound) == 3
    for path in bound:
        assert any(ROOT.joinpath(path).iterdir()), path


def test_the_dockerfile_has_no_mistakes_that_hadolint_knows() -> None:
    """Nor a style that it warns of."""
    done = subprocess.run([PROGRAMS / "hadolint", "--format", "json", ROOT / "Dockerfile"], capture_output=True, check=False)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("wrong", ["EXPOSE port", "RUN cd /srv", "RUN pip install feast", "USER root"])
def test_hadolint_tells_mistakes(wrong: str) -> None:
    """The check above can fail."""
    text = (ROOT / "Dockerfile").read_text() + wrong + "\n"
    done = subprocess.run([PROGRAMS / "hadolint", "-"], input=text.encode(), capture_output=True, check=False)
    assert done.returncode == 1, done.stdout
