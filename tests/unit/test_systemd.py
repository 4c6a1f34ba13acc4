"""The units of packaging/systemd, checked by systemd's own tool without a running systemd."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from exporter.cli import main
from tests.promises.recording import Measured

FOLDER = Path(__file__).parents[2] / "packaging/systemd"
UNITS = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.service"))}
EACH_UNIT = pytest.mark.parametrize("unit", UNITS)
MOST_EXPOSED = 2.0
PROGRAM = "/opt/rollcall/bin/rollcall"


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        message = "systemd-analyze is not installed (Debian: apt install systemd)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    command = ["systemd-analyze", "--no-pager", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNITS[unit], re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def verified(unit: str, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Check a unit whose program is one that there is here."""
    program = folder / "rollcall"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = folder / f"{unit}.service"
    copy.write_text(text.replace(PROGRAM, str(program)))
    return analyze("verify", "--recursive-errors=no", "--man=no", copy)


@EACH_UNIT
def test_systemd_takes_a_unit(unit: str, tmp_path: Path) -> None:
    result = verified(unit, UNITS[unit], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_systemd_does_not_take_a_misspelt_unit(tmp_path: Path) -> None:
    result = verified("rollcall", UNITS["rollcall"].replace("ExecStart=", "ExecStrat="), tmp_path)
    assert result.returncode != 0
    assert "ExecStrat" in result.stderr


@pytest.mark.promise("Access", "The units run as a user of their own, and systemd calls them exposed to 2.0 at most")
@EACH_UNIT
def test_a_unit_is_hardened(unit: str, measured: Measured) -> None:
    result = analyze("security", "--offline=true", FOLDER / f"{unit}.service")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+) ", result.stdout)
    assert found, result.stdout + result.stderr
    assert float(found[1]) <= MOST_EXPOSED, result.stdout
    assert settings(unit)["DynamicUser"] == ["yes"]
    measured("exposure", float(found[1]), "")


def test_an_open_unit_is_exposed(tmp_path: Path) -> None:
    lines = [line for line in UNITS["rollcall"].splitlines() if not re.match(r"(Protect|Private|Restrict|Sys)", line)]
    (tmp_path / "rollcall.service").write_text("\n".join(lines))
    result = analyze("security", "--offline=true", tmp_path / "rollcall.service")
    assert float(re.findall(r": ([0-9.]+) ", result.stdout)[-1]) > MOST_EXPOSED


def test_both_units_are_hardened_alike() -> None:
    own = {"Description", "EnvironmentFile", "ExecStart", "ExecReload"}
    own |= {"StateDirectory", "StateDirectoryMode", "ConfigurationDirectory"}
    one, two = ({key: value for key, value in settings(unit).items() if key not in own} for unit in UNITS)
    assert one == two
    assert settings("rollcall")["StateDirectoryMode"] == ["0700"]


@EACH_UNIT
def test_its_flags_are_in_a_file_of_debian_s_kind_and_exist(unit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert settings(unit)["EnvironmentFile"] == [f"-/etc/default/{unit}"]
    program, command, arguments = settings(unit)["ExecStart"][0].split()
    assert (program, arguments) == (PROGRAM, "$ARGS")
    lines = (FOLDER / f"{unit}.default").read_text("utf-8").splitlines()
    assert lines[-1] == 'ARGS=""'
    flags = [flag.partition("=")[0] for line in lines if line.startswith("#ARGS") for flag in shlex.split(line[6:])]
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = re.findall(r"--[a-z.-]+", capsys.readouterr().out)
    assert flags
    assert {flag for each in flags for flag in re.findall(r"--[a-z.-]+", each)} <= set(shown)
