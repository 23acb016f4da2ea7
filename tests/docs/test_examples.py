"""The examples of README.md and the pages in docs/ that have some do what the pages say, against the sample repository."""

import itertools
import json
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest

from .conftest import ROOT, Site

PAGES = ("README.md", "docs/api.md", "docs/client.md", "docs/on-demand.md", "docs/pipelines.md")
DEFAULT_URL = "http://localhost:6566"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page, as (language, text)."""
    return _FENCE.findall((ROOT / page).read_text())


def runnable() -> list[Any]:
    """Each block that can be run, with the JSON block behind it if that is what it prints."""
    found = []
    for page in PAGES:
        listed = [*blocks(page), ("", "")]
        for number, ((language, text), (next_language, next_text)) in enumerate(itertools.pairwise(listed)):
            if language in ("bash", "python"):
                printed = next_text if next_language == "json" else None
                found.append(pytest.param(language, text, printed, id=f"{page}-{number}-{language}"))
    return found


def shape(value: Any) -> Any:
    """A JSON value's form: sample data and event times depend on the day."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.mark.parametrize(("language", "text", "printed"), runnable())
def test_the_example_runs(site: Site, language: str, text: str, printed: str | None) -> None:
    """It ends well, and prints what the page shows."""
    text = text.replace(DEFAULT_URL, site.url)
    command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
    done = subprocess.run(command, env=site.environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    if language == "bash":
        assert done.stdout
    if printed is not None:
        assert shape(json.loads(done.stdout)) == shape(json.loads(printed))


def test_every_route_has_both_examples(url: str) -> None:
    """docs/api.md has a section with a curl and a Python example for each route of the OpenAPI document."""
    document = httpx.get(f"{url}/openapi.json").json()
    sections = re.split(r"^## ", (ROOT / "docs/api.md").read_text(), flags=re.MULTILINE)
    for path, methods in document["paths"].items():
        for method in methods:
            name = f"{method.upper()} {path}"
            section = next((section for section in sections if re.search(rf"{name}(?![\w/-])", section.splitlines()[0])), None)
            assert section is not None, f"{name} has no section"
            for language in ("bash", "python"):
                examples = [text for kind, text in _FENCE.findall(section) if kind == language]
                written = (path, path.replace("{", "$").replace("}", ""))  # in Python, in a shell
                asked = any(f"{DEFAULT_URL}{each}" in text for text in examples for each in written)
                assert asked, f"{name} has no {language} example"
