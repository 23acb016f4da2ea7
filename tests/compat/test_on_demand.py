"""On-demand views: computed by both from the same functions, with true statuses and times by ours."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from pipelines.local.redis import EmbeddedRedis

from .functions import on_demand_views
from .kiosk import ABSENT, EXPIRED, FRESH, NULLS, OK, Kiosk, open_kiosk, row

pytestmark = pytest.mark.filterwarnings("ignore:On demand feature view is an experimental feature:RuntimeWarning")

NOT_FOUND = httpx.codes.NOT_FOUND
REFUSED = httpx.codes.UNPROCESSABLE_ENTITY
BROKEN = httpx.codes.INTERNAL_SERVER_ERROR
BOTH = (OK, OK)
OLDER, NEWER = "2026-01-19T10:00:00Z", "2026-01-20T10:00:00Z"
EPOCH = "1970-01-01T00:00:00Z"
MODES = {"pandas": "pandas_view:in_pandas", "python": "python_view:in_python"}


@pytest.fixture(scope="module")
def opened_workshop(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    """The kiosk's registry with on-demand views, served by both."""
    with open_kiosk(tmp_path_factory.mktemp("workshop"), redis, on_demand_views) as opened:
        yield opened


@pytest.fixture
def workshop(opened_workshop: Kiosk) -> Kiosk:
    """The same, with the kiosk's rows."""
    opened_workshop.fill()
    return opened_workshop


def vector(answer: httpx.Response, name: str) -> dict[str, list[Any]]:
    """The vector of a name."""
    body = answer.json()
    found: dict[str, list[Any]] = body["results"][body["metadata"]["feature_names"].index(name)]
    return found


@pytest.mark.parametrize("mode", MODES)
def test_modes(workshop: Kiosk, mode: str) -> None:
    """The same value of a fresh row."""
    answers = workshop.read(features=[MODES[mode]])
    assert answers.statuses == BOTH
    name = MODES[mode].partition(":")[2]
    assert [vector(answer, name)["values"] for answer in answers] == [[1.0], [1.0]]


def test_singletons(workshop: Kiosk) -> None:
    """Row by row. Stock: only the first row has a value, and the vectors have different lengths."""
    answers = workshop.read(features=["singleton_view:single"], entities={"customer_id": [FRESH, FRESH, NULLS]})
    assert answers.statuses == BOTH
    assert vector(answers.stock, "single")["values"] == [1.0]
    assert vector(answers.ours, "single")["values"] == [1.0, 1.0, None]


def test_statuses_of_computed_values(workshop: Kiosk) -> None:
    """The worst of its inputs'. Stock: PRESENT, also where the inputs are too old or not there."""
    customers = [FRESH, EXPIRED, NULLS, ABSENT]
    answers = workshop.read(features=["python_view:in_python"], entities={"customer_id": customers})
    theirs, ours = (vector(answer, "in_python") for answer in answers)
    assert (theirs["values"], theirs["statuses"]) == ([1.0, 1.0, None, None], ["PRESENT"] * 4)
    assert ours["values"] == [1.0, None, None, None]
    assert ours["statuses"] == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"]


def test_event_times_of_computed_values(workshop: Kiosk) -> None:
    """The oldest of its inputs'. Stock: 1970."""
    answers = workshop.read(features=["visits:score", "python_view:in_python"])
    assert vector(answers.stock, "in_python")["event_timestamps"] == [EPOCH]
    assert vector(answers.ours, "in_python")["event_timestamps"] == vector(answers.ours, "score")["event_timestamps"]


def test_request_data(workshop: Kiosk) -> None:
    """Under entities, beside join keys, and not answered."""
    answers = workshop.read(features=["request_view:share"], entities={"customer_id": [FRESH], "amount": [3.0]})
    for answer in answers:
        assert answer.json()["metadata"]["feature_names"] == ["customer_id", "share"]
        assert vector(answer, "share")["values"] == [1.5]


def test_request_data_alone(workshop: Kiosk) -> None:
    """Without an entity. Its time: of the request; stock's 1970."""
    answers = workshop.read(features=["request_alone_view:twice"], entities={"amount": [3.0]})
    theirs, ours = (vector(answer, "twice") for answer in answers)
    assert theirs["values"] == ours["values"] == [6.0]
    assert theirs["event_timestamps"] == [EPOCH]
    assert datetime.now(UTC).isoformat()[:4] == ours["event_timestamps"][0][:4]


def test_request_data_that_are_missing(workshop: Kiosk) -> None:
    """Stock: 404."""
    answers = workshop.read(features=["request_view:share"])
    assert answers.statuses == (NOT_FOUND, REFUSED)
    assert answers.ours.json()["errors"][0]["field"] == "entities.amount"


def test_request_data_of_another_type(workshop: Kiosk) -> None:
    """Stock: 500 with what Python says of it."""
    answers = workshop.read(features=["request_view:share"], entities={"customer_id": [FRESH], "amount": ["much"]})
    assert answers.statuses == (BROKEN, REFUSED)
    error = answers.ours.json()["errors"][0]
    assert (error["field"], error["row"]) == ("entities.amount", 0)


