"""wrk: the script it runs, the command, and what it says. Knows nothing of servers or features."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import BenchmarkError, ServerFailedError
from loadtest.scenario import SEED, Scenario

CONNECTIONS = 8
REPLY_SECONDS = 10  # wrk's own default of 2 s would count a slow server's answers as lost
RESULT_PREFIX = "loadtest-result"
RESULT_LINE = re.compile(rf"^{RESULT_PREFIX} (.*)$", re.MULTILINE)
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
  for i, body in ipairs(bodies) do requests[i] = wrk.format(method, path, headers, body) end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local e, p = summary.errors, function(n) return latency:percentile(n) end
  io.write(string.format("%(prefix)s" .. string.rep(" %%d", %(fields)d) .. "\\n",
    summary.requests, summary.duration, p(50), p(90), p(99), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk measured over one run. Latencies in microseconds."""

    requests: int
    seconds: float
    p50_us: int
    p90_us: int
    p99_us: int
    max_us: int

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds


def lua_string(data: bytes) -> str:
    """Return any bytes as a Lua string literal; everything but plain printable ASCII becomes a decimal escape."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03d}" for b in data) + '"'


def script(scenario: Scenario) -> str:
    """Return the Lua script that sends a scenario's bodies in a seeded random order."""
    return LUA % {
        "method": lua_string(scenario.method.encode()),
        "path": lua_string(scenario.path.encode()),
        "headers": ", ".join(f"[{lua_string(k.encode())}]={lua_string(v.encode())}" for k, v in scenario.headers),
        "bodies": ",\n".join(lua_string(body) for body in scenario.bodies),
        "seed": SEED,
        "prefix": RESULT_PREFIX,
        "fields": len(FIELDS),
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
    return Load(said["requests"], said["micros"] / 1e6, said["p50"], said["p90"], said["p99"], said["max"])


def run(script_file: Path, port: int, seconds: int, pin: Sequence[str]) -> Load:
    """Send a script's requests to 127.0.0.1 over 8 connections for some seconds; `pin` goes before the command."""
    command = [*pin, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"--timeout={REPLY_SECONDS}s", "--latency"]
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
