"""Bodies that nobody would write: whatever comes, it is answered, and never by an error of the server."""

import json
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from .handmade.examples import examples
from .handmade.running import Running

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.one_of(
    st.integers(), st.integers(-(2**65), 2**65), st.floats(allow_nan=False, allow_infinity=False), st.integers(10**20, 10**40)
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
JSON = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)))
FIELDS = ["entities", "features", "feature_service", "full_feature_names", "include_feature_view_version_metadata"]
VIEWS = [
    "profile",
    "visits",
    "till",
    "visits_at",
    "everyone",
    "door",
    "room",
    "slot",
    "tariff",
    "tariff@v1",
    "disabled",
    "derived",
]
NAMES = ["age", "name", "score", "count", "total", "minutes", "rate", "opened", "seats", "free", "price", "x", "ratio", ""]
REFERENCES = st.one_of(st.builds("{}:{}".format, st.sampled_from(VIEWS), st.sampled_from(NAMES)), TEXT)
COLUMNS = st.sampled_from(["customer_id", "store_id", "store", "buyer_id", "badge_id", "room_id", "starts_at", "__dummy_id"])
IDS = st.lists(st.one_of(st.integers(-5, 5), SCALARS, st.sampled_from(["north", "AP8=", "2024-01-01"])), max_size=4)
# Bodies with the right names in them, so that they come further than their fields.
ALMOST = st.fixed_dictionaries(
    {"entities": st.one_of(st.dictionaries(st.one_of(COLUMNS, TEXT), IDS, max_size=3), JSON)},
    optional={
        "features": st.one_of(st.lists(REFERENCES, max_size=5), JSON),
        "feature_service": st.one_of(st.sampled_from(["shopper", "roles", "old_prices", "with_derived", "broken"]), SCALARS),
        "full_feature_names": st.one_of(st.booleans(), SCALARS),
        "include_feature_view_version_metadata": st.one_of(st.booleans(), SCALARS),
    },
)


def check(service: Running, body: bytes) -> None:
    """The answer to any body is JSON, and one that the table of errors foresees."""
    response = service.post(body)
    assert response.status_code in {200, 400, 404, 413, 422, 501}, (body, response.text)
    answer = response.json()
    if response.status_code != httpx.codes.OK:
        assert answer["status"] == response.status_code
        assert answer["detail"]
        return
    rows = {len(vector[part]) for vector in answer["results"] for part in ("values", "statuses", "event_timestamps")}
    assert len(rows) == 1
    assert len(answer["results"]) == len(answer["metadata"]["feature_names"])


@examples(150)
@given(body=JSON)
def test_any_json(service: Running, body: Any) -> None:
    """Of any shape."""
    check(service, json.dumps(body).encode())


@examples(150)
@given(body=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_under_the_right_names(service: Running, body: dict[str, Any]) -> None:
    """Each field anything."""
    check(service, json.dumps(body).encode())


@examples(400)
@given(body=ALMOST)
def test_almost_right_bodies(service: Running, body: dict[str, Any]) -> None:
    """Known names, unknown names, good and bad ids, in any combination."""
    check(service, json.dumps(body).encode())


@examples(150)
@given(data=st.binary(max_size=200))
def test_any_bytes(service: Running, data: bytes) -> None:
    """JSON or not."""
    check(service, data)


@examples(300)
@given(body=ALMOST, place=st.floats(0, 1), change=st.binary(min_size=1, max_size=3), replace=st.booleans())
def test_bodies_with_a_few_bytes_wrong(
    service: Running, body: dict[str, Any], place: float, change: bytes, replace: bool
) -> None:
    """Anything put in, or in the place of something, anywhere."""
    data = json.dumps(body, ensure_ascii=False).encode()
    start = int(place * len(data))
    check(service, data[:start] + change + data[start + (len(change) if replace else 0) :])


@examples(60)
@given(
    depth=st.integers(1, 3000),
    opening=st.sampled_from(["[", '{"a":']),
    around=st.sampled_from(
        ["{}", '{{"entities":{}}}', '{{"entities":{{"customer_id":{}}}}}', '{{"entities":{{}},"features":{}}}']
    ),
    closed=st.booleans(),
)
def test_nested_bodies(service: Running, depth: int, opening: str, around: str, closed: bool) -> None:
    """Shallow enough to be parsed, too deep for it, closed or cut off."""
    ending = {"[": "]", '{"a":': "1" + "}"}[opening]
    inner = opening * depth + (ending[:1] * (opening != "[") + ending[-1] * depth if closed else "")
    check(service, around.format(inner).encode())


@examples(150)
@given(pairs=st.lists(st.tuples(st.sampled_from([*FIELDS, "x"]), JSON), max_size=8))
def test_fields_given_again_and_again(service: Running, pairs: list[tuple[str, Any]]) -> None:
    """JSON allows it; the last counts, and nothing else happens."""
    check(service, ("{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}").encode())


@examples(100)
@given(
    text=st.text(st.one_of(st.characters(categories=["Cs", "Cc", "Co", "Cn"]), st.characters()), min_size=1, max_size=6),
    body=st.sampled_from(
        [
            '{{"entities":{{"store_id":[{0}]}},"features":["till:total"]}}',
            '{{"entities":{{{0}:["a"]}},"features":["till:total"]}}',
            '{{"entities":{{"store_id":["a"]}},"features":[{0}]}}',
            '{{"entities":{{"store_id":["a"]}},"feature_service":{0}}}',
            '{{"entities":{{"store_id":["a"]}},{0}:1}}',
        ]
    ),
)
def test_strange_characters(service: Running, text: str, body: str) -> None:
    """Halves of surrogate pairs, control characters and unassigned ones, as escapes, wherever a string may stand."""
    check(service, body.format(json.dumps(text)).encode())


@examples(40)
@given(
    number=st.sampled_from(["1e400", "-1e400", "1e-400", "9" * 400, "-" + "9" * 5000, "0." + "1" * 5000, "-0", "-0.0", "1E5"]),
    body=st.sampled_from(
        [
            '{{"entities":{{"customer_id":[{0}]}},"features":["profile:age"]}}',
            '{{"entities":{{"room_id":[{0}]}},"features":["room:seats"]}}',
            '{{"entities":{{"starts_at":[{0}]}},"features":["slot:free"]}}',
            '{{"entities":{{}},"features":[{0}]}}',
            '{{"entities":{0}}}',
        ]
    ),
)
def test_strange_numbers(service: Running, number: str, body: str) -> None:
    """Beyond every type, within none, and zeros of all kinds."""
    check(service, body.format(number).encode())
