"""wrk: the script it runs, the command, and what it says. Knows nothing of servers or features."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import BenchmarkError, ServerFailedError
from loadtest.scenario import SEED, Scenario
from loadtest.stamps import SECOND_DIGITS, WHOLE_SECONDS

CONNECTIONS = 8
REPLY_SECONDS = 10  # wrk's own default of 2 s would count a slow server's answers as lost
RESULT_PREFIX = "loadtest-result"
SENT_PREFIX = "loadtest-sent"
RESULT_LINE = re.compile(rf"^{RESULT_PREFIX} (.*)$", re.MULTILINE)
SENT_LINE = re.compile(rf"^{SENT_PREFIX} (\d+) (\d+)$", re.MULTILINE)
FIELDS = ["requests", "micros", "p50", "p90", "p99", "max", "connect", "read", "write", "status", "timeout"]

# Bodies become whole requests once, in init(); a request then costs the generator one random index.
LUA = """\
local method, path, headers = %(method)s, %(path)s, {%(headers)s}
local bodies = {
%(bodies)s
}
local requests = {}

function init(args)
  math.randomseed(%(seed)d)
  for i, body in ipairs(bodies) do requests[i] = prepare(wrk.format(method, path, headers, body)) end
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency)
  local e, p = summary.errors, function(n) return latency:percentile(n) end
  io.write(string.format("%(prefix)s" .. string.rep(" %%d", %(fields)d) .. "\\n",
    summary.requests, summary.duration, p(50), p(90), p(99), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout))
  local sent = threads[1]:get("sent")
  for i = 1, sent and #sent or 0, 2 do
    io.write(string.format("%(sent_prefix)s %%d %%d\\n", sent[i], sent[i + 1]))
  end
end
"""
PLAIN = """
function prepare(request)
  return request
end

function request()
  return requests[math.random(#requests)]
end
"""
# A request is kept in the pieces between its marks, which table.concat joins by the text of the tick: 20 us for 100 kB.
# What was sent is a global, so that done(), which runs in another Lua state, can ask for it.
STAMPED = """
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds, microseconds; } loadtest_time; int gettimeofday(loadtest_time *now, void *zone);")
local now, tick, whole_second, second_text, numbers = ffi.new("loadtest_time"), 0, 0, "", 0
local ticks_a_second = 1000000 / %(tick_us)d
sent = {}

function prepare(request)
  local pieces, from = {}, 1
  while true do
    local first, last = string.find(request, %(mark)s, from, true)
    pieces[#pieces + 1] = string.sub(request, from, (first or 0) - 1)
    if not first then return pieces end
    from = last + 1
  end
end

local function next_text()
  ffi.C.gettimeofday(now, nil)
  local microseconds = tonumber(now.seconds) * 1000000 + tonumber(now.microseconds)
  tick = math.max(tick + 1, math.floor(microseconds / %(tick_us)d))
  local second = math.floor(tick / ticks_a_second)
  if second ~= whole_second then
    whole_second, second_text = second, os.date("!%(whole_seconds)s", second)
  end
  return second_text .. string.format("%%0%(tick_digits)dd", tick %% ticks_a_second)
end

function request()
  local body = math.random(#requests)
  local text = next_text()
  sent[numbers + 1], sent[numbers + 2], numbers = body, tick, numbers + 2
  return table.concat(requests[body], text)
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk measured over one run. Latencies in microseconds.

    `sent` are the stamped requests in their order, those included that were under way at the end: index of the body, tick.
    """

    requests: int
    seconds: float
    p50_us: int
    p90_us: int
    p99_us: int
    max_us: int
    sent: tuple[tuple[int, int], ...] = ()

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds


def lua_string(data: bytes) -> str:
    """Return any bytes as a Lua string literal; everything but plain printable ASCII becomes a decimal escape."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03d}" for b in data) + '"'


def script(scenario: Scenario) -> str:
    """Return the Lua script that sends a scenario's bodies in a seeded random order, stamped if they are to be."""
    text = LUA % {
        "method": lua_string(scenario.method.encode()),
        "path": lua_string(scenario.path.encode()),
        "headers": ", ".join(f"[{lua_string(k.encode())}]={lua_string(v.encode())}" for k, v in scenario.headers),
        "bodies": ",\n".join(lua_string(body) for body in scenario.bodies),
        "seed": SEED,
        "prefix": RESULT_PREFIX,
        "fields": len(FIELDS),
        "sent_prefix": SENT_PREFIX,
    }
    if scenario.stamp is None:
        return text + PLAIN
    return text + STAMPED % {
        "mark": lua_string(scenario.stamp.mark.encode()),
        "tick_us": scenario.stamp.tick_us,
        "tick_digits": SECOND_DIGITS - scenario.stamp.row_digits,
        "whole_seconds": WHOLE_SECONDS,
    }


def parse(output: str) -> Load:
    """Return what a run's output says; ServerFailedError if one request failed, BenchmarkError if it says nothing."""
    found = RESULT_LINE.search(output)
    if not found:
        raise BenchmarkError(f"wrk gave no result:\n{output}")
    said = dict(zip(FIELDS, map(int, found[1].split()), strict=True))
    failed = {kind: said[kind] for kind in ("status", "connect", "read", "write", "timeout") if said[kind]}
    if failed:
        counts = ", ".join(f"{count} x {kind}" for kind, count in failed.items())
        raise ServerFailedError(f"{sum(failed.values())} of {said['requests']} requests failed (by wrk's count: {counts})")
    # The first one isn't sent: before it connects, wrk asks for a request to see whether it is several at once.
    sent = tuple((int(body) - 1, int(tick)) for body, tick in SENT_LINE.findall(output)[1:])
    return Load(said["requests"], said["micros"] / 1e6, said["p50"], said["p90"], said["p99"], said["max"], sent)


def run(script_file: Path, port: int, seconds: int, pin: Sequence[str], connections: int = CONNECTIONS) -> Load:
    """Send a script's requests to 127.0.0.1 over some connections for some seconds; `pin` goes before the command."""
    command = [*pin, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={REPLY_SECONDS}s", "--latency"]
    done = subprocess.run(
        [*command, "-s", str(script_file), f"http://127.0.0.1:{port}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        start_new_session=True,  # Ctrl-C is ours to handle; subprocess.run kills it on the way out
    )
    if done.returncode:
        raise BenchmarkError(f"wrk ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return parse(done.stdout)
