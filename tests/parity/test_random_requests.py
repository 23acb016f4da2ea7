"""Any request to any registry: our answer is stock's, but for what stock gets wrong."""

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from service.gathering import ROWS_AT_ONCE

from .compare import Answer, collision, differences
from .requests import bodies
from .servers import Sides


@settings(settings.get_profile("parity"))
@given(data=st.data())
def test_answers_are_the_same(sides: Sides, data: st.DataObject) -> None:
    """Values and event times are stock's; names, order and statuses are what the request and the rows say."""
    body = data.draw(bodies(sides.world), label="body")
    stock, ours = sides.stock.read(body), sides.ours.read(body)
    colliding = collision(stock)
    if colliding:
        assert ours.status_code == httpx.codes.UNPROCESSABLE_ENTITY, ours.text
        assert collision(ours) == colliding
        return
    assert stock.status_code == httpx.codes.OK, stock.text
    assert ours.status_code == httpx.codes.OK, ours.text
    assert list(differences(sides.world, body, Answer(stock.json()), Answer(ours.json()))) == []


def test_every_feature_is_the_same(sides: Sides) -> None:
    """Each reference by itself, for all ids that have rows and some that have none."""
    for reference in sides.world.references:
        body: dict[str, object] = {"features": [reference]}
        body["entities"] = sides.world.all_ids(sides.world.columns(body))
        stock, ours = sides.answers(body)
        assert list(differences(sides.world, body, stock, ours)) == [], reference


def test_every_service_is_the_same(sides: Sides) -> None:
    """Each feature service by itself, for all ids that have rows and some that have none."""
    for service in sides.world.services:
        body = {"feature_service": service, "full_feature_names": True, "include_feature_view_version_metadata": True}
        body["entities"] = sides.world.all_ids(sides.world.columns(body))
        stock, ours = sides.answers(body)
        assert list(differences(sides.world, body, stock, ours)) == [], service


def test_many_rows_are_the_same(sides: Sides) -> None:
    """More than our reader decodes in one go, most of them repeated."""
    body: dict[str, object] = {"features": [reference for reference in sides.world.references if "@" not in reference][::7]}
    ids = sides.world.all_ids(sides.world.columns(body))
    body["entities"] = {name: column * 3 for name, column in ids.items()}
    body["full_feature_names"] = True
    stock, ours = sides.answers(body)
    assert len(ours.vectors[0].values) > ROWS_AT_ONCE
    assert list(differences(sides.world, body, stock, ours)) == []
