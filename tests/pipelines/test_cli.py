"""The console command: what it prints, how it ends, and that asking for help costs nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipelines.cli import main
from pipelines.local import layout
from pipelines.local.customer_data import write_customer_data
from tests.servers.s3 import S3Server
from tests.servers.webhook import WebhookServer

from .buckets import open_bucket
from .lossy_proxy import LossyProxy

STEPS = ("materialize", "training-set", "validate", "enrich", "quarantine", "alert")
HEAVY = ("feast", "great_expectations", "pandas", "pyarrow", "numpy", "boto3", "httpx")


@pytest.mark.parametrize("step", STEPS)
def test_help_imports_nothing_heavy(step: str) -> None:
    """So it is there at once."""
    script = f"""
import sys
from pipelines.cli import main
try:
    main([{step!r}, "--help"])
except SystemExit as end:
    print(end.code, [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith(f"usage: feature-pipelines {step}")
    assert done.stdout.splitlines()[-1] == "0 []"


def test_a_wrong_option_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As argparse ends it, with what would be right."""
    for arguments in (
        [],
        ["vaildate"],
        ["enrich", "--repo", ".", "--source", "a", "--output", "b", "--event-time", "2026-01-31"],
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
    assert "a time with its zone, for instance 2026-11-25T10:00:00Z, not '2026-01-31'" in capsys.readouterr().err


def test_a_bad_file_goes_the_whole_way(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Validated (1), moved, told; each step takes the report that the one before printed."""
    project = tmp_path / "expectations"
    shutil.copytree(layout.EXPECTATIONS_DIR, project, ignore=shutil.ignore_patterns("uncommitted"))
    with open_bucket(s3) as bucket:
        write_customer_data(tmp_path / "bad.csv", 1_000, 1, bad=True)
        s3.put(bucket, "customer_data.csv", (tmp_path / "bad.csv").read_bytes())
        place, moved_to = f"s3://{bucket}/customer_data.csv", f"s3://{bucket}/quarantine/1/customer_data.csv"
        checkpoint = ["--checkpoint", "customer_data_checkpoint", "--expectations", str(project)]
        assert main(["validate", place, *checkpoint]) == 1
        assert "is NOT as expected: 1,000 rows, 10 expectations" in capsys.readouterr().out
        assert main(["validate", place, *checkpoint, "--json"]) == 1
        validation, quarantined = tmp_path / "validation.json", tmp_path / "quarantined.json"
        validation.write_text(capsys.readouterr().out)
        folder = f"s3://{bucket}/quarantine/1"
        assert main(["quarantine", place, "--folder", folder, "--validation", str(validation), "--json"]) == 0
        quarantined.write_text(capsys.readouterr().out)
        assert s3.keys(bucket) == ["quarantine/1/customer_data.csv", "quarantine/1/customer_data.csv.validation.json"]
        with WebhookServer() as slack:
            monkeypatch.setenv("SLACK_WEBHOOK", slack.url)
            reports = ["--validation", str(validation), "--quarantined", str(quarantined)]
            assert main(["alert", "Customer data are bad", *reports]) == 0
        assert moved_to in json.dumps(slack.posts[0])
        assert len(slack.posts) == 1


def test_what_cannot_be_done_is_a_message_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback; nothing on stdout."""
    output = str(tmp_path / "out.parquet")
    commands = [
        (["validate", str(tmp_path / "absent.csv"), "--checkpoint", "c"], "absent.csv isn't there"),
        (["quarantine", str(tmp_path / "absent.csv"), "--folder", str(tmp_path / "q")], "nor was it moved to"),
        (
            ["training-set", "--repo", str(tmp_path), "--entities", "e.csv", "--features", "a:b", "--output", output],
            "There is no Feast",
        ),
        (["alert", "Bad", "--validation", str(tmp_path / "absent.json")], "isn't a report as --json prints it"),
    ]
    for arguments, message in commands:
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("feature-pipelines: ")
        assert message in printed.err
        assert "Traceback" not in printed.err


def test_ctrl_c_ends_it_as_a_shell_expects(s3: S3Server, tmp_path: Path) -> None:
    """By the signal, in the middle of a request."""
    with LossyProxy(urlsplit(s3.endpoint_url).port, 0, "request", hold=True) as proxy:
        child = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "quarantine", "s3://data/a.csv", "--folder", "s3://data/q"],
            env=os.environ | s3.environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"},
            stderr=subprocess.PIPE,
        )
        assert proxy.reached.wait(30)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=10)
    assert child.returncode == -signal.SIGINT


def test_a_reader_that_has_seen_enough_is_no_failure_worth_a_traceback(tmp_path: Path) -> None:
    """As with `| head`."""
    write_customer_data(tmp_path / "good.csv", 1_000, 1)
    reading, writing = os.pipe()
    os.close(reading)
    place = str(tmp_path / "good.csv")
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "quarantine", place, "--folder", str(tmp_path / "q")],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 2
    assert done.stderr == b""
