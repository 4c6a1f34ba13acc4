"""The section `registry`: what it becomes, what it does not take, and where a registry would be unsafe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.config import Address, Config, ConfigError, RegistryConfig, load, parse, parse_address, unsafe
from exporter.endpoint import Secret

KEYS = "enabled, fleet, heartbeat_timeout, retention, token_file, rate, workers"
STORE = "stores:\n- fleet: {}\n  url: http://a\n"


def no_file(path: Path) -> str:
    raise OSError(2, "No such file or directory")


def read(text: str, secret: str | None = None) -> Config:
    return parse(text, "r.yaml", {}, no_file if secret is None else lambda path: secret)


def test_nothing_said() -> None:
    said = read("").registry
    assert said == RegistryConfig()
    assert (said.enabled, said.fleet, said.heartbeat_timeout, said.retention) == (None, "local", 45.0, 86400.0)
    assert (said.token, said.rate, said.workers) == (None, 5000, 50_000)


def test_everything_said() -> None:
    text = "registry: {enabled: true, fleet: eu, heartbeat_timeout: 30s, retention: 2h, rate: 7, workers: 9, "
    said = read(text + "token_file: t}", "hush\n").registry
    assert (said.enabled, said.fleet, said.heartbeat_timeout, said.retention) == (True, "eu", 30.0, 7200.0)
    assert (said.token, said.rate, said.workers, said.place) == (Secret("hush"), 7, 9, "r.yaml:1")
    assert "hush" not in repr(said)


@pytest.mark.parametrize(
    ("text", "fleet"),
    [
        pytest.param("", "local", id="nothing"),
        pytest.param(STORE.format("eu"), "local", id="a store of another name"),
        pytest.param(STORE.format("local"), "registry", id="a store that is local"),
        pytest.param(STORE.format("local") + "- {fleet: registry, url: http://b}", "registry-2", id="both are taken"),
        pytest.param("meshes:\n- fleet: local\n  urls: [http://a]\n", "local", id="a mesh that is local"),
        pytest.param(STORE.format("eu") + "registry: {fleet: us}", "us", id="a name of its own"),
        pytest.param(STORE.format("eu") + "registry: {fleet: eu, enabled: false}", "eu", id="none that could clash"),
    ],
)
def test_its_fleet(text: str, fleet: str) -> None:
    assert read(text).registry.fleet == fleet


TAKEN = "registry.fleet: expected a name of its own, got {}, taken on line {} (r.yaml:{})"
WRONG = {
    "unknown key": ("registry: {token: x}", f"registry.token: unknown key, expected one of {KEYS}; did you mean tok"),
    "list": ("registry: []", "registry: expected a mapping, got [] (r.yaml:1)"),
    "enabled": ("registry: {enabled: maybe}", "registry.enabled: expected auto, true or false, got 'maybe' (r.yaml:1)"),
    "fleet": ("registry: {fleet: ''}", "registry.fleet: expected a name of 1 to 128 characters, none of them a"),
    "fleet of a store": (STORE.format("eu") + "registry:\n  fleet: eu", TAKEN.format("'eu'", 2, 5)),
    "fleet of the second store": (
        STORE.format("us") + "- fleet: eu\n  url: http://b\nregistry: {fleet: eu, enabled: true}",
        TAKEN.format("'eu'", 4, 6),
    ),
    "retention": (
        "registry: {heartbeat_timeout: 1m, retention: 59s}",
        "registry.retention: expected a duration of at least 1m (the heartbeat_timeout), got '59s' (r.yaml:1)",
    ),
    "rate": ("registry: {rate: 0}", "registry.rate: expected an integer greater than 0, got 0 (r.yaml:1)"),
    "workers": ("registry: {workers: -1}", "registry.workers: expected an integer greater than 0, got -1 (r.yaml:1)"),
    "token file": (
        "registry: {token_file: /run/t}",
        "registry.token_file: expected a readable file, got '/run/t': No such file or directory (r.yaml:1)",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_it_does_not_take(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (line,) = caught.value.lines
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", "registry.token_file: expected a secret, got an empty text (r.yaml:1)"),
        ("two\nlines", "registry.token_file: expected printable ASCII without spaces, got other characters (r.yaml:1)"),
        ("hüsh", "registry.token_file: expected printable ASCII without spaces, got other characters (r.yaml:1)"),
    ],
    ids=["empty", "two lines", "not ASCII"],
)
def test_what_is_no_token(secret: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read("registry: {token_file: t}", secret)
    assert caught.value.lines == (message,)


@pytest.mark.parametrize(
    ("listen", "public"),
    [
        ("127.0.0.1:1", False),
        ("127.9.9.9:1", False),
        ("[::1]:1", False),
        ("localhost:1", False),
        ("gpu-box:1", False),
        (":1", True),
        ("0.0.0.0:1", True),
        ("[::]:1", True),
        ("10.0.0.1:1", True),
        ("[fd00::1]:1", True),
        ("[::ffff:127.0.0.1]:1", False),
        ("[::ffff:10.0.0.1]:1", True),
    ],
)
def test_where_a_registry_without_a_token_is_unsafe(listen: str, public: bool) -> None:
    address = parse_address(listen)
    said = RegistryConfig(enabled=True, place="r.yaml:3")
    expected = f"registry.token_file: expected a token for a registry on the public address {address}, got none"
    assert unsafe(said, address) == (f"{expected} (r.yaml:3)" if public else None)
    assert unsafe(RegistryConfig(enabled=True, token=Secret("x")), address) is None
    assert unsafe(RegistryConfig(), address) is unsafe(RegistryConfig(enabled=False), address) is None


def test_the_place_is_left_out_where_no_file_says_it() -> None:
    said = unsafe(RegistryConfig(enabled=True), Address("", 1))
    assert said == "registry.token_file: expected a token for a registry on the public address :1, got none"


def test_check_config_and_serve_refuse_an_unsafe_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("web: {listen_address: 0.0.0.0:0}\nregistry:\n  enabled: true\n")
    message = "registry.token_file: expected a token for a registry on the public address 0.0.0.0:0, got none"
    for command in (["check-config", str(file)], ["serve", "--config.file", str(file)]):
        assert main(command) == 2
        assert capsys.readouterr().err == f"rollcall: {message} ({file}:3)\n"
    (tmp_path / "token").write_text("hush\n")
    file.write_text(file.read_text() + "  token_file: token\n")
    assert main(["check-config", str(file)]) == 0
    assert load(file, os.environ).registry.token == Secret("hush")
