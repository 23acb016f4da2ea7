"""One message to Slack, really posted, and its address kept secret."""

import email.utils
import logging
import socket
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipelines import alert as module
from pipelines.alert import alert
from pipelines.errors import AlertNotPosted, BadInput, PipelineError
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.webhook import WebhookServer

SECRET = "T0000/B0000/verysecret"
VALIDATION = {
    "place": "s3://data/customer_data.csv",
    "statistics": {"evaluated_expectations": 10, "unsuccessful_expectations": 2},
    "failed": [
        {"type": "expect_column_values_to_be_in_set", "column": "churn", "unexpected_count": 1234},
        {"type": "expect_column_mean_to_be_between", "column": "monthly_charges", "observed_value": 91.5},
        {"type": "expect_column_values_to_be_between", "column": "<!channel>", "error": "no column <gone> & no more"},
    ],
    "data_docs": "https://docs.example/validations/1.html",
}


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    """A web server in place of Slack, whose address is in the environment, with a secret path."""
    with WebhookServer() as server:
        monkeypatch.setenv("SLACK_WEBHOOK", secret_address(server.url))
        yield server


def secret_address(url: str) -> str:
    """An address with a path that must show up nowhere."""
    return f"{url.rstrip('/')}/{SECRET}"


def test_one_message_says_what_failed_and_where_to_look(slack: WebhookServer) -> None:
    """File, run, quarantine, each failed expectation, a link; markup in texts is taken for texts."""
    quarantined = {"place": "s3://data/quarantine/1/customer_data.csv", "result_place": "s3://data/quarantine/1/result.json"}
    alert("Customer data are bad <now>", validation=VALIDATION, quarantined=quarantined, run_name="scheduled__2026-01-31")
    assert len(slack.posts) == 1
    posted = slack.posts[0]
    assert posted["text"] == "Customer data are bad &lt;now&gt;"
    text = "\n".join(block["text"]["text"] for block in posted["blocks"])
    assert text.splitlines() == [
        "*Customer data are bad &lt;now&gt;*",
        "*File:* s3://data/customer_data.csv",
        "*Run:* scheduled__2026-01-31",
        "*Moved to:* s3://data/quarantine/1/customer_data.csv",
        "*Result:* s3://data/quarantine/1/result.json",
        "2 of 10 expectations failed",
        "• `expect_column_values_to_be_in_set` of `churn`: 1,234 rows",
        "• `expect_column_mean_to_be_between` of `monthly_charges`: 91.5",
        "• `expect_column_values_to_be_between` of `&lt;!channel&gt;`: no column &lt;gone&gt; &amp; no more",
        "<https://docs.example/validations/1.html|Data Docs>",
    ]


def test_a_long_message_is_cut_to_what_slack_takes(slack: WebhookServer) -> None:
    """3,000 characters in a section."""
    failed = [{"type": "expect_something", "column": "c" * 200, "error": "e" * 200}] * 100
    alert("s" * 5000, validation={"failed": failed})
    assert all(len(block["text"]["text"]) <= 3000 for block in slack.posts[0]["blocks"])
    assert "data_docs" not in slack.posts[0]


def test_a_link_comes_from_the_environment_too(slack: WebhookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither the caller nor the validation names one."""
    monkeypatch.setenv("DATA_DOCS_URL", "https://docs.example")
    alert("Bad")
    assert slack.posts[0]["blocks"][-1]["text"]["text"] == "<https://docs.example|Data Docs>"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_slack_is_asked_again(slack: WebhookServer, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """And one message is posted."""
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.05)
    slack.answer(status, b"later")
    alert("Bad")
    assert [post["text"] for post in slack.posts] == ["Bad", "Bad"]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_slack_says_for_how_long_to_wait(slack: WebhookServer, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Retry-After, in both of its forms."""
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.0)
    later = datetime.now(UTC) + timedelta(seconds=3)
    slack.answer(
        429, b"rate_limited", headers={"Retry-After": "1" if form == "seconds" else email.utils.format_datetime(later)}
    )
    begin = time.monotonic()
    alert("Bad")
    assert time.monotonic() - begin > 0.99


def test_a_slack_that_stays_busy_is_told(slack: WebhookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few attempts."""
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.01)
    for _ in range(module.ATTEMPTS):
        slack.answer(503, b"busy")
    with pytest.raises(AlertNotPosted, match=r"Slack took no alert: it answers 503 'busy' \(attempt 4 of 4\)"):
        alert("Bad")
    assert len(slack.posts) == module.ATTEMPTS


def test_a_wait_of_hours_is_not_sat_out(slack: WebhookServer) -> None:
    """Whatever runs the task tries it again then."""
    slack.answer(429, b"rate_limited", headers={"Retry-After": "7200"})
    with pytest.raises(AlertNotPosted, match="429"):
        alert("Bad")


@pytest.mark.parametrize(("status", "body"), [(404, "no_service"), (403, "invalid_token"), (400, "invalid_blocks")])
def test_a_refusal_is_told_at_once(slack: WebhookServer, status: int, body: str) -> None:
    """Another attempt would be refused as well."""
    slack.answer(status, body.encode())
    with pytest.raises(AlertNotPosted, match=f"it answers {status} '{body}'. Check SLACK_WEBHOOK"):
        alert("Bad")
    assert len(slack.posts) == 1


def test_without_a_webhook_nothing_is_said_to_be_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not set, and set to something else."""
    monkeypatch.delenv("SLACK_WEBHOOK", raising=False)
    with pytest.raises(BadInput, match="SLACK_WEBHOOK isn't set"):
        alert("Bad")
    with pytest.raises(BadInput, match="SLACK_WEBHOOK isn't an http address") as caught:
        alert("Bad", webhook=SECRET)
    assert SECRET not in str(caught.value)


def test_the_address_is_in_no_message_and_no_log(
    slack: WebhookServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when it is posted, nor in any failure: an answer that holds it, no server, silence, an address that can't be one."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, name)
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    alert("Good")
    slack.answer(404, f"no {secret_address(slack.url)}".encode())
    with TcpProxy(1) as silent:
        silent.black_hole()
        addresses = [
            secret_address(slack.url),
            secret_address(f"http://127.0.0.1:{free_port()}"),
            secret_address(f"http://127.0.0.1:{silent.port}"),
            f"http://[::{SECRET}",
            f"https://127.0.0.1:port/{SECRET}",
        ]
        told = [failure(address) for address in addresses]
    assert "verysecret" not in "\n".join(told)
    assert "verysecret" not in caplog.text
    assert "look whether the alert is there" in told[2]


def failure(address: str) -> str:
    """All that is printed where nobody catches what is raised."""
    with pytest.raises(PipelineError) as caught:
        alert("Bad", webhook=address)
    return "".join(traceback.format_exception(caught.value))


def free_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
