"""The distribution: small, typed, and able to do without pandas and pyarrow."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "client"


def printed(script: str) -> list[str]:
    """The words that a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_it_loads_httpx_and_nothing_else() -> None:
    """Besides the standard library and what httpx loads itself."""
    found = printed(
        "import sys, httpx; before = set(sys.modules); import feature_client\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    assert set(found) - sys.stdlib_module_names == {"feature_client"}


def test_it_depends_on_httpx_alone() -> None:
    """Its extras bring the rest; it says that it is typed."""
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert [each.partition(">")[0] for each in project["dependencies"]] == ["httpx"]
    assert set(project["optional-dependencies"]) == {"arrow", "pandas"}
    assert (CLIENT / "feature_client/py.typed").exists()


@pytest.mark.parametrize(
    ("missing", "as_", "extra"),
    [("pyarrow", "arrow", "arrow"), ("pyarrow", "pandas", "pandas"), ("pandas", "pandas", "pandas")],
)
def test_what_is_not_installed_is_told_before_anything_is_sent(missing: str, as_: str, extra: str) -> None:
    """With what to install."""
    said = printed(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from feature_client import FeatureClient\n"
        "try: FeatureClient('http://localhost:1').get_online_features(['a:b'], {'c': [1]}, as_={as_!r})\n"
        "except ImportError as error: print(error.name, error)".replace("{as_!r}", repr(as_))
    )
    assert said[0] == missing
    assert said[-1] == f"'feature-service-client[{extra}]'"


def test_a_long_frame_is_pushed_as_json_where_pyarrow_is_missing() -> None:
    """It isn't needed for that."""
    (kind,) = printed(
        "import sys; sys.modules['pyarrow'] = None\n"
        "import pandas\n"
        "from feature_client.requests import push_call\n"
        "call = push_call('s', pandas.DataFrame({'a': range(1000)}), 'online', None, 'failed', None)\n"
        "print(call.headers['content-type'])"
    )
    assert kind == "application/json"


def test_modules_stay_small() -> None:
    """About 200 lines: one noun each."""
    for module in (CLIENT / "feature_client").glob("*.py"):
        assert len(module.read_text().splitlines()) < 220, module
