"""Which directory keeps the state."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config.directory import SYSTEM, exposed, is_writable, state_directory

HOME = {"HOME": "/home/ops"}
SERVICE = {"STATE_DIRECTORY": "/var/lib/private/rollcall"}


@pytest.mark.parametrize(
    ("given", "environ", "writable", "expected"),
    [
        pytest.param("here", {**HOME, **SERVICE}, True, "here", id="given"),
        pytest.param(None, {**HOME, **SERVICE}, True, "/var/lib/private/rollcall", id="of-the-service-manager"),
        pytest.param(None, {"STATE_DIRECTORY": "/a:/b"}, True, "/a", id="the-first-of-several"),
        pytest.param(None, {**HOME, "STATE_DIRECTORY": ""}, True, "/var/lib/rollcall", id="the-systems"),
        pytest.param(None, HOME, False, "/home/ops/.local/state/rollcall", id="the-users"),
        pytest.param(None, {}, False, None, id="nowhere"),
        pytest.param(None, {"HOME": ""}, False, None, id="no-home"),
    ],
)
def test_state_directory(given: str | None, environ: dict[str, str], writable: bool, expected: str | None) -> None:
    asked: list[Path] = []

    def answer(folder: Path) -> bool:
        asked.append(folder)
        return writable

    assert state_directory(given, environ, answer) == (None if expected is None else Path(expected))
    assert set(asked) <= {SYSTEM}


def test_a_folder_that_is_not_there_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert (is_writable(tmp_path), is_writable(tmp_path / "no"), is_writable(tmp_path / "file")) == (True, False, False)


@pytest.mark.parametrize("mode", [0o700, 0o500])
def test_a_folder_of_its_owner_s_own(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    assert exposed(tmp_path) is None
    assert exposed(tmp_path / "no") is exposed(None) is None


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o755, 0o777])
def test_a_folder_that_others_may_enter(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    said = f"{tmp_path}: expected a state directory of mode 0700, got {mode:04o}; chmod 700 {tmp_path}"
    assert exposed(tmp_path) == said
