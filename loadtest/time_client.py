"""How long a client waits for a frame: `python -m loadtest.time_client FORM PORT PID SECONDS`, which prints JSON.

It reads lists of customers, as JSON, from its input and asks for 12 features of each list, one list after the other: from the
request to the pandas frame, in one form of answer. PID is the server's, whose CPU time it looks at, too. A process of its own,
since it imports pandas.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from statistics import median, quantiles

import httpx
import msgspec
import orjson
import pandas as pd  # type: ignore[import-untyped]

from feature_client import FeatureClient
from loadtest import procstat
from loadtest.forms import ALL_OF_ARROW, ARROW, CLIENT_JSON, PLAIN_JSON, Timing
from loadtest.repositories import TWELVE
from loadtest.servers import HOST

WARM_UP = 10  # requests, and one more that is compared
Ask = Callable[[Sequence[int]], pd.DataFrame]


def plain_json(address: str) -> Ask:
    """Return what asks for JSON by httpx and makes a frame of what orjson reads: the fastest way without Arrow."""
    client = httpx.Client(base_url=address)
    headers = {"Content-Type": "application/json"}

    def ask(ids: Sequence[int]) -> pd.DataFrame:
        body = orjson.dumps({"features": TWELVE, "entities": {"customer_id": ids}})
        answer = client.post("/get-online-features", content=body, headers=headers).raise_for_status()
        parsed = orjson.loads(answer.content)
        columns = (result["values"] for result in parsed["results"])
        return pd.DataFrame(dict(zip(parsed["metadata"]["feature_names"], columns, strict=True)))

    return ask


def client_json(address: str) -> Ask:
    """Return what asks for JSON by the service's own client."""
    client = FeatureClient(address)
    return lambda ids: pd.DataFrame(client.get_online_features(TWELVE, {"customer_id": ids}).to_dict())


def arrow(address: str) -> Ask:
    """Return what asks for Arrow by the service's own client."""
    client = FeatureClient(address)
    return lambda ids: client.get_online_features(TWELVE, {"customer_id": ids}, as_="pandas")


def all_of_arrow(address: str) -> Ask:
    """Return what asks for statuses and event times, too, which JSON always has."""
    client = FeatureClient(address)
    return lambda ids: client.get_online_features(
        TWELVE, {"customer_id": ids}, as_="pandas", include=("statuses", "event_timestamps")
    )


WAYS: Mapping[str, Callable[[str], Ask]] = {
    PLAIN_JSON: plain_json,
    CLIENT_JSON: client_json,
    ARROW: arrow,
    ALL_OF_ARROW: all_of_arrow,
}


def check_same(expected: pd.DataFrame, found: pd.DataFrame) -> None:
    """Raise ValueError unless each column of a frame is in the other one, too, with the same values in the same order."""
    for name in expected.columns:
        if name not in found.columns or expected[name].tolist() != found[name].tolist():
            raise ValueError(f"{name} isn't the same in both forms of answer")


def measure(ask: Ask, lists: Sequence[Sequence[int]], seconds: float, server: int) -> Timing:
    """Ask for so many seconds, and once at least."""
    requests = cycle(lists)
    for _ in range(WARM_UP):
        ask(next(requests))
    took: list[float] = []
    server_us, own_ns = procstat.tree(server).cpu_us, time.process_time_ns()
    until = time.monotonic() + seconds
    while not took or time.monotonic() < until:
        ids = next(requests)
        began = time.perf_counter()
        ask(ids)
        took.append((time.perf_counter() - began) * 1000)
    own_ms = (time.process_time_ns() - own_ns) / 1e6
    server_ms = (procstat.tree(server).cpu_us - server_us) / 1000
    p99 = quantiles(took, n=100)[98] if len(took) > 1 else took[0]
    return Timing(len(took), median(took), p99, own_ms / len(took), server_ms / len(took))


def main(form: str, port: int, server: int, seconds: float) -> Timing:
    """Compare a form's first frame with that of JSON, then time it."""
    address = f"http://{HOST}:{port}"
    lists = orjson.loads(sys.stdin.buffer.read())
    ask = WAYS[form](address)
    check_same(plain_json(address)(lists[0]), ask(lists[0]))
    return measure(ask, lists, seconds, server)


if __name__ == "__main__":
    form, port, server, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    print(msgspec.json.encode(main(form, port, server, seconds)).decode())
