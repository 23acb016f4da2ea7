"""The forms that an answer to a read has, and which of them a request asks for by its Accept header and its query."""

import functools
from typing import NamedTuple

from service.arrow_answers import ArrowAnswer
from service.errors import InvalidRequest, UnknownForm
from service.plan import ReadPlan
from service.routes.accept import wish
from service.routes.arrow_bodies import ARROW
from service.routes.query import choice, listed, parse_query
from service.routes.raw import Headers
from service.row_answers import RowAnswer

JSON = "application/json"
LAYOUTS = ("columns", "rows")
INCLUDED = ("statuses", "event_timestamps")
# What most clients send, if anything.
_ANY = (b"", b"*/*", b"application/json")
# Accept headers whose meaning is remembered, and the longest of them.
_REMEMBERED, _LONGEST = 256, 256


class Form(NamedTuple):
    """How an answer is written. Statuses and times are always there in the columns layout of JSON."""

    media_type: str
    layout: str = "columns"
    statuses: bool = False
    times: bool = False

    @property
    def is_arrow(self) -> bool:
        """Whether it isn't JSON."""
        return self.media_type == ARROW

    def answer(self, plan: ReadPlan) -> ArrowAnswer | RowAnswer:
        """What makes a plan's answers of this form, which isn't COLUMNS; raises FeatureNameCollision."""
        kind = ArrowAnswer if self.is_arrow else RowAnswer
        return kind(plan, self.statuses, self.times)


COLUMNS = Form(JSON)


def form_of(headers: Headers, query: bytes) -> Form:
    """The form that a request asks for; raises UnknownForm, InvalidRequest naming a parameter. Hot."""
    accept = b""
    for name, value in headers:
        if name == b"accept":
            accept = b"%s,%s" % (accept, value) if accept else value
    if not query and accept in _ANY:
        return COLUMNS
    media_type = _media_type(accept) if len(accept) <= _LONGEST else _media_type.__wrapped__(accept)
    if not query:
        return COLUMNS if media_type == JSON else Form(media_type)
    parameters = parse_query(query, ("layout", "include"))
    layout = choice(parameters, "layout", LAYOUTS, "columns")
    included = listed(parameters, "include", INCLUDED)
    if media_type == ARROW and layout != "columns":
        raise InvalidRequest.because(f"An Arrow stream has columns; for layout={layout} the answer must be {JSON}.", "layout")
    if media_type == JSON and layout == "columns":
        return COLUMNS
    return Form(media_type, layout, "statuses" in included, "event_timestamps" in included)


@functools.lru_cache(_REMEMBERED)
def _media_type(accept: bytes) -> str:
    """JSON, unless Arrow is asked for by its name and wanted no less, or JSON isn't wanted at all."""
    text = accept.decode("latin-1")
    json, arrow = wish(text, JSON), wish(text, ARROW)
    if not json.quality and not arrow.quality:
        raise UnknownForm.because(f"The answer can be {JSON} or {ARROW}; the Accept header allows neither.", "Accept")
    return ARROW if arrow.quality > json.quality or (arrow.is_named and arrow.quality == json.quality) else JSON
