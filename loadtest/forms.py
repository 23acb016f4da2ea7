"""The forms of answer that a client can ask for, and what one of them takes: for the child that asks and its parent."""

from dataclasses import dataclass

PLAIN_JSON, CLIENT_JSON, ARROW, ALL_OF_ARROW = "json", "client-json", "arrow", "arrow-all"
TITLES = {
    PLAIN_JSON: "JSON: httpx, orjson, `pandas.DataFrame`",
    CLIENT_JSON: "JSON: `FeatureClient`, `pandas.DataFrame`",
    ARROW: 'Arrow: `FeatureClient`, `as_="pandas"`',
    ALL_OF_ARROW: "the same with statuses and event times",
}


@dataclass(frozen=True, slots=True)
class Timing:
    """What a request took, in milliseconds: median and p99 from request to frame, CPU time of the client and of the server."""

    requests: int
    p50_ms: float
    p99_ms: float
    client_ms: float
    server_ms: float
