"""A ledger that is full, read-only, corrupt, newer, in use or nowhere: one line with a remedy, nothing made anew."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.state.database import FILE, LedgerError
from exporter.state.ledger import RETRY, Ledger
from tests.promises.recording import Measured
from tests.unit.ledgers import Disk, mesh, opened, present, since, transitions


def altered(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def overwritten(folder: Path, start: int, text: bytes) -> None:
    with (folder / FILE).open("r+b") as file:
        file.seek(start)
        file.write(text)


AWAY = "restore it from a backup, or move {path}* away to start with nothing remembered"


@pytest.mark.promise(
    "State", "A ledger that is corrupt, newer or something else is refused at the start, and left as it is"
)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(
            lambda at: (at / FILE).write_bytes(b""), "expected a ledger, got an empty file; " + AWAY, id="empty"
        ),
        pytest.param(
            lambda at: (at / FILE).write_text("state: lost" * 1000),
            "expected a ledger, got a file that is corrupt or something else (file is not a database); " + AWAY,
            id="text",
        ),
        pytest.param(
            lambda at: overwritten(at, 4096, b"\xff" * 4096),
            "expected a sound ledger, got a corrupt one (",
            id="a-page-of-garbage",
        ),
        pytest.param(
            lambda at: altered(at, "PRAGMA application_id = 7"),
            "expected a ledger, got another program's database; " + AWAY,
            id="another-program",
        ),
        pytest.param(
            lambda at: altered(at, "PRAGMA user_version = 2"),
            "expected a ledger of version 1, got 2, of a newer Rollcall; run that one, or move {path}* away to start "
            "with nothing remembered",
            id="newer",
        ),
        pytest.param(
            lambda at: altered(at, "DROP TABLE steps"),
            "expected a ledger, got a file that is corrupt or something else (no such table: steps); " + AWAY,
            id="a-table-is-missing",
        ),
        pytest.param(
            lambda at: altered(at, "UPDATE held SET since = 'yesterday'"),
            "expected a ledger's rows, got others (Expected `float`, got `str`",
            id="a-word-for-a-number",
        ),
        pytest.param(
            lambda at: altered(at, "INSERT INTO notes VALUES ('eu', 'wakes', 'p', '[')"),
            "expected a ledger's notes, got others (",
            id="a-note-that-is-cut-off",
        ),
    ],
)
def test_a_file_that_is_no_sound_ledger_is_refused_and_left_as_it_is(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "serving"})}, 0.0)
    ledger.close()
    damage(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(LedgerError) as refused:
        opened(tmp_path)
    text = str(refused.value)
    path = tmp_path / FILE
    assert text.startswith(f"{path}: {said.format(path=path)}")
    assert "\n" not in text
    assert text.endswith("away to start with nothing remembered")
    assert (tmp_path / FILE).read_bytes() == before


def test_a_ledger_in_use_is_refused(tmp_path: Path) -> None:
    first = opened(tmp_path)

    def hasty(name: str) -> sqlite3.Connection:
        return sqlite3.connect(name, timeout=0, isolation_level=None)

    with pytest.raises(LedgerError) as refused:
        opened(tmp_path, connect=hasty)
    expected = "expected a ledger of its own, got one in use by another Rollcall; set --state.dir"
    assert str(refused.value) == f"{tmp_path / FILE}: {expected}"
    first.observe({"eu": mesh({"a": "serving"})}, 0.0)
    assert first.available
    first.close()


@pytest.mark.promise("State", "A ledger that cannot be written is left alone: state is in memory, and that is said")
def test_a_file_that_can_only_be_read_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "serving"})}, 0.0)
    ledger.close()
    before = (tmp_path / FILE).read_bytes()
    disk = Disk()
    disk.read_only = True
    ledger = opened(tmp_path, connect=disk)
    assert since(ledger.observe({"eu": mesh({"a": "serving"})}, 9.0)["eu"]) == {"a": 9.0}
    assert not ledger.available
    ledger.close()
    (line,) = caplog.messages
    assert line.startswith(f"the ledger is kept in memory only: {tmp_path / FILE}: expected a writable file, got: ")
    assert line.endswith(f"; make it writable for user {os.geteuid()}, or set --state.dir, and restart")
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("place", ["a-file", "below-a-file", "no-such-system"])
def test_without_a_directory_it_goes_on_in_memory(tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    folder = {"a-file": file, "below-a-file": file / "state", "no-such-system": Path("/proc/nowhere/state")}[place]
    ledger = opened(folder)
    ledger.observe({"eu": mesh({"a": "standby"})}, 0.0)
    shown = ledger.observe({"eu": mesh({"a": "serving"})}, 1.0)["eu"]
    assert (ledger.available, since(shown), transitions(shown)) == (False, {"a": 1.0}, {("standby", "serving"): 1})
    (line,) = caplog.messages
    assert line.startswith(f"the ledger is kept in memory only: {folder / FILE}: expected a writable file, got: ")
    ledger.close()


def test_where_there_is_no_place_at_all_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert not Ledger.open(None).available
    assert caplog.messages == ["the ledger is kept in memory only: there is no state directory; set --state.dir"]


@pytest.mark.promise("State", "A ledger on a full disk is said not to be kept, tried again, and then whole")
def test_a_disk_that_fills_up_costs_nothing_but_the_file_and_is_taken_up_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, measured: Measured
) -> None:
    measured("tried again after", RETRY, "s")
    disk = Disk()
    ledger = opened(tmp_path, connect=disk)
    ledger.observe({"eu": mesh({"a": "standby"})}, 0.0)
    disk.fill()
    many = {f"node-{number:04}" + "x" * 200: "serving" for number in range(200)}
    with caplog.at_level(logging.INFO):
        shown = ledger.observe({"eu": mesh({"a": "serving", **many})}, 10.0)["eu"]
        assert (present(shown)["a"], since(shown)["a"], ledger.available) == (1, 10.0, False)
        for second in range(1, 50):
            ledger.observe({"eu": mesh({"a": "serving", **many})}, 10.0 + second)
        said = (
            f"the ledger is kept in memory only: {tmp_path / FILE}: expected space to write, got a full disk; free some"
        )
        assert caplog.messages == [said]
        ledger.observe({"eu": mesh({"a": "loading", **many})}, 10.0 + RETRY)
        assert caplog.messages == [said]
        disk.free()
        ledger.observe({"eu": mesh({"a": "loading", "late": "serving"})}, 10.0 + 2 * RETRY)
        assert (ledger.available, caplog.messages) == (True, [said, "the ledger is on disk again"])
    ledger.close()
    ledger = opened(tmp_path)
    shown = ledger.observe({"eu": mesh({"a": "loading", "late": "serving"})}, 500.0)["eu"]
    assert since(shown) == {"a": 10.0 + RETRY, "late": 10.0 + 2 * RETRY, **dict.fromkeys(many)}
    assert transitions(shown) == {("standby", "serving"): 1, ("serving", "loading"): 1}
    ledger.close()


def test_the_log_of_a_ledger_that_was_moved_away_is_not_replayed_into_the_next(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "serving"})}, 0.0)
    log = Path(f"{tmp_path / FILE}-wal")
    kept = log.read_bytes()
    ledger.close()
    (tmp_path / FILE).unlink()
    log.write_bytes(kept)
    ledger = opened(tmp_path)
    assert ledger.recall("eu").states == {}
    assert since(ledger.observe({"eu": mesh({"a": "serving"})}, 9.0)["eu"]) == {"a": 9.0}
    ledger.close()
