"""The wheel: built from the tree and laid out elsewhere, it has every file, and its commands write what it ships."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.rules.render import rendered
from exporter.rules.values import defaults
from exporter.shipped import dashboards, example
from tests.promises.recording import Measured

ROOT = Path(__file__).parents[2]
PARTS = ("exporter", "grafana", "prometheus")
NOT_INSTALLED = {"__pycache__", "tests", "examples", "rules", "targets-compose"}


def read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel that was built from a copy of the tree: a build leaves files in the tree that it is of."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    building = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir"]
    result = subprocess.run(
        [sys.executable, *building, str(folder), str(source)], capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    [wheel] = folder.glob("rollcall_exporter-*-py3-none-any.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def rollcall(installed: Path, *arguments: str, folder: Path) -> str:
    """Run the wheel's command in a folder, with nothing of the tree on the path but what is installed beside it."""
    environment = os.environ | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    code = "import exporter.cli as c, sys; print(c.__file__, file=sys.stderr); sys.exit(c.main(sys.argv[1:]))"
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, f"{installed / 'exporter/cli.py'}\n")
    return result.stdout


def test_a_wheel_has_every_file_of_the_package(installed: Path) -> None:
    package = ROOT / "exporter"
    wanted = {
        str(Path(folder, name).relative_to(package))
        for folder, folders, names in os.walk(package, followlinks=True)
        for name in names
        if not NOT_INSTALLED & set(Path(folder).relative_to(package / "shipped").parts if "shipped" in folder else ())
        and "__pycache__" not in folder
    }
    found = read(installed / "exporter")
    assert set(found) == wanted
    entry_points = next(installed.glob("*.dist-info/entry_points.txt")).read_text()
    assert "rollcall = exporter.cli:main" in entry_points


@pytest.mark.promise("Supply chain", "A wheel has all that its commands write: rules, dashboards, an example")
def test_the_commands_of_a_wheel_write_what_it_ships(installed: Path, tmp_path: Path, measured: Measured) -> None:
    rollcall(installed, "dashboards", "--directory", "boards", folder=tmp_path)
    rollcall(installed, "dashboards", "--importable", "--directory", "importable", folder=tmp_path)
    rollcall(installed, "rules", "--set-up", "monitoring", folder=tmp_path)
    rollcall(installed, "rules", "--directory", "rules", folder=tmp_path)
    assert read(tmp_path / "boards") == read(ROOT / "grafana/dashboards")
    assert read(tmp_path / "importable") == read(ROOT / "grafana/importable")
    assert read(tmp_path / "rules") == read(ROOT / "prometheus/rules")
    monitoring = read(tmp_path / "monitoring")
    assert monitoring.keys() == {f"rules/{name}" for name in rendered(defaults())} | example().keys()
    assert all((ROOT / "prometheus" / name).read_text("utf-8") == text for name, text in monitoring.items())
    measured("files written", len(read(tmp_path)), "")


def test_dashboards_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=1) == ["rollcall-fleet.json", "Rollcall: Fleet"]
    assert [line.split()[0] for line in lines] == list(dashboards())


def test_dashboards_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["dashboards", "--directory", str(tmp_path / "file")]) == 1
    said = f"rollcall: {tmp_path / 'file'}: expected to write the dashboards, got: File exists\n"
    assert capsys.readouterr().err == said


def test_what_is_there_of_an_example_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "alertmanager.yml").write_text("mine")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/records.yml").write_text("old")
    assert main(["rules", "--set-up", str(tmp_path)]) == 0
    assert capsys.readouterr().err == f"rollcall: {tmp_path / 'alertmanager.yml'}: left as it is\n"
    written = read(tmp_path)
    assert written.pop("alertmanager.yml") == "mine"
    assert written == {name: (ROOT / "prometheus" / name).read_text("utf-8") for name in written}


def test_a_directory_and_a_set_up_are_one_too_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["rules", "--directory", str(tmp_path), "--set-up", str(tmp_path)])
    assert "not allowed with argument" in capsys.readouterr().err
