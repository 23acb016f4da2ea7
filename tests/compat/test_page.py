"""docs/compatibility.md and the tests name each other: no row without a test, no test without a row."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.routing import APIRoute
from feast import feature_server
from feast.cli.serve import serve_command
from feast.feature_server import get_app
from feast.infra.feature_servers.base_config import AuditLoggingConfig, FeatureLoggingConfig, MetricsConfig
from feast.infra.feature_servers.local_process.config import LocalFeatureServerConfig
from feast.infra.mcp_servers.mcp_config import McpFeatureServerConfig
from feast.infra.online_stores.redis import RedisOnlineStoreConfig
from feast.infra.online_stores.remote import RemoteOnlineStoreConfig
from pydantic import BaseModel

from .kiosk import Kiosk
from .page import PAGE, ROOT, Row, Test, functions, read_rows

HERE = Path(__file__).parent
ROWS = read_rows()
NAMED = {test for row in ROWS for test in row.tests}
# What stock's server takes, and what it is configured by.
MODELS: list[type[BaseModel]] = [
    feature_server.GetOnlineFeaturesRequest,
    feature_server.PushFeaturesRequest,
    feature_server.WriteToFeatureStoreRequest,
    feature_server.MaterializeRequest,
    feature_server.MaterializeIncrementalRequest,
    feature_server.GetOnlineDocumentsRequest,
    feature_server.OpenAISearchRequest,
    feature_server.ChatRequest,
    MetricsConfig,
    FeatureLoggingConfig,
    AuditLoggingConfig,
    LocalFeatureServerConfig,
    McpFeatureServerConfig,
    RedisOnlineStoreConfig,
    RemoteOnlineStoreConfig,
]
VERDICTS = ("**same**", "**better**", "**not yet**", "**not here**")


def modules() -> Iterator[ModuleType]:
    """The modules whose tests are rows of the page."""
    for file in sorted(HERE.glob("test_*.py")):
        if file.name not in (Path(__file__).name, "test_migration.py"):  # that one is about another page
            yield importlib.import_module(f"tests.compat.{file.stem}")


def cases(module: ModuleType, name: str) -> set[str]:
    """The names of a test's cases, where each of them is a row: those that are parametrized by text."""
    marks = [mark for mark in getattr(getattr(module, name), "pytestmark", []) if mark.name == "parametrize"]
    found: set[str] = set()
    for mark in marks:
        values = list(mark.args[1])
        if all(isinstance(value, str) for value in values):
            found |= set(values)
        else:
            found |= {str(value.id) for value in values if getattr(value, "id", None)}
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line {row.line}")
def test_a_row_names_tests_that_exist(row: Row) -> None:
    """At least one."""
    assert row.tests, f"{row.subject} names no test"
    for test in row.tests:
        assert test.name in functions(test.file), f"{row.subject}: {test.file.relative_to(ROOT)} has no {test.name}"
        if test.parameter is not None:
            module = importlib.import_module(".".join(test.file.relative_to(ROOT).with_suffix("").parts))
            assert test.parameter in cases(module, test.name), f"{test.name} has no case {test.parameter}"


def test_every_test_is_named_by_a_row() -> None:
    """And every case of those that have one a row."""
    missing = []
    for module in modules():
        file = Path(module.__file__ or "").resolve()
        for name in functions(file):
            whole = Test(file, name) in NAMED
            singly = cases(module, name)
            missing += [f"{file.name}::{name}[{case}]" for case in singly if Test(file, name, case) not in NAMED and not whole]
            missing += [f"{file.name}::{name}"] if not whole and not singly else []
    assert not missing


def test_every_row_says_what_is_here() -> None:
    """In one of four words; or what has taken the place of stock's option or metric, by its name."""
    for row in ROWS:
        known = row.ours.startswith((*VERDICTS, "`"))
        assert known or row.ours == "a test fails until they are on this page", f"line {row.line}: {row.ours}"


def test_the_page_has_everything_of_stock(kiosk: Kiosk) -> None:
    """Routes, fields, options and keys by their names."""
    text = PAGE.read_text()
    names = {route.path for route in get_app(kiosk.store).routes if isinstance(route, APIRoute)}
    names |= {option.opts[0] for option in serve_command.params}
    names |= {name for model in MODELS for name in model.model_fields}
    # A section's key stands behind its section, a route behind its method.
    assert [name for name in sorted(names) if not re.search(rf"`([\w.]+\.|[A-Z]+ )?{re.escape(name)}`", text)] == []