def test_globals_and_imports(workshop: Kiosk) -> None:
    """A function keeps what it uses. Stock: NameError, since it is rebuilt from its text."""
    answers = workshop.read(features=["global_view:rooted"])
    assert answers.statuses == (BROKEN, OK)
    assert answers.stock.json() == "name 'math' is not defined"
    assert vector(answers.ours, "rooted")["values"] == [pytest.approx(3 * 0.5**0.5)]


def test_a_function_that_raises(workshop: Kiosk) -> None:
    """500 of both; stock's body is the exception's text, with whatever data is in it."""
    answers = workshop.read(features=["broken_view:broken"])
    assert answers.statuses == (BROKEN, BROKEN)
    assert "of customer 17" in answers.stock.text
    assert "customer 17" not in answers.ours.text
    assert "broken_view raises ValueError" in answers.ours.json()["detail"]


def test_a_feature_that_a_function_forgets(workshop: Kiosk) -> None:
    """Stock: 200 without it."""
    answers = workshop.read(features=["forgetful_view:missing"])
    assert answers.statuses == (OK, BROKEN)
    assert answers.stock.json()["metadata"]["feature_names"] == ["customer_id"]
    assert "doesn't give missing" in answers.ours.json()["detail"]


def test_full_names(workshop: Kiosk) -> None:
    """Stock loses the computed feature."""
    answers = workshop.read(features=["visits:count", "python_view:in_python"], full_feature_names=True)
    theirs, ours = (answer.json()["metadata"]["feature_names"] for answer in answers)
    assert theirs == ["customer_id", "visits__count"]
    assert ours == ["customer_id", "visits__count", "python_view__in_python"]


def inputs(**changes: Any) -> dict[str, Any]:
    """A row of what kept_view is computed from."""
    return row(FRESH, created=None, **changes)


def test_kept_views(workshop: Kiosk) -> None:
    """Computed when they are written, and then read."""
    assert workshop.write(feature_view_name="kept_view", df=inputs(score=[2.0])).statuses == BOTH
    answers = workshop.read(features=["kept_view:kept"])
    assert [vector(answer, "kept")["values"] for answer in answers] == [[4.0], [4.0]]


def test_times_of_kept_views(workshop: Kiosk) -> None:
    """The row's, and the newest stays. Stock: the moment of the write, so that an older row replaces a newer one."""
    for score, time in ((2.0, NEWER), (3.0, OLDER)):
        df = inputs(score=[score], event_timestamp=[time])
        assert workshop.write(feature_view_name="kept_view", df=df).statuses == BOTH
    theirs, ours = (vector(answer, "kept") for answer in workshop.read(features=["kept_view:kept"]))
    assert theirs["values"] == [6.0]
    assert theirs["event_timestamps"] > [NEWER]
    assert (ours["values"], ours["event_timestamps"]) == ([4.0], [NEWER])


def test_transform_on_write(workshop: Kiosk) -> None:
    """With false the rows are what the function would have given."""
    df = inputs(score=None, count=None, kept=[9.0])
    assert workshop.write(feature_view_name="kept_view", df=df, transform_on_write=False).statuses == BOTH
    answers = workshop.read(features=["kept_view:kept"])
    assert [vector(answer, "kept")["values"] for answer in answers] == [[9.0], [9.0]]


def test_writing_to_a_view_that_is_not_kept(workshop: Kiosk) -> None:
    """It is computed when it is read. Stock: 500."""
    answers = workshop.write(feature_view_name="python_view", df=inputs())
    assert answers.statuses == (BROKEN, REFUSED)
    assert "write_to_online_store" in answers.ours.json()["detail"]


def test_a_push_to_the_inputs_computes_nothing(workshop: Kiosk) -> None:
    """Of a kept view: it is written on its own."""
    assert workshop.push(df=row(FRESH, score=[2.0])).statuses == BOTH
    answers = workshop.read(features=["kept_view:kept"])
    assert [vector(answer, "kept")["values"] for answer in answers] == [[None], [None]]
    assert vector(answers.ours, "kept")["statuses"] == ["NOT_FOUND"]


def test_a_view_of_a_computed_view(workshop: Kiosk) -> None:
    """Refused, and told what to do. Stock: null, or 500 if both are asked for."""
    answers = workshop.read(features=["chained_view:plus_one"])
    assert answers.statuses == (OK, httpx.codes.NOT_IMPLEMENTED)
    assert vector(answers.stock, "plus_one")["values"] == [None]
    assert "write_to_online_store=True" in answers.ours.json()["detail"]
    assert workshop.read(features=["python_view:in_python", "chained_view:plus_one"]).stock.status_code == BROKEN


def test_a_view_of_a_kept_view(workshop: Kiosk) -> None:
    """Read like any other source."""
    workshop.write(feature_view_name="kept_view", df=inputs(score=[2.0]))
    answers = workshop.read(features=["chained_kept_view:and_one"])
    assert [vector(answer, "and_one")["values"] for answer in answers] == [[5.0], [5.0]]
