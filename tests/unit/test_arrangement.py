"""Where the JSON arrays of an answer stand."""

import json
from collections.abc import Callable, Sequence

from service.arrangement import answer_template, arrangement
from service.catalog import Catalog
from service.catalog.definitions import decode_catalog, encode
from service.groups import Group
from service.plan import Shape, compile_plan
from tests.http.handmade.definitions import shop

SHOP = Catalog(decode_catalog(encode(shop())))


def labelled(groups: Sequence[Group], echoed: int) -> list[bytes]:
    """Arrays in the order in which they are made, each of which says what it is."""
    arrays = [b'"echo %d %s"' % (column, part) for column in range(echoed) for part in (b"values", b"statuses", b"times")]
    for group in groups:
        arrays += [b'"%s times"' % view.name.encode() for view in group.views]
        for features in group.features:
            for part in (b"values", b"statuses"):
                arrays += [b'"%s %s"' % (name.encode(), part) for name in features.names]
    return arrays


def test_each_array_comes_to_its_place() -> None:
    """Views that share a hash and views that don't, several types, and a feature that is asked for twice."""
    features = ("visits:count", "profile:name", "till:total", "profile:age", "visits:count", "everyone:rate", "profile:spend")
    plan = compile_plan(SHOP, Shape(columns=("store_id", "customer_id"), features=features))
    echoed = len(plan.echoed)
    answer = json.loads(plan.template % plan.arrange(labelled(plan.groups, echoed)))
    names = [f"echo {column}" for column in range(echoed)] + list(features)
    views = names[:echoed] + [feature.partition(":")[0] for feature in features]
    assert len(plan.groups) == 3
    assert answer["results"] == [
        {"values": f"{name} values", "statuses": f"{name} statuses", "event_timestamps": f"{view} times"}
        for name, view in zip(names, views, strict=True)
    ]


def test_metadata_is_taken_as_it_stands() -> None:
    """A name may hold what a template takes for a place."""
    template = answer_template(1, b'{"feature_names":["100%","%s%d"]}')
    pick: Callable[[Sequence[bytes]], tuple[bytes, ...]] = arrangement(1, (), 1)
    answer = json.loads(template % pick([b"[1]", b'["%s"]', b"[]"]))
    assert answer == {
        "results": [{"values": [1], "statuses": ["%s"], "event_timestamps": []}],
        "metadata": {"feature_names": ["100%", "%s%d"]},
    }
