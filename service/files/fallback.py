"""What only Great Expectations can evaluate: asked in a process of its own, which reads the file with pandas.

Not in the processes of `service.suites.gx_pool`: these are sent values, and what a file's columns are would be lost on the way.
"""

import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.errors import ValidationUnavailable
from service.files.exactness import columns_in
from service.suites.errors import ParameterError
from service.suites.expectation import Expectation
from service.suites.gx_messages import frame_request, parse_answer, receive

MODULE = "service.files.gx_file"
_ABOUT_COLUMNS = ("expect_column_", "expect_compound_columns_", "expect_multicolumn_", "expect_select_column_")


def ask_gx(
    path: Path,
    names: Sequence[str],
    expectations: Sequence[Expectation],
    parameters: Mapping[str, Any],
    result_format: str | Mapping[str, Any],
) -> list[dict[str, Any]]:
    """GX's result of each expectation on a file, whose columns have these names.

    Raises ParameterError, and ValidationUnavailable when there is no answer.
    """
    request = frame_request(
        "validate",
        path=str(path),
        columns=_columns(names, expectations),
        expectations=[configuration(one) for one in expectations],
        parameters=dict(parameters),
        result_format=result_format if isinstance(result_format, str) else dict(result_format),
    )
    process = subprocess.run([sys.executable, "-m", MODULE], input=request, capture_output=True, check=False)
    body = receive(io.BytesIO(process.stdout)) if process.stdout else None
    if body is None:
        how = f"was killed by signal {-process.returncode}" if process.returncode < 0 else "ended"
        raise ValidationUnavailable(f"Great Expectations {how} before it answered; did it have enough memory for {path}?")
    answer = parse_answer(body)
    if "refused" in answer and answer["field"] == "expectation_parameters":
        raise ParameterError.because(answer["refused"], answer["field"])
    if "answer" not in answer:
        raise ValidationUnavailable(f"Great Expectations can't judge {path}: {answer.get('refused') or answer.get('failed')}")
    results: list[dict[str, Any]] = answer["answer"]
    return results


def _columns(names: Sequence[str], expectations: Sequence[Expectation]) -> list[str] | None:
    """The columns that have to be read; None for all, where an expectation doesn't say which it is about."""
    wanted: set[str] = set()
    for one in expectations:
        found = columns_in(one.kwargs, names)
        if not one.type.startswith(_ABOUT_COLUMNS) or one.kwargs.get("row_condition") or not found:
            return None
        wanted.update(found)
    return [name for name in names if name in wanted]


def configuration(expectation: Expectation) -> dict[str, Any]:
    """An expectation as a suite's file has it."""
    parts = {"id": expectation.id, "notes": expectation.notes, "description": expectation.description}
    return {
        "type": expectation.type,
        "kwargs": dict(expectation.kwargs),
        "meta": dict(expectation.meta),
        "severity": expectation.severity,
        **{name: value for name, value in parts.items() if value is not None},
    }
