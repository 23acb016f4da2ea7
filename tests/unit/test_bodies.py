"""Bodies: what is accepted, and what is said of each that isn't."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import MAX_PROBLEMS, InvalidRequest, MalformedRequest
from service.routes.bodies import parse_body, parse_features
from tests.http.handmade.examples import examples

GOOD = {"entities": {"customer_id": [1]}, "features": ["profile:age"]}


def parsed(body: dict[str, Any]) -> Any:
    """A body as the service has it."""
    return parse_body(json.dumps(body).encode())


def refused(data: bytes) -> InvalidRequest:
    """The error that a body leads to, whether it shows at once or when its features are looked at."""
    with pytest.raises(InvalidRequest) as caught:
        parse_features(parse_body(data), data)
    return caught.value


def told(data: bytes) -> list[str] | None:
    """The messages for a body, None when it is right."""
    try:
        parse_features(parse_body(data), data)
    except InvalidRequest as error:
        return [problem.message for problem in error.problems if problem.message]
    return None


def problems(change: dict[str, Any]) -> dict[str | None, str]:
    """The messages for a body that is good but for a change, by field."""
    error = refused(json.dumps({**GOOD, **change}).encode())
    assert not isinstance(error, MalformedRequest)
    return {problem.field: problem.message for problem in error.problems}


def test_what_is_left_out_has_feasts_defaults() -> None:
    """Only entities must be there; whether features are is looked at later."""
    body = parsed({"entities": {}})
    assert (body.entities, body.feature_service) == ({}, None)
    assert (body.full_feature_names, body.include_feature_view_version_metadata) == (False, False)
    assert parse_features(body, b"") == ()


def test_everything_that_can_be_said() -> None:
    """Each field reaches its place."""
    body = parsed(
        {
            **GOOD,
            "feature_service": "shopper",
            "full_feature_names": True,
            "include_feature_view_version_metadata": True,
        }
    )
    assert body.entities == {"customer_id": [1]}
    assert body.feature_service == "shopper"
    assert body.full_feature_names
    assert body.include_feature_view_version_metadata
    assert parse_features(body, b"") == ("profile:age",)


def test_columns_keep_their_order() -> None:
    """It is the order of the answer."""
    names = [f"key_{number}" for number in (3, 1, 2)]
    assert list(parsed({"entities": {name: [] for name in names}}).entities) == names


@examples(100)
@given(references=st.lists(st.text(st.characters(codec="utf-8")), max_size=5), ascii_only=st.booleans())
def test_references_come_through_whole(references: list[str], ascii_only: bool) -> None:
    """All of Unicode, escaped or not."""
    data = json.dumps({"entities": {}, "features": references}, ensure_ascii=ascii_only).encode()
    assert parse_features(parse_body(data), data) == tuple(references)


@examples(100)
@given(ids=st.lists(st.one_of(st.integers(-(2**80), 2**80), st.text(st.characters(codec="utf-8")), st.none(), st.booleans())))
def test_ids_come_as_they_were_sent(ids: list[Any]) -> None:
    """Their types are looked at later, and told by row."""
    assert json.dumps(parsed({"entities": {"customer_id": ids}}).entities["customer_id"]) == json.dumps(ids)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"entities": None}, "entities", "not null"),
        ({"entities": [1]}, "entities", "an object of columns, each a list of ids, not a list"),
        ({"entities": {"customer_id": 1}}, "entities.customer_id", "must be a list of ids, one for each row, not the number 1"),
        ({"entities": {"customer_id": "1001"}}, "entities.customer_id", 'not the string "1001"'),
        ({"entities": {"customer_id": {"val": [1]}}}, "entities.customer_id", "not an object"),
        ({"entities": {"customer_id": None}}, "entities.customer_id", "not null"),
        ({"features": "profile:age"}, "features", 'a list of "view:feature" strings, not the string "profile:age"'),
        ({"features": None}, "features", "not null"),
        ({"features": {}}, "features", "not an object"),
        ({"features": ["profile:age", 5]}, "features[1]", '"view:feature", not the number 5'),
        ({"features": [["profile:age"]]}, "features[0]", "not a list"),
        ({"features": [None]}, "features[0]", "not null"),
        ({"feature_service": 5}, "feature_service", "a string, not the number 5"),
        ({"feature_service": ["shopper"]}, "feature_service", "a string, not a list"),
        ({"full_feature_names": "true"}, "full_feature_names", 'true or false, not the string "true"'),
        ({"full_feature_names": 1}, "full_feature_names", "true or false, not the number 1"),
        ({"full_feature_names": None}, "full_feature_names", "true or false, not null"),
        ({"include_feature_view_version_metadata": 0}, "include_feature_view_version_metadata", "true or false"),
        ({"feature": ["profile:age"]}, "feature", "isn't known. Did you mean features?"),
        ({"full_feature_name": True}, "full_feature_name", "Did you mean full_feature_names?"),
        ({"zzz": 1}, "zzz", "Known are entities, features, feature_service"),
        ({"entity_rows": []}, "entity_rows", "isn't known"),
    ],
)
def test_a_field_that_is_not_right_is_told(change: dict[str, Any], field: str, said: str) -> None:
    """By name, with what came and what would be right."""
    told = problems(change)
    assert list(told) == [field]
    assert said in told[field]


def test_entities_must_be_there() -> None:
    """Even for views that need no ids: an empty object then."""
    (problem,) = refused(b'{"features":["profile:age"]}').problems
    assert problem.field == "entities"
    assert "missing" in problem.message


def test_all_that_is_wrong_is_told_at_once() -> None:
    """One answer, not one a try."""
    told = problems({"entities": {"a": 1, "b": [1]}, "features": [1], "feature_service": 2, "full_feature_names": 3, "x": 4})
    assert list(told) == ["x", "entities.a", "features[0]", "feature_service", "full_feature_names"]


@pytest.mark.parametrize(
    ("body", "what"), [("null", "null"), ("[]", "a list"), ("5", "the number 5"), ('"x"', 'the string "x"'), ("true", "true")]
)
def test_a_body_that_is_no_object_is_told_what_it_is(body: str, what: str) -> None:
    """JSON, but not what can be asked."""
    (problem,) = refused(body.encode()).problems
    assert (problem.field, problem.message) == (None, f"The body must be a JSON object, not {what}.")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b'{"entities":{"customer_id":[1]},"features":["profile:age"]',
        b'{"entities":{"customer_id":[1,]}}',
        b'{"entities":{"customer_id":[01]}}',
        b'{"entities":{"customer_id":[NaN]}}',
        b'{"entities":{"customer_id":[Infinity]}}',
        b"{'entities':{}}",
        b'{"entities":{}} trailing',
        b"entities=1",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"entities":{"customer_id":["\xff"]}}',
        b'{"entities":{"\xff":[1]}}',
        b'{"entities":{},"features":["\xff:a"]}',
        b'{"entities":{},"features":["\\x:a"]}',
        b'{"entities":{},"features":["\\ud800:a"]}',
        b'{"entities":{"customer_id":["\\udc00"]}}',
        b'{"entities":{"\\ud800":[1]}}',
        b'{"entities":{},"feature_service":"\xff"}',
        b'{"entities":{},"\xff":1}',
        b'{"entities":{},"features":["a\x00:b"]}',
    ],
)
def test_what_is_not_json_is_malformed(data: bytes) -> None:
    """Wherever the fault lies, in features too, whose bytes are kept as they come."""
    error = refused(data)
    assert isinstance(error, MalformedRequest)
    assert str(error).startswith(("The body isn't JSON: ", "The body isn't UTF-8."))


@pytest.mark.parametrize("opening", ["[", '{"entities":', '{"entities":{"a":[', '{"entities":{},"features":[', '{"a":['])
@pytest.mark.parametrize("nested", ["[", '{"a":'])
def test_deep_nesting_is_malformed(opening: str, nested: str) -> None:
    """Wherever it begins; neither the stack nor the clock gives out."""
    error = refused((opening + nested * 500_000).encode())
    assert isinstance(error, MalformedRequest)
    assert "nested too deeply" in str(error)


@pytest.mark.parametrize("number", ["1e400", "-1e999999", "9" * 5000, "-" + "9" * 5000])
@pytest.mark.parametrize(
    "body", ['{{"entities":{{"customer_id":[{}]}}}}', '{{"entities":{{}},"features":[{}]}}', '{{"entities":{}}}', "{}"]
)
def test_a_number_out_of_range_is_told(body: str, number: str) -> None:
    """JSON allows it, no machine number holds it."""
    error = refused(body.format(number).encode())
    assert not isinstance(error, MalformedRequest)
    assert "out of range" in str(error)


def test_of_a_field_given_twice_the_last_counts() -> None:
    """As in any JSON parser that users have met."""
    body = parse_body(b'{"entities":{"a":[1],"a":[2]},"entities":{"b":[3],"b":[4]},"features":["x:y"],"features":["z:z"]}')
    assert body.entities == {"b": [4]}
    assert parse_features(body, b"") == ("z:z",)


def test_of_a_field_given_twice_the_first_must_be_right_too() -> None:
    """It isn't what the answer would be about, so there is nothing else to tell."""
    assert "more than once" in str(refused(b'{"entities":null,"entities":{}}'))


