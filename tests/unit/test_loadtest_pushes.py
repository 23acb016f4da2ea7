"""The benchmark's pushes: event times that are never stale, what must be stored of them, and the stream beside reads."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from random import Random
from threading import Thread

import orjson
import pytest

from loadtest import beside, wrk
from loadtest.errors import ServerFailedError
from loadtest.producer import Answer, Stream, complete_answer, produce
from loadtest.push_stage import trial
from loadtest.pushes import push_scenario, sample_columns
from loadtest.scenario import Scenario, push
from loadtest.stamps import Stamp, Ticks
from loadtest.stored import (
    Kept,
    PushedRow,
    StoredRow,
    check_kept,
    compare_stored,
    pushed_rows,
    same_values,
    sure_requests,
)
from pipelines.local.layout import EXPECTATIONS_DIR
from service.suites import Frame, compile_suite

NOON = int(datetime(2026, 1, 2, 12, 0, 0, 345_678, tzinfo=UTC).timestamp() * 1_000_000)
COLUMNS = {"customer_id": [1, 2, 3, 4], "total_spend": [1.5, 2.25, None, 0.1]}


def event_times(body: bytes) -> list[datetime]:
    """Return the event times of a body that was filled."""
    return [datetime.fromisoformat(text) for text in orjson.loads(body)["df"]["event_timestamp"]]


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def small() -> Scenario:
    """Return pushes of two of four rows."""
    return push("source", COLUMNS, 2, bodies=3)


@pytest.mark.parametrize(("rows", "ticks"), [(1, 1), (10, 10), (1000, 1000)])
def test_each_row_of_a_push_has_the_time_of_sending_and_its_place(rows: int, ticks: int) -> None:
    """In microseconds: the tick in front, the row's place in the last digits."""
    stamp = Stamp(rows)
    assert stamp.tick_us == ticks
    body = orjson.dumps({"df": {"event_timestamp": [stamp.event_time(row) for row in range(rows)]}})
    filled = stamp.fill(body, NOON // ticks)
    assert len(filled) == len(body)
    expected = [NOON // ticks * ticks + row for row in range(rows)]
    assert [microseconds(moment) for moment in event_times(filled)] == expected
    assert [stamp.event_us(NOON // ticks, row) for row in range(rows)] == expected


def test_rows_are_not_made_before_they_happen() -> None:
    """The created time of all rows of a body isn't before any of their event times."""
    body = small().bodies[0]
    filled = orjson.loads(Stamp(2).fill(body, NOON // 10))["df"]
    assert max(filled["event_timestamp"]) < min(filled["created_timestamp"])


def test_a_tick_is_always_later_than_the_one_before() -> None:
    """When the clock stands, and when it goes back; else it is now."""
    clock = iter([1_000_000, 1_000_000, 900_000, 5_000_000])
    ticks = Ticks(Stamp(10), clock=lambda: next(clock))
    assert [ticks.next() for _ in range(4)] == [100, 101, 102, 500]


def test_pushes_have_the_same_bodies_every_time_and_no_row_twice() -> None:
    """Different random rows a body, each with its own values."""
    scenario = push_scenario(10)
    assert scenario.bodies == push_scenario(10).bodies
    ids = [orjson.loads(body)["df"]["customer_id"] for body in scenario.bodies]
    assert len({tuple(each) for each in ids}) == 256
    assert all(len(set(each)) == 10 for each in ids)
    spend = dict(zip(sample_columns()["customer_id"], sample_columns()["total_spend"], strict=True))
    assert orjson.loads(scenario.bodies[0])["df"]["total_spend"] == [spend[one] for one in ids[0]]


def test_pushed_rows_meet_the_suite_that_ours_holds_them_against() -> None:
    """Else ours would put rows aside that stock writes."""
    document = orjson.loads((EXPECTATIONS_DIR / "suites" / "customer_push_suite.json").read_bytes())
    outcomes = compile_suite(document, "customer_push_suite").run(Frame(sample_columns()))
    assert len(outcomes) == 8
    assert all(outcome.success for outcome in outcomes)


class Recorder(BaseHTTPRequestHandler):
    """Keeps the bodies that it gets, and says that two rows were written."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def do_POST(self) -> None:
        """Answer one request."""
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        answer = b'{"written": 2}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def recording() -> Iterator[tuple[int, list[bytes]]]:
    """Give the port of a server, and the bodies that it gets."""
    bodies: list[bytes] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Kept", (Recorder,), {"bodies": bodies})) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], bodies
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk isn't installed")
def test_wrk_sends_what_it_says_it_sent_each_time_with_a_later_event_time(tmp_path: Path) -> None:
    """The script's Lua fills a body as `Stamp.fill` does, and reports each request but the one that wrk only looks at."""
    scenario = small()
    script = tmp_path / "push.lua"
    script.write_text(wrk.script(scenario))
    before = datetime.now(UTC)
    with recording() as (port, bodies):
        load = wrk.run(script, port, 1, ())
    assert scenario.stamp
    filled = [scenario.stamp.fill(scenario.bodies[body], tick) for body, tick in load.sent]
    assert load.requests > 0
    assert filled[0] in bodies
    assert set(bodies) <= set(filled)
    assert len(load.sent) - len(bodies) <= wrk.CONNECTIONS
    ticks = [tick for _, tick in load.sent]
    assert ticks == sorted(set(ticks))
    times = list(chain.from_iterable(map(event_times, bodies)))
    assert before - timedelta(milliseconds=1) <= min(times)
    assert max(times) <= datetime.now(UTC) + timedelta(seconds=1)


def test_requests_of_the_last_moments_may_not_have_arrived() -> None:
    """The last eight, and those that may still have waited for an answer when the load ended."""
    ticks = Random(1).sample(range(1000), 100)
    sent = tuple((0, tick) for tick in sorted(ticks))
    last = sent[-1][1]
    quick = wrk.Load(100, 1.0, 1, 1, 1, 0, sent)
    slow = wrk.Load(100, 1.0, 1, 1, 1, 1_000, sent)
    assert sure_requests(quick, Stamp(10)) == 92
    assert sure_requests(slow, Stamp(10)) == sum(tick < last - 200 for tick in ticks)
    assert sure_requests(wrk.Load(0, 1.0, 0, 0, 0, 0), Stamp(10)) == 0


def test_all_rows_that_were_pushed_to_a_key_are_told_by_their_event_times() -> None:
    """With their values, in the order of sending, and whether they surely arrived."""
    scenario = small()
    body = next(number for number, each in enumerate(scenario.bodies) if 3 in orjson.loads(each)["df"]["customer_id"])
    place = orjson.loads(scenario.bodies[body])["df"]["customer_id"].index(3)
    found = pushed_rows(scenario, [(body, 7), (body, 9)], 1, "customer_id", [3])
    assert found == {
        3: [PushedRow(70 + place, {"total_spend": None}, True), PushedRow(90 + place, {"total_spend": None}, False)]
    }


def test_the_newest_row_must_be_stored_unless_a_newer_one_may_have_arrived() -> None:
    """An older row is one that got lost; any other is wrong."""
    rows = [PushedRow(10, {"a": 1}, True), PushedRow(20, {"a": 2}, True), PushedRow(30, {"a": 3}, False)]

    def kept(event_us: int, value: int) -> tuple[int, int, int]:
        found = check_kept({1: rows}, {1: StoredRow(event_us, {"a": value}, {})})
        return found.keys, found.older, found.wrong

    assert kept(20, 2) == kept(30, 3) == (1, 0, 0)
    assert kept(10, 1) == (1, 1, 0)
    assert kept(20, 3) == kept(15, 2) == (1, 0, 1)
    assert check_kept({1: rows}, {1: None}).wrong == 1
    assert check_kept({1: rows[2:]}, {1: None}) == Kept()


def test_floats_are_the_same_to_the_32_bits_that_are_stored() -> None:
    """Any other value is the same only if it is equal, and each feature must be there."""
    assert same_values({"a": 0.1, "b": None, "c": "x"}, {"a": 0.10000000149011612, "b": None, "c": "x"})
    assert not same_values({"a": 0.1}, {"a": 0.2})
    assert not same_values({"a": None}, {"a": 0.0})
    assert not same_values({"a": 1}, {"a": 1, "b": 1})


def test_stored_rows_are_compared_byte_for_byte() -> None:
    """Field by field; a row or a field that only one of them has is a difference, too."""
    row = StoredRow(1, {}, {"_ts": "08", "f1": "2001"})
    assert compare_stored({1: row}, {1: row}, 1).cells == 2
    assert compare_stored({1: row}, {1: row}, 1).same
    other = compare_stored({1: row}, {1: StoredRow(1, {}, {"_ts": "08", "f1": "2002"})}, 1)
    assert (other.values_differ, other.examples) == (1, ("1, field f1: stock 2001, ours 2002",))
    assert compare_stored({1: row}, {1: None}, 1).names_differ == 1
    assert compare_stored({1: row}, {1: StoredRow(1, {}, {"_ts": "08"})}, 1).names_differ == 1


def test_servers_are_compared_by_new_newer_and_stale_rows() -> None:
    """The last push of the trial is older than the one of the same body before it."""
    sent = trial(small(), Ticks(Stamp(2)))
    bodies = [body for body, _ in sent]
    assert bodies == [0, 1, 2, 0, 1]
    assert sent[0][1] < sent[3][1]
    assert sent[4][1] < sent[1][1]


def test_an_answer_is_whole_when_its_body_is() -> None:
    """However it comes."""
    text = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nX: y\r\n\r\nbody"
    assert [complete_answer(text[:end]) for end in range(len(text))] == [None] * len(text)
    assert complete_answer(text) == Answer(503, b"body")


async def stream(port: int, pushes: int) -> Stream:
    """Send at least so many pushes, a thousand a second."""
    ended = asyncio.Event()
    asyncio.get_running_loop().call_later(pushes / 1000, ended.set)
    return await produce(port, 1000, small(), ended)


async def test_a_stream_counts_every_push_and_what_was_written() -> None:
    """Each has an answer and a latency."""
    with recording() as (port, bodies):
        found = await stream(port, 50)
    assert found.due == len(bodies) == len(found.latencies_us) > 0
    assert found.statuses == {200: found.due}
    assert found.written == 2 * found.due
    times = [microseconds(max(event_times(body))) for body in bodies]
    assert len(set(times)) == len(times)


async def test_a_push_without_an_answer_is_counted_and_fails_the_run() -> None:
    """The stream goes on: it is not the server that decides how much is sent."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        found = await stream(server.sockets[0].getsockname()[1], 30)
    assert found.statuses == {0: found.due}
    with pytest.raises(ServerFailedError, match=r"0 were written"):
        beside.judge(found)


def test_a_push_that_was_answered_but_not_written_fails_the_run() -> None:
    """Rows that were put aside cost less."""
    assert beside.judge(Stream(2, {200: 2}, 20, [1000, 1000])) == (2, 1000)
    with pytest.raises(ServerFailedError, match=r"19 were written, not 20"):
        beside.judge(Stream(2, {200: 2}, 19, [1000, 1000]))
