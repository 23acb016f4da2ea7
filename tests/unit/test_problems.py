"""Errors as answers: each class has its status, in both forms that a body can have."""

import json
import logging
import re
from typing import Any

import feast.errors
import pytest
from feast.errors import FeastError

from service import errors
from service.errors import InvalidRequest, Problem, UnknownName
from service.routes.problems import STATUSES, Answer, ProblemAnswers

RETRY_AFTER = 7
PROBLEM = ProblemAnswers("problem", RETRY_AFTER)
FEAST = ProblemAnswers("feast", RETRY_AFTER)

# One of each class, with its status and the class of feast.errors that the SDK raises for it.
ERRORS: list[tuple[Exception, int, str]] = [
    (errors.MalformedRequest.because("bad"), 400, "FeastError"),
    (errors.UnknownName.because("bad", "features[0]"), 404, "FeatureViewNotFoundException"),
    (errors.UnknownName.because("bad", "feature_service"), 404, "FeatureServiceNotFoundException"),
    (errors.UnknownForm.because("bad", "Accept"), 406, "FeastError"),
    (errors.MaterializationRunning("bad", {"error": "bad", "feature_views": ["visits"], "id": "a"}), 409, "FeastError"),
    (errors.RequestTooLarge.because("bad"), 413, "FeastError"),
    (errors.RejectedRows([Problem("bad", "a", 1)], [{"row": 1, "outcome": "rejected", "reasons": ["bad"]}]), 422, "FeastError"),
    (errors.FeatureNameCollision.because("bad", "features"), 422, "FeatureNameCollisionError"),
    (errors.InvalidRequest.because("bad", "entities.customer_id", 3), 422, "FeastError"),
    (errors.UnreadableValue("bad"), 500, "FeastError"),
    (errors.ComputationFailed("view", "function", "raises ValueError", 3), 500, "FeastError"),
    (errors.ComputationTimeout("bad"), 504, "FeastError"),
    (errors.NotMaterialized("bad"), 500, "FeastError"),
    (errors.NotSupported("bad"), 501, "FeastError"),
    (errors.Overloaded("bad"), 503, "FeastError"),
    (errors.CatalogUnavailable("bad"), 503, "FeastError"),
    (errors.SourceUnavailable("bad"), 503, "FeastError"),
    (errors.MaterializationInterrupted("bad"), 503, "FeastError"),
    (errors.StoreUnavailable("bad"), 503, "FeastError"),
    (errors.StoreTimeout("bad"), 503, "FeastError"),
    (errors.WriteUnconfirmed("bad", {"written": 1, "stale": 0, "unconfirmed": 1}), 503, "FeastError"),
    (errors.ValidationUnavailable("bad"), 503, "FeastError"),
    (errors.SuiteTimeout("bad"), 503, "FeastError"),
    (errors.ValidationMisconfigured("bad"), 503, "FeastError"),
    (ZeroDivisionError("secret"), 500, "FeastError"),
]


def parsed(answer: Answer) -> Any:
    """The body of an answer."""
    return json.loads(answer.body)


@pytest.mark.parametrize(("error", "status", "_"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_has_its_status(error: Exception, status: int, _: str) -> None:
    """In the answer and in the body of RFC 9457."""
    answer = PROBLEM.answer(error)
    body = parsed(answer)
    assert (answer.status, body["status"]) == (status, status)
    assert answer.content_type == b"application/problem+json"
    assert set(body) == {"type", "title", "status", "detail", "errors", *(getattr(error, "details", None) or {})}
    assert body["type"].startswith("urn:feature-service:")
    assert body["title"]
    assert body["detail"]


@pytest.mark.parametrize(("error", "status", "feast_class"), ERRORS, ids=lambda value: type(value).__name__)
def test_feasts_sdk_gets_its_own_exceptions_back(error: Exception, status: int, feast_class: str) -> None:
    """It parses the body as JSON, and the string in it as an error's description."""
    answer = FEAST.answer(error)
    assert (answer.status, answer.content_type) == (status, b"application/json")
    given_back = FeastError.from_error_detail(parsed(answer))
    assert type(given_back) is getattr(feast.errors, feast_class)
    assert str(given_back).endswith(str(error)) or isinstance(error, ZeroDivisionError)


def test_every_error_of_the_domain_is_foreseen() -> None:
    """A class added to service.errors needs its row in the table."""
    foreseen = {type(error) for error, _, _ in ERRORS}
    raised = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)}
    bases = {errors.FeatureServiceError, errors.Unavailable}
    assert raised - bases - {errors.ConfigurationError} <= foreseen  # the last ends the process instead
    assert {status for _, status, _ in ERRORS} == set(STATUSES)


@pytest.mark.parametrize("answers", [PROBLEM, FEAST], ids=["problem", "feast"])
def test_only_what_may_pass_asks_for_a_retry(answers: ProblemAnswers) -> None:
    """Retry-After on 503 and nowhere else."""
    for error, status, _ in ERRORS:
        headers = dict(answers.answer(error).headers)
        assert headers == ({b"retry-after": b"7"} if status == 503 else {})


def test_each_problem_is_told_with_field_and_row() -> None:
    """In order; null where none is meant. The detail has all of them, for those who read only that."""
    answer = PROBLEM.answer(
        InvalidRequest([Problem("One.", "entities.a", 3), Problem("Two.", "features[1]"), Problem("Three.")])
    )
    assert parsed(answer)["errors"] == [
        {"field": "entities.a", "row": 3, "message": "One."},
        {"field": "features[1]", "row": None, "message": "Two."},
        {"field": None, "row": None, "message": "Three."},
    ]
    assert all(message in parsed(answer)["detail"] for message in ("One.", "Two.", "Three."))


@pytest.mark.parametrize("answers", [PROBLEM, FEAST], ids=["problem", "feast"])
def test_an_error_of_ours_is_logged_under_the_number_that_is_told(
    answers: ProblemAnswers, caplog: pytest.LogCaptureFixture
) -> None:
    """The trace is for the log only."""
    try:
        raise ZeroDivisionError("a secret of the code")
    except ZeroDivisionError as error:
        answer = answers.answer(error)
    (number,) = re.findall(r"\b[0-9a-f]{32}\b", answer.body.decode())
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert number in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)
    assert "secret" not in answer.body.decode()


def test_each_error_of_ours_has_its_own_number() -> None:
    """So that two users' reports aren't mixed up."""
    assert PROBLEM.answer(ValueError()).body != PROBLEM.answer(ValueError()).body


def test_texts_come_through_json_whole() -> None:
    """Quotes, line ends and other scripts in a name that a user gave."""
    text = 'no view "a\\b"\n\u2028 ключ 🎉 </script>'
    assert parsed(PROBLEM.answer(UnknownName.because(text, "features[0]")))["errors"][0]["message"] == text
    assert str(FeastError.from_error_detail(parsed(FEAST.answer(UnknownName.because(text))))) == text


@pytest.mark.parametrize(("answers", "kind"), [(PROBLEM, dict), (FEAST, str)], ids=["problem", "feast"])
def test_what_the_framework_refuses_has_the_same_form(answers: ProblemAnswers, kind: type) -> None:
    """No such route, no such method."""
    answer = answers.plain(405, "Method Not Allowed", "GET /get-online-features: Method Not Allowed.")
    assert answer.status == 405
    assert isinstance(parsed(answer), kind)
    assert "GET /get-online-features" in answer.body.decode()
