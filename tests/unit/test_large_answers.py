"""Answers that take long to encode are encoded in a thread: what is large, and that it goes there."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.metrics import Metrics
from service.plan import ReadPlan, Shape, compile_plan
from service.routes.answer_forms import Form
from service.routes.arrow_bodies import ARROW
from service.routes.online_features import OnlineFeatures, Prepared
from service.settings import Settings
from service.vectors import PRESENT, Column
from tests.http.handmade.definitions import PROFILE, catalog

TIME = b'"2026-01-01T00:00:00Z"'


def plan_of(*features: str) -> ReadPlan:
    """A plan whose answer is made of columns."""
    return compile_plan(catalog(PROFILE), Shape(columns=("customer_id",), features=features, as_columns=True))


def columns_of(plan: ReadPlan, rows: int) -> list[Column]:
    """An answer to it."""
    values = {"INT64": 7, "STRING": "x", "MAP": {"a": 1}}
    return [Column([values[value_type]] * rows, [PRESENT] * rows, [TIME] * rows) for value_type in plan.types]


FORMS = [Form(ARROW), Form("application/json", "rows")]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_large_depends_on_all_that_is_encoded(form: Form) -> None:
    """Rows, features, statuses and times, and what is nested."""
    plain, nested = plan_of("profile:age"), plan_of("profile:extras")
    for plan in (plain, nested):
        form.answer(plan).encode(columns_of(plan, 1))  # loads pyarrow

    def most(of: Form, plan: ReadPlan) -> int:
        answer = of.answer(plan)
        assert answer.is_quick(1)
        return max(rows for rows in range(100_000) if answer.is_quick(rows))

    assert most(form, plain) > 1000
    assert most(form._replace(statuses=True), plain) < most(form, plain)
    assert most(form._replace(statuses=True, times=True), plain) < most(form._replace(times=True), plain)
    assert most(form, nested) < most(form, plan_of("profile:age", "profile:name")) < most(form, plain)
    assert most(form, nested) < most(form, plain) / 10


class Recorded:
    """An answer that says where it was encoded."""

    def __init__(self, most: int) -> None:
        self._most = most

    def is_quick(self, rows: int) -> bool:
        """Whether there are few rows."""
        return rows <= self._most

    def encode(self, columns: Sequence[Column]) -> bytes:
        """The thread's number."""
        return b"%d" % threading.get_ident()


class Columns:
    """A reader of what it was given."""

    def __init__(self, columns: list[Column]) -> None:
        self._columns = columns

    async def read_columns(self, plan: ReadPlan, entities: Mapping[str, Sequence[Any]]) -> list[Column]:
        """At once."""
        return self._columns


@pytest.mark.parametrize("rows", [5, 6])
async def test_what_is_large_is_encoded_in_a_thread(tmp_path: Path, rows: int) -> None:
    """Everything else where it is."""
    plan = plan_of("profile:age")
    metrics = Metrics(tmp_path)
    reads = OnlineFeatures(None, Columns(columns_of(plan, rows)), metrics, Settings())  # type: ignore[arg-type]
    prepared = Prepared(plan, Recorded(5))  # type: ignore[arg-type]
    answer = await reads._read_as(prepared, Form(ARROW), {})
    assert (answer.body == b"%d" % threading.get_ident()) == (rows == 5)
    assert answer.content_type == ARROW.encode()
    metrics.close()
