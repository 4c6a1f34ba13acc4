"""The command line: its flags are a contract, and what is wrong is said and ends with 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from exporter.cli import main
from exporter.config import parse
from exporter.rules.values import parse as parse_values

ROOT = Path(__file__).parents[2]


def outcome(*arguments: str) -> int:
    """The exit status, whether it is returned or raised by the parser."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_a_sound_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rollcall.yaml"
    file.write_text("stores: [{fleet: t, url: http://trainer}]")
    assert outcome("check-config", str(file)) == 0
    assert capsys.readouterr().out == f"{file}: ok\n"


def test_every_problem_of_a_configuration_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rollcall.yaml"
    file.write_text("meshes:\n  - fleet: eu\n    urls: [gpu-a:3131]\n    interval: 5\n")
    assert outcome("check-config", str(file)) == outcome("serve", "--config.file", str(file)) == 2
    assert capsys.readouterr().err.splitlines()[:2] == [
        f"rollcall: meshes[0].urls[0]: expected an http(s) URL, got 'gpu-a:3131' ({file}:3)",
        f"rollcall: meshes[0].interval: expected a duration such as 500ms, 5s or 1m30s, got 5 ({file}:4)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--web.listen-address", "nowhere"], "--web.listen-address: expected HOST:PORT, got 'nowhere'"),
        (["serve", "--config.file", "/no/such/file"], "/no/such/file"),
        (["serve", "--shard", "2/2"], "--shard: expected I/N with 0 <= I < N <= 1000, got '2/2'"),
        (
            ["serve", "--web.config.file", "/no/such/web.yml"],
            "/no/such/web.yml: expected a readable file, got: No such",
        ),
        (["serve", "--log.level", "loud"], "--log.level: invalid choice: 'loud'"),
        (["serve", "--config", "x"], "unrecognized arguments: --config x"),
        (["agent", "--"], "expected a program after --, got none"),
        (["agent", "sleep", "5"], "unrecognized arguments: sleep 5"),
        (["agent", "--interval", "5"], "expected a duration such as 500ms, 5s or 1m30s, got '5'"),
        (["agent", "--registry", "h:1"], "expected an http(s) URL, got 'h:1'"),
        (["agent", "--reg", "http://h"], "unrecognized arguments: --reg http://h"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(*arguments) == 2
    assert message in capsys.readouterr().err


def test_help_names_every_flag_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("serve", "--help") == 0
    flags = re.findall(r"--[a-z.-]+", capsys.readouterr().out)
    named = {"--config.file", "--web.listen-address", "--state.dir", "--shard", "--log.level", "--log.format"}
    assert set(flags) >= named


def test_compose_uses_flags_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    for name in ("exporter", "demo"):
        command, *arguments = services[name]["command"]
        outcome(command, "--help")
        assert {argument for argument in arguments if argument.startswith("--")} <= set(
            re.findall(r"--[a-z.-]+", capsys.readouterr().out)
        )


def test_the_readme_s_configuration_and_values_are_sound() -> None:
    [configuration, values] = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    config = parse(configuration, "README.md", {}, lambda path: "")
    assert [mesh.fleet for mesh in config.meshes] == ["eu"]
    assert [store.fleet for store in config.stores] == ["training"]
    assert parse_values(values, "README.md")["alerts"]["RollcallWorkerUnknown"]["for"] == "3m"


def test_the_readme_s_make_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", (ROOT / "README.md").read_text("utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"run", "test"} <= named <= targets
