"""`make serve` from end to end: preparing a machine, and starting and stopping in order (the service is a stand-in)."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from pipelines.local.layout import (
    CUSTOMER_FILE,
    DATA_FOLDER,
    ENVIRONMENT_FILE,
    EXPECTATIONS_DIR,
    LOCAL_CONFIG,
    MANIFEST_FILE,
    REDIS_FOLDER,
    REPO_DIR,
    RUN_FILE,
)
from pipelines.local.prepare import (
    STAMP_KEY,
    Prepared,
    PrepareError,
    fingerprint,
    is_stamped,
    prepare,
    sample_is_good,
)
from pipelines.local.process import start_time
from pipelines.local.redis import EmbeddedRedis, free_port
from pipelines.local.sample import write_sample

FEATURES = ["customer_stats:tenure_months", "customer_stats:total_spend", "customer_stats:customer_segment"]

READ = """
import json, sys
from pathlib import Path
from feast import FeatureStore

store = FeatureStore(repo_path=str(Path(sys.argv[1]).parent), fs_yaml_file=Path(sys.argv[1]))
rows = [{"customer_id": number} for number in json.loads(sys.argv[3])]
print(json.dumps(store.get_online_features(features=json.loads(sys.argv[2]), entity_rows=rows).to_dict()))
"""

# A stand-in for the console command: it is ready at once and says so when it is told to stop.
SERVICE = """#!{python}
import http.server, json, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

