"""Writes the suites of suites_in_code.py to suites/, as Great Expectations saves them.

    python expectations/create_expectations.py

It may be run again and again: what hasn't changed keeps its ids, and its file stays the same to the byte.
"""

import json
import sys
from pathlib import Path

import great_expectations as gx
from great_expectations.data_context import FileDataContext
from great_expectations.expectations.expectation import Expectation
from suites_in_code import SUITES, Suite

HERE = Path(__file__).resolve().parent


def create_expectations(project: Path) -> list[str]:
    """Bring each suite of the project to what the code says; returns their names. Suites that the code doesn't have stay."""
    context = gx.get_context(mode="file", context_root_dir=project)
    for name, suite in SUITES.items():
        add_or_update(context, name, suite)
    return list(SUITES)


def add_or_update(context: FileDataContext, name: str, suite: Suite) -> None:
    """Write one suite."""
    kept = {_content(one): one.id for one in _existing(context, name)}
    # Not by add_expectation_configuration: of several expectations that a table has a column it keeps the last.
    made = gx.ExpectationSuite(
        name=name,
        notes=suite.notes,
        meta=dict(suite.meta),
        expectations=[
            {"type": f"expect_{one.type}", "kwargs": dict(one.kwargs), "notes": one.notes, "severity": one.severity, "meta": {}}
            for one in suite.expectations
        ],
    )
    for expectation in made.expectations:
        # Great Expectations takes an expectation with an id for another than the same without one, and would give a new one.
        expectation.id = kept.get(_content(expectation))
    context.suites.add_or_update(made)


def _existing(context: FileDataContext, name: str) -> list[Expectation]:
    return next((suite.expectations for suite in context.suites.all() if suite.name == name), [])


def _content(expectation: Expectation) -> str:
    configuration = expectation.configuration
    return json.dumps(
        [configuration.type, configuration.kwargs, configuration.notes, str(configuration.severity)], sort_keys=True
    )


if __name__ == "__main__":
    for name in create_expectations(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE):
        print(f"suites/{name}.json")
