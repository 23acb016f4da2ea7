"""The service's settings: what may be set, and what is said of values that can't be meant."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.cli import main
from service.settings import Settings, unknown_variables

EX_CONFIG = 78
DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def no_settings_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have some in the environment."""
    for name in [name for name in os.environ if name.startswith("FEATURE_SERVICE_")]:
        monkeypatch.delenv(name)


def test_every_setting_has_a_default() -> None:
    """A service starts without any."""
    assert Settings() == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("read_deadline_ms", "50", 50.0),
        ("read_deadline_ms", "0.5", 0.5),
        ("redis_connections", "64", 64),
        ("max_entities", "1", 1),
        ("max_body_bytes", "1024", 1024),
        ("expired_values", "keep", "keep"),
        ("error_format", "feast", "feast"),
        ("log_level", "debug", "debug"),
    ],
)
def test_a_setting_is_read_from_the_environment(name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the prefix FEATURE_SERVICE_."""
    monkeypatch.setenv(f"FEATURE_SERVICE_{name.upper()}", text)
    assert getattr(Settings(), name) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("READ_DEADLINE_MS", "0", "greater than 0"),
        ("READ_DEADLINE_MS", "-5", "greater than 0"),
        ("READ_DEADLINE_MS", "soon", "valid number"),
        ("READ_DEADLINE_MS", "nan", "nan"),
        ("READ_DEADLINE_MS", "inf", "finite"),
        ("REDIS_CONNECTIONS", "0", "greater than or equal to 1"),
        ("REDIS_CONNECTIONS", "65", "less than or equal to 64"),
        ("REDIS_CONNECTIONS", "two", "valid integer"),
        ("MAX_ENTITIES", "0", "greater than or equal to 1"),
        ("MAX_FEATURES", "1.5", "valid integer"),
        ("MAX_BODY_BYTES", "10", "greater than or equal to 1024"),
        ("MAX_BODY_BYTES", "4MB", "valid integer"),
        ("MAX_REQUESTS_IN_FLIGHT", "", "valid integer"),
        ("RETRY_AFTER_SECONDS", "0", "greater than or equal to 1"),
        ("EXPIRED_VALUES", "drop", "'null' or 'keep'"),
        ("ERROR_FORMAT", "xml", "'problem' or 'feast'"),
        ("LOG_LEVEL", "loud", "'critical', 'error', 'warning', 'info' or 'debug'"),
        ("SHUTDOWN_GRACE_SECONDS", "never", "valid integer"),
    ],
)
def test_a_value_that_cannot_be_meant_ends_the_start(
    name: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 78 and one line: the variable's name, what it may be, and what it was."""
    monkeypatch.setenv(f"FEATURE_SERVICE_{name}", text)
    assert main(["serve", "--repo", "nowhere", "--port", "0"]) == EX_CONFIG
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"feature-service: FEATURE_SERVICE_{name}: ")
    assert said in line
    assert repr(text) in line


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each."""
    monkeypatch.setenv("FEATURE_SERVICE_MAX_ENTITIES", "0")
    monkeypatch.setenv("FEATURE_SERVICE_MAX_FEATURES", "many")
    assert main(["serve", "--repo", "nowhere", "--port", "0"]) == EX_CONFIG
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.split(": ")[1] for line in printed.err.splitlines()] == [
        "FEATURE_SERVICE_MAX_ENTITIES",
        "FEATURE_SERVICE_MAX_FEATURES",
    ]


def test_settings_do_not_change_once_made() -> None:
    """What a worker started with is what it runs with."""
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.max_entities = 5  # type: ignore[misc]


def test_every_setting_says_what_it_is_for() -> None:
    """And has its unit in its name where it has one."""
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_every_setting_stands_in_the_documentation() -> None:
    """Under the name of its environment variable."""
    text = DOCUMENT.read_text()
    for name in Settings.model_fields:
        assert f"FEATURE_SERVICE_{name.upper()}" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["serve"],
        ["serve", "--repo", "x", "--port", "65536"],
        ["serve", "--repo", "x", "--port", "http"],
        ["serve", "--repo", "x", "--port", "²"],
        ["serve", "--repo", "x", "--workers", "0"],
        ["serve", "--repo", "x", "--workers", "two"],
        ["start"],
    ],
)
def test_a_command_line_that_cannot_be_meant_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With argparse's exit code, its usage and one line; never a traceback."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "feature-service" in capsys.readouterr().err


def test_a_misspelt_variable_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be ignored otherwise, and the default be in force."""
    monkeypatch.setenv("FEATURE_SERVICE_MAX_ENTITES", "5")
    assert main(["serve", "--repo", "nowhere"]) == 78
    assert "FEATURE_SERVICE_MAX_ENTITES" in capsys.readouterr().err


def test_what_kubernetes_sets_for_a_service_of_the_same_name_is_no_setting() -> None:
    """A pod beside Services `feature-service` and `feature-service-canary` starts; what only looks alike is told."""
    links = {
        f"FEATURE_SERVICE{name}": value
        for service in ("", "_CANARY")
        for name, value in {
            f"{service}_SERVICE_HOST": "10.96.0.7",
            f"{service}_SERVICE_PORT": "6566",
            f"{service}_SERVICE_PORT_HTTP": "6566",
            f"{service}_PORT": "tcp://10.96.0.7:6566",
            f"{service}_PORT_6566_TCP": "tcp://10.96.0.7:6566",
            f"{service}_PORT_6566_TCP_PROTO": "tcp",
            f"{service}_PORT_6566_TCP_PORT": "6566",
            f"{service}_PORT_6566_TCP_ADDR": "10.96.0.7",
        }.items()
    }
    assert unknown_variables(links) == []
    assert unknown_variables({"FEATURE_SERVICE_PORT": "6566", "FEATURE_SERVICE_HOST": "0.0.0.0"}) == [
        "FEATURE_SERVICE_HOST",
        "FEATURE_SERVICE_PORT",
    ]