def stop(*_):
    print("the service stops", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
print("arguments", json.dumps(sys.argv[1:]), flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""

SERVE = """
import sys
from functools import partial
from pathlib import Path
import pipelines.local.__main__ as command

command.serve = partial(command.serve, command=Path(sys.argv.pop(1)))
sys.exit(command.main())
"""


@pytest.fixture(scope="module")
def local_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that was prepared once and whose Redis was stopped."""
    folder = tmp_path_factory.mktemp("local")
    first = prepare(REPO_DIR, folder)
    first.redis.stop()
    assert not first.reused
    return folder


@pytest.fixture
def prepared(local_dir: Path) -> Iterator[Prepared]:
    """Yield what a second prepare of that folder gives."""
    again = prepare(REPO_DIR, local_dir)
    with again.redis:
        yield again


class Serving:
    """`python -m pipelines.local serve` in a process of its own, with a stand-in service."""

    def __init__(self, tmp_path: Path, local_dir: Path, port: int | None = None) -> None:
        """Start it; what it prints goes to a file."""
        service = tmp_path / "feature-service"
        service.write_text(SERVICE.format(python=sys.executable))
        service.chmod(0o755)
        self.port = port or free_port()
        self.local_dir = local_dir
        self.output = tmp_path / f"serve-{self.port}-{time.monotonic_ns()}.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE, service, "serve", "--port", str(self.port), "--local-dir", local_dir],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, text: str) -> None:
        """Return once it has printed `text`; fail when it ends first or after 60 s."""
        deadline = time.monotonic() + 60
        while text not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.02)

    def children(self) -> dict[str, int]:
        """Return the pids in its run file by name."""
        return {name: int(pid) for name, pid, _ in map(str.split, (self.local_dir / RUN_FILE).read_text().splitlines())}

    def end(self, number: int) -> tuple[int, str]:
        """Signal it and return its exit code and output."""
        self.process.send_signal(number)
        return self.process.wait(60), self.output.read_text()


@pytest.fixture
def serving(tmp_path: Path, local_dir: Path) -> Iterator[Serving]:
    """Yield a `serve` that has printed its curl."""
    running = Serving(tmp_path, local_dir)
    running.wait_for("curl")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


def wait_until_gone(*pids: int) -> None:
    """Return when none of these processes runs; fail after 20 s."""
    deadline = time.monotonic() + 20
    while any(start_time(pid) is not None for pid in pids):
        assert time.monotonic() < deadline, f"one of {pids} is still there"
        time.sleep(0.02)


def test_feast_reads_back_what_the_parquet_files_hold(prepared: Prepared) -> None:
    """After prepare, Feast's own SDK finds every value, of rows past their ttl too."""
    expected = pd.read_parquet(Path(prepared.environment["FEAST_DATA_URL"]) / CUSTOMER_FILE).iloc[:200]
    output = subprocess.run(
        [sys.executable, "-c", READ, prepared.config, json.dumps(FEATURES), json.dumps(expected["customer_id"].tolist())],
        env=os.environ | prepared.environment,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    answer = json.loads(output)
    assert answer["tenure_months"] == expected["tenure_months"].tolist()
    assert answer["total_spend"] == expected["total_spend"].tolist()
    assert answer["customer_segment"] == expected["customer_segment"].tolist()
    assert None in answer["customer_segment"]


def test_every_customer_is_in_redis(prepared: Prepared) -> None:
    """10,000 hashes of both views' 12 features and 2 event times, and the stamp."""
    assert prepared.redis.command("DBSIZE") == 10_001


def test_a_second_prepare_only_starts_redis(local_dir: Path) -> None:
    """With nothing changed there is nothing to do."""
    said: list[str] = []
    again = prepare(REPO_DIR, local_dir, said.append)
    again.redis.stop()
    assert again.reused
    assert re.fullmatch(r"  Redis \.\.\. \d+\.\d s\n", "".join(said))


def test_the_stamp_goes_with_the_data(tmp_path: Path) -> None:
    """An emptied Redis is not taken for a prepared one."""
    with EmbeddedRedis(tmp_path) as redis:
        redis.command("SET", STAMP_KEY, "abc")
        assert is_stamped(redis, "abc")
        assert not is_stamped(redis, "abd")
        redis.command("FLUSHALL")
        assert not is_stamped(redis, "abc")


@pytest.mark.parametrize("changed", ["features.py", LOCAL_CONFIG, MANIFEST_FILE, CUSTOMER_FILE])
def test_a_change_of_definitions_or_sample_changes_the_fingerprint(tmp_path: Path, changed: str) -> None:
    """Each file that decides what is served has its part in it; rows that offline pushes have added to the data don't."""
    repo, local = shutil.copytree(REPO_DIR, tmp_path / "repo"), tmp_path / "local"
    write_sample(local / DATA_FOLDER, date(2026, 3, 1), customers=10)
    before = fingerprint(repo, local)
    path = (local / DATA_FOLDER if changed in (MANIFEST_FILE, CUSTOMER_FILE) else repo) / changed
    path.write_bytes(path.read_bytes() + b"\n")
    assert (fingerprint(repo, local) == before) == (changed == CUSTOMER_FILE)


def test_sample_data_is_good_for_thirty_days(tmp_path: Path) -> None:
    """Older data, data of the future, and incomplete data are made anew."""
    day = datetime.now(UTC).date()
    assert not sample_is_good(tmp_path, day)
    write_sample(tmp_path, day, customers=10)
    assert sample_is_good(tmp_path, day)
    assert sample_is_good(tmp_path, day + timedelta(days=30))
    assert not sample_is_good(tmp_path, day + timedelta(days=31))
    assert not sample_is_good(tmp_path, day - timedelta(days=1))
    (tmp_path / CUSTOMER_FILE).unlink()
    assert not sample_is_good(tmp_path, day)


def test_a_broken_definition_shows_feasts_words_and_leaves_no_redis(tmp_path: Path) -> None:
    """A features.py that can't be imported fails prepare with the traceback's last line."""
    repo = shutil.copytree(REPO_DIR, tmp_path / "repo")
    (repo / "features.py").write_text("raise ValueError('no such team')\n")
    with pytest.raises(PrepareError, match="no such team"):
        prepare(repo, tmp_path / "local")
    log = (tmp_path / "local" / REDIS_FOLDER / "redis.log").read_text()
    assert "ready to exit" in log


def test_serving_prints_a_curl_that_works_when_pasted(serving: Serving) -> None:
    """The printed command is one line of shell whose body is JSON for the right address."""
    command = next(line for line in serving.output.read_text().splitlines() if line.startswith("curl"))
    assert f"http://127.0.0.1:{serving.port}/get-online-features" in command
    body = re.search(r"-d '(.*)'$", command)
    assert body is not None
    assert json.loads(body[1])["entities"] == {"customer_id": [1001, 1002]}


def test_the_service_gets_the_configuration_port_and_workers(serving: Serving) -> None:
    """It is started as a container would start it."""
    arguments = re.search(r"^arguments (.*)$", serving.output.read_text(), re.MULTILINE)
    assert arguments is not None
    repo = ["--repo", str(REPO_DIR / LOCAL_CONFIG), "--expectations", str(EXPECTATIONS_DIR)]
    assert json.loads(arguments[1]) == ["serve", *repo, "--port", str(serving.port), "--workers", "1"]


def test_a_shell_can_read_the_environment(serving: Serving) -> None:
    """`. .local/environment`: then Feast's and our commands find what is served; the file goes with it."""
    path = serving.local_dir / ENVIRONMENT_FILE
    command = f'. "{path}"; echo "$FEAST_LOCAL_DIR"; echo "$FEAST_FS_YAML_FILE_PATH"; echo "$FEAST_DATA_URL"'
    printed = subprocess.run(["sh", "-euc", command], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(serving.local_dir), str(REPO_DIR / LOCAL_CONFIG), str(serving.local_dir / DATA_FOLDER)]
    serving.end(signal.SIGTERM)
    assert not path.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_everything_in_order(serving: Serving, number: int) -> None:
    """Exit code 0, the service first, then Redis with a save, and no traceback."""
    children = serving.children()
    code, output = serving.end(number)
    assert code == 0
    assert "Traceback" not in output
    assert output.endswith("Stopping ...\nthe service stops\n")
    assert "DB saved on disk" in (serving.local_dir / REDIS_FOLDER / "redis.log").read_text()
    wait_until_gone(*children.values())
    assert (serving.local_dir / RUN_FILE).read_text() == ""


def test_a_stop_while_preparing_ends_well(tmp_path: Path) -> None:
    """Ctrl-C during feast apply is exit code 0 without a traceback."""
    running = Serving(tmp_path, tmp_path / "local")
    running.wait_for("feast apply")
    code, output = running.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in output


def test_nothing_outlives_a_killed_serve(serving: Serving) -> None:
    """SIGKILL of the parent ends service and Redis, and the next serve starts as if nothing had been."""
    children = serving.children()
    serving.end(signal.SIGKILL)
    wait_until_gone(*children.values())
    again = Serving(serving.output.parent, serving.local_dir)
    again.wait_for("curl")
    assert again.end(signal.SIGTERM)[0] == 0


def test_a_second_serve_is_told_who_serves(serving: Serving) -> None:
    """Two for one folder: the second gives the first one's pid and exits with 1."""
    second = Serving(serving.output.parent, serving.local_dir)
    assert second.process.wait(60) == 1
    assert f"process {serving.process.pid} serves already" in second.output.read_text()
    assert serving.process.poll() is None


def test_a_taken_port_is_told_at_once(tmp_path: Path) -> None:
    """The message names the port, who has it, and a way out, before anything is prepared."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Serving(tmp_path, tmp_path / "local", port)
        assert refused.process.wait(60) == 1
    output = refused.output.read_text()
    assert f"port {port} is taken by process {os.getpid()}" in output
    assert f"make serve PORT={port + 1}" in output
    assert "Preparing" not in output


def test_a_service_that_dies_ends_serving_with_its_code(serving: Serving) -> None:
    """It says so, stops Redis, and exits with 128 + the signal."""
    children = serving.children()
    os.kill(children["service"], signal.SIGKILL)
    assert serving.process.wait(60) == 128 + signal.SIGKILL
    assert "The service ended by itself (signal 9)." in serving.output.read_text()
    wait_until_gone(children["redis"])


def test_a_redis_that_dies_is_started_again(serving: Serving) -> None:
    """The same port serves the same data, and the terminal says what happened."""
    old = serving.children()["redis"]
    os.kill(old, signal.SIGKILL)
    serving.wait_for("starting it again")
    deadline = time.monotonic() + 20
    while serving.children()["redis"] == old:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert serving.end(signal.SIGTERM)[0] == 0
