"""The body of /get-online-features."""

from collections.abc import Iterator
from typing import Any

import msgspec

from service.errors import Problem
from service.keys import describe
from service.routes.parsing import UNDECODABLE, BodyParser, Field, columns, flag, mistyped, of_kind

_NO_FEATURES = msgspec.Raw(b"[]")
_FEATURES = 'a list of "view:feature" strings'


class OnlineFeaturesBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The body of /get-online-features. `features` stays as it came: its bytes are the plan's name."""

    entities: dict[str, list[Any]]
    features: msgspec.Raw = _NO_FEATURES
    feature_service: str | None = None
    full_feature_names: bool = False
    include_feature_view_version_metadata: bool = False


def _features(name: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield mistyped(name, _FEATURES, value)
        return
    for position, item in enumerate(value):
        if not isinstance(item, str):
            message = f'A feature reference is a string, "view:feature", not {describe(item)}.'
            yield Problem(message, f"{name}[{position}]")


_parser = BodyParser(
    OnlineFeaturesBody,
    {
        "entities": columns("ids", required=True),
        "features": Field(_FEATURES, _features),
        "feature_service": of_kind("a string", str, type(None)),
        "full_feature_names": flag(),
        "include_feature_view_version_metadata": flag(),
    },
)
_names = msgspec.json.Decoder(list[str])

parse_body = _parser.parse


def parse_features(body: OnlineFeaturesBody, data: bytes) -> tuple[str, ...]:
    """The feature references of a body; raises InvalidRequest naming those that aren't strings."""
    try:
        return tuple(_names.decode(body.features))
    except UNDECODABLE:
        raise _parser.explain(data) from None
