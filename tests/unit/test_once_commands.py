"""`rollcall metrics`, `check-config --live` and `version` as they are typed."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.loopback import Loopback, answer, sends
from tests.unit.test_cli import outcome


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """What sets up the log of a process leaves the tests' own as it was."""
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def configured(tmp_path: Path, *lines: str) -> str:
    file = tmp_path / "rollcall.yaml"
    file.write_text("\n".join(["host: {enabled: false}", "gpu: {enabled: false}", *lines]) + "\n")
    return str(file)


WAKEABLE = "- {logical_id: rack-1, state: sleeping, vram_gb: 80}\n"


def test_the_commands_read_what_a_file_names(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "w.yaml").write_text(WAKEABLE)
    file = configured(tmp_path, "inventories: [{fleet: eu, file: w.yaml, interval: 5m, timeout: 1m}]")
    assert outcome("check-config", "--live", file) == outcome("metrics", "--config.file", file) == 0
    out, err = capsysbinary.readouterr()
    assert (err, out.startswith(f"{file}: ok\n".encode())) == (b"", True)
    assert re.search(rb"\nw\.yaml +eu +inventory +ok +\S+ +1 wakeable\n", out)
    assert b'rollcall_wakeable_vram_bytes{fleet="eu",logical_id="rack-1"} 80000000000.0\n' in out


def test_the_commands_fail_where_a_source_does(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with Loopback(sends(answer(b"[]", status="500 Internal Server Error"))) as server:
        file = configured(
            tmp_path,
            f"meshes: [{{fleet: eu, urls: ['http://u:hush@127.0.0.1:{server.port}'], interval: 5m, timeout: 1m}}]",
        )
        assert outcome("check-config", "--live", file) == outcome("metrics", "--config.file", file) == 1
    out, err = capsysbinary.readouterr()
    assert b"got 500" in out
    assert b"got 500" in err
    assert b"hush" not in out + err


def test_names_are_hidden_where_the_configuration_says_so(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "w.yaml").write_text(WAKEABLE)
    file = configured(tmp_path, "inventories: [{fleet: eu, file: w.yaml, interval: 5m, timeout: 1m}]", "privacy: hash")
    state = str(tmp_path / "state")
    assert outcome("metrics", "--config.file", file, "--state.dir", state) == 0
    out = capsysbinary.readouterr().out
    assert b"rollcall_wakeable_vram_bytes{" in out
    assert b"rack-1" not in out
    (tmp_path / "state" / "privacy.key").write_text("no key")
    assert outcome("metrics", "--config.file", file, "--state.dir", state) == 2
    assert b"expected 64 hexadecimal digits" in capsysbinary.readouterr().err


def test_wrong_configurations_end_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = configured(tmp_path, "meshes: 5")
    assert outcome("metrics", "--config.file", file) == outcome("check-config", "--live", file) == 2
    assert capsys.readouterr().err.count("rollcall: meshes: expected") == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("version") == outcome("--version") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("rollcall ")


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    command = "import sys; from exporter.cli import main; sys.stdin.read(1); sys.exit(main(['metrics']))"
    with subprocess.Popen(
        [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.close()
        assert (process.wait(120), process.stderr.read()) == (1, b"")
