"""The models that the document is made from, and the struct that bodies are parsed with: two pictures of one body."""

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.errors import InvalidRequest
from service.routes.bodies import OnlineFeaturesBody, parse_body, parse_features
from service.routes.models import OnlineFeaturesRequest
from tests.http.handmade.examples import examples

SCHEMA = jsonschema_rs.validator_for(OnlineFeaturesRequest.model_json_schema())
GOOD: dict[str, Any] = {"entities": {"customer_id": [1]}, "features": ["profile:age"]}

ACCEPTED: list[dict[str, Any]] = [
    GOOD,
    {"entities": {}},
    {"entities": {"a": [], "b": [None, 1.5, "x", True, [1], {"a": 1}]}},
    {"entities": {}, "features": []},
    {"entities": {}, "feature_service": "shopper"},
    {"entities": {}, "feature_service": None},
    {"entities": {}, "feature_service": ""},
    {**GOOD, "feature_service": "shopper"},
    {**GOOD, "full_feature_names": True, "include_feature_view_version_metadata": False},
    {"entities": {"": [1]}, "features": ["", "no reference"]},
]
REFUSED: list[Any] = [
    None,
    [],
    "x",
    1,
    {},
    {"features": ["profile:age"]},
    {"entities": None},
    {"entities": []},
    {"entities": {"customer_id": 1}},
    {"entities": {"customer_id": None}},
    {"entities": {"customer_id": {"val": [1]}}},
    {**GOOD, "features": None},
    {**GOOD, "features": "profile:age"},
    {**GOOD, "features": {}},
    {**GOOD, "features": [1]},
    {**GOOD, "features": [None]},
    {**GOOD, "features": [["profile:age"]]},
    {**GOOD, "feature_service": 1},
    {**GOOD, "feature_service": ["shopper"]},
    {**GOOD, "full_feature_names": "true"},
    {**GOOD, "full_feature_names": 1},
    {**GOOD, "full_feature_names": None},
    {**GOOD, "include_feature_view_version_metadata": "no"},
    {**GOOD, "include_feature_view_version_metadata": None},
    {**GOOD, "unknown": 1},
    {**GOOD, "Entities": {}},
]


def struct_accepts(body: Any) -> bool:
    """Whether the service takes a body's fields for right."""
    data = json.dumps(body).encode()
    try:
        parse_features(parse_body(data), data)
    except InvalidRequest:
        return False
    return True


def model_accepts(body: Any) -> bool:
    """Whether the model does."""
    try:
        OnlineFeaturesRequest.model_validate_json(json.dumps(body), strict=True)
    except ValidationError:
        return False
    return True


def test_both_have_the_same_fields() -> None:
    """Under the same names, in the same order."""
    assert [field.name for field in msgspec.structs.fields(OnlineFeaturesBody)] == list(OnlineFeaturesRequest.model_fields)


def test_both_have_the_same_defaults() -> None:
    """And need the same fields to be there."""
    body = parse_body(b'{"entities":{}}')
    model = OnlineFeaturesRequest(entities={})
    for name, field in OnlineFeaturesRequest.model_fields.items():
        (twin,) = [each for each in msgspec.structs.fields(OnlineFeaturesBody) if each.name == name]
        assert twin.required == field.is_required()
        value = list(parse_features(body, b"")) if name == "features" else getattr(body, name)
        assert value == getattr(model, name)


@pytest.mark.parametrize("body", ACCEPTED, ids=json.dumps)
def test_both_accept(body: Any) -> None:
    """And the document with them."""
    assert (struct_accepts(body), model_accepts(body), SCHEMA.is_valid(body)) == (True, True, True)


@pytest.mark.parametrize("body", REFUSED, ids=json.dumps)
def test_both_refuse(body: Any) -> None:
    """And the document with them."""
    assert (struct_accepts(body), model_accepts(body), SCHEMA.is_valid(body)) == (False, False, False)


def test_the_examples_in_the_document_are_right() -> None:
    """They are what a reader tries first."""
    examples_shown = OnlineFeaturesRequest.model_json_schema()["examples"]
    assert examples_shown
    for body in examples_shown:
        assert (struct_accepts(body), model_accepts(body), SCHEMA.is_valid(body)) == (True, True, True)


TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)
FIELDS = st.sampled_from([*OnlineFeaturesRequest.model_fields, "other"])


@examples(300)
@given(
    body=st.one_of(st.dictionaries(FIELDS, JSON), st.fixed_dictionaries({"entities": st.dictionaries(TEXT, st.lists(JSON))}))
)
def test_both_agree_on_any_body(body: Any) -> None:
    """Whatever it is."""
    verdicts = {struct_accepts(body), model_accepts(body), SCHEMA.is_valid(body)}
    assert len(verdicts) == 1
