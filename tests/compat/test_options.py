"""The command line of `feast serve`."""

from pathlib import Path

import click
import pytest
from feast.cli.cli import cli
from feast.cli.serve import serve_command

from service.catalog.configuration import load_config
from service.cli import command_line, main

from .kiosk import Kiosk

# Stock's options that ours doesn't have, with a value and stock's default.
NOT_HERE: dict[str, tuple[str | None, object]] = {
    "--type": ("http", "http"),
    "--no-access-log": (None, False),
    "--worker-connections": ("1000", 1000),
    "--max-requests": ("1000", 1000),
    "--max-requests-jitter": ("50", 50),
    "--keep-alive-timeout": ("30", 30),
    "--registry_ttl_sec": ("60", 60),
    "--key": ("key.pem", ""),
    "--cert": ("cert.pem", ""),
    "--metrics": (None, False),
}
SAME = {"--host": "127.0.0.1", "--port": 6566, "--workers": 1}
# Of `feast` itself.
GLOBAL = ("--chdir", "--feature-store-yaml", "--log-level")
STOCKS = {param.opts[0]: param for param in serve_command.params}
FEASTS = {param.opts[0]: param for param in cli.params}
NOT_UNDERSTOOD = 2  # argparse's exit code


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What our command line says to arguments that it doesn't understand."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--repo", "nowhere", *arguments])
    assert ended.value.code == NOT_UNDERSTOOD
    return capsys.readouterr().err


def default_of(option: click.Parameter) -> object:
    """What it is when it isn't given; click has no value for a flag's."""
    return False if getattr(option, "is_flag", False) else option.default


@pytest.mark.parametrize("option", SAME)
def test_the_same(option: str) -> None:
    """With the same default."""
    ours = command_line().parse_args(["serve", "--repo", "nowhere"])
    assert STOCKS[option].default == getattr(ours, option.removeprefix("--")) == SAME[option]


@pytest.mark.parametrize("option", NOT_HERE)
def test_not_here(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Told rather than ignored: what stood in a unit file or a Helm chart had a reason."""
    value, default = NOT_HERE[option]
    assert default_of(STOCKS[option]) == default
    assert f"unrecognized arguments: {option}" in refusal([option] if value is None else [option, value], capsys)


@pytest.mark.parametrize("option", GLOBAL)
def test_options_of_feast(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours is told the folder or the file by --repo, and the level by the environment."""
    assert option in FEASTS
    assert "unrecognized arguments" in refusal([option, "x"], capsys)


def test_short_forms(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours has none but -h, which is help, where stock's is the host."""
    assert {short for param in STOCKS.values() for short in param.opts[1:]} == {"-h", "-p", "-t", "-w", "-r", "-k", "-c", "-m"}
    for short in ("-p", "-w", "-t", "-r"):
        assert "unrecognized arguments" in refusal([short, "1"], capsys)
    with pytest.raises(SystemExit) as ended:
        main(["serve", "-h"])
    assert ended.value.code == 0
    assert "usage: feature-service serve" in capsys.readouterr().out


def test_workers_are_counted_by_their_owner(capsys: pytest.CaptureFixture[str]) -> None:
    """Stock's -1 is two for each core and one; ours wants a number."""
    assert "a number from 1" in refusal(["--workers", "-1"], capsys)


def test_the_repository(kiosk: Kiosk) -> None:
    """A folder as for --chdir, or a file as for --feature-store-yaml."""
    folder: Path = kiosk.world.repo
    assert load_config(folder).project == load_config(folder / "feature_store.yaml").project == kiosk.world.store.project


def test_every_option_of_stock_is_looked_at() -> None:
    """What a later Feast brings has to be told, too."""
    assert set(STOCKS) == set(SAME) | set(NOT_HERE)
    assert set(FEASTS) == set(GLOBAL)
