"""The models that the document is made from, and the structs that bodies are parsed with: two pictures of one body."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from service.errors import InvalidRequest
from service.routes.bodies import OnlineFeaturesBody, parse_body, parse_features
from service.routes.models import OnlineFeaturesRequest
from service.routes.push_bodies import PushBody, ValidateBody, WriteBody, parse_push, parse_validate, parse_write
from service.routes.push_models import PushBodyModel, ValidateBodyModel, WriteBodyModel
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


class Twins(NamedTuple):
    """A body that brings rows: as it is parsed, and as it is documented; the fields that it can't be without."""

    struct: type[msgspec.Struct]
    parse: Callable[[bytes], Any]
    model: type[BaseModel]
    least: dict[str, Any]

    def verdicts(self, body: Any) -> tuple[bool, bool, bool]:
        """Whether the parser, the model and the document's schema take a body for right."""
        data = json.dumps(body).encode()
        try:
            self.parse(data)
            parsed = True
        except InvalidRequest:
            parsed = False
        try:
            self.model.model_validate_json(data, strict=True)
            modelled = True
        except ValidationError:
            modelled = False
        return parsed, modelled, jsonschema_rs.validator_for(self.model.model_json_schema()).is_valid(body)


TWINS = {
    "push": Twins(PushBody, parse_push, PushBodyModel, {"push_source_name": "x"}),
    "write": Twins(WriteBody, parse_write, WriteBodyModel, {"feature_view_name": "x"}),
    "validate": Twins(ValidateBody, parse_validate, ValidateBodyModel, {}),
}
OF_ROWS: list[dict[str, Any]] = [
    {},
    {"df": None},
    {"df": {}},
    {"df": {"a": [], "b": [None, 1.5, "x", True, [1], {"a": 1}]}},
    {"rows": None},
    {"rows": []},
    {"rows": [{}, {"a": None, "b": [1]}]},
    {"df": {"a": [1]}, "rows": [{"a": 1}]},
    *[{"timestamp_unit": unit} for unit in ("s", "ms", "us", "ns", None)],
]
NOT_OF_ROWS: list[dict[str, Any]] = [
    {"df": []},
    {"df": {"a": 1}},
    {"df": {"a": None}},
    {"df": "x"},
    {"rows": {}},
    {"rows": [1]},
    {"rows": [None]},
    {"rows": [[]]},
    {"timestamp_unit": "h"},
    {"timestamp_unit": 1},
    {"timestamp_unit": ""},
    {"unknown": 1},
    {"DF": {}},
]
FLAGS = [(name, value) for name in ("allow_registry_cache", "transform_on_write") for value in (True, False)]
NO_FLAGS = [(name, value) for name in ("allow_registry_cache", "transform_on_write") for value in (None, 1, "true")]
OF_ONE: dict[str, list[dict[str, Any]]] = {
    "push": [*[{"to": to} for to in ("online", "offline", "online_and_offline")], *[dict([flag]) for flag in FLAGS]],
    "write": [dict([flag]) for flag in FLAGS],
    "validate": [
        {"suite": None},
        {"suite": ""},
        {"push_source": "x", "suite": "x"},
        *[{"result_format": form} for form in ("BASIC", "anything", {}, {"result_format": "BASIC", "x": [1]})],
        {"expectation_parameters": {}},
        {"expectation_parameters": {"a": None, "b": {"c": [1]}}},
    ],
}
NOT_OF_ONE: dict[str, list[dict[str, Any]]] = {
    "push": [
        *[{"push_source_name": name} for name in (None, 1, ["x"])],
        *[{"to": to} for to in (None, "x", "", 1)],
        *[dict([flag]) for flag in NO_FLAGS],
        {"feature_view_name": "x"},
    ],
    "write": [
        *[{"feature_view_name": name} for name in (None, 1, ["x"])],
        *[dict([flag]) for flag in NO_FLAGS],
        {"to": "online"},
    ],
    "validate": [
        *[{"suite": name} for name in (1, ["x"])],
        *[{"push_source": name} for name in (1, {})],
        *[{"result_format": form} for form in (None, 1, [])],
        *[{"expectation_parameters": parameters} for parameters in (None, [], "x")],
    ],
}


@pytest.mark.parametrize("name", TWINS)
def test_both_have_the_same_fields_for_rows(name: str) -> None:
    """Under the same names, needed or with the same defaults."""
    twins = TWINS[name]
    fields = {field.name: field for field in msgspec.structs.fields(twins.struct)}
    assert set(fields) == set(twins.model.model_fields)
    body, model = twins.parse(json.dumps(twins.least).encode()), twins.model(**twins.least)
    for field_name, field in twins.model.model_fields.items():
        assert fields[field_name].required == field.is_required()
        assert getattr(body, field_name) == getattr(model, field_name)


@pytest.mark.parametrize(("name", "body"), [(name, body) for name in TWINS for body in OF_ROWS + OF_ONE[name]], ids=str)
def test_both_accept_rows(name: str, body: dict[str, Any]) -> None:
    """And the document with them."""
    assert TWINS[name].verdicts(TWINS[name].least | body) == (True, True, True)


@pytest.mark.parametrize(("name", "body"), [(name, body) for name in TWINS for body in NOT_OF_ROWS + NOT_OF_ONE[name]], ids=str)
def test_both_refuse_rows(name: str, body: dict[str, Any]) -> None:
    """And the document with them."""
    assert TWINS[name].verdicts(TWINS[name].least | body) == (False, False, False)


@pytest.mark.parametrize("name", ["push", "validate"])
def test_the_examples_of_rows_in_the_document_are_right(name: str) -> None:
    """They are what a producer tries first."""
    shown = TWINS[name].model.model_json_schema()["examples"]
    assert shown
    for body in shown:
        assert TWINS[name].verdicts(body) == (True, True, True)


@pytest.mark.parametrize("name", TWINS)
@examples(150)
@given(data=st.data())
def test_both_agree_on_any_rows(name: str, data: st.DataObject) -> None:
    """Whatever the body is."""
    fields = st.sampled_from([*TWINS[name].model.model_fields, "other"])
    body = data.draw(st.one_of(st.dictionaries(fields, JSON), st.just(TWINS[name].least)))
    if data.draw(st.booleans()):
        body = body | TWINS[name].least
    assert len(set(TWINS[name].verdicts(body))) == 1