@pytest.mark.parametrize(
    "data",
    [
        b'{"entities":{},"features":[' + b",".join([b"0"] * 100_000) + b"]}",
        b"{" + b",".join(b'"f%d":0' % number for number in range(100_000)) + b"}",
        b'{"entities":{' + b",".join(b'"f%d":0' % number for number in range(100_000)) + b"}}",
        b'{"entities":{},"' + b"x" * 1_000_000 + b'":0}',
        b'{"entities":{"' + b"x" * 1_000_000 + b'":0}}',
        b'{"entities":{},"feature_service":' + b"5" * 1_000 + b"}",
        b'{"entities":{},"full_feature_names":"' + b"x" * 1_000_000 + b'"}',
    ],
    ids=["features", "fields", "columns", "long field", "long column", "long number", "long string"],
)
def test_what_is_told_stays_short(data: bytes) -> None:
    """However much is wrong."""
    error = refused(data)
    assert len(error.problems) <= MAX_PROBLEMS
    assert len(str(error)) + sum(len(problem.field or "") for problem in error.problems) < 20_000


ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"))),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(st.characters(codec="utf-8")), inner)),
    max_leaves=10,
)
KNOWN_FIELDS = st.sampled_from([*GOOD, "feature_service", "full_feature_names", "include_feature_view_version_metadata"])


@examples(300)
@given(body=st.one_of(ANY_JSON, st.dictionaries(KNOWN_FIELDS, ANY_JSON)))
def test_any_json_is_parsed_or_told(body: Any) -> None:
    """Nothing but an InvalidRequest with something in it comes out of a body."""
    assert told(json.dumps(body).encode()) != []


@examples(300)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_parsed_or_told(data: bytes) -> None:
    """Nor out of bytes that aren't JSON, alone or inside a body."""
    for body in (data, b'{"entities":{"a":[%s]}}' % data, b'{"entities":{},"features":%s}' % data):
        assert told(body) != []
