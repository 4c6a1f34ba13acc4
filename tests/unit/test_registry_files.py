"""A registry's file that is full, read-only, corrupt, newer, another program's or nowhere: one line with a remedy."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exporter import sqlite
from exporter.records.registry import Registered
from exporter.registry.schema import FILE, UnsoundRegistryError
from exporter.registry.store import RegistryError
from exporter.state.ledger import Ledger
from tests.unit.ledgers import Disk
from tests.unit.registry_files import NOW, beat, names, opened, take


def altered(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    connection.execute(statement)
    connection.close()


def overwritten(folder: Path, start: int, text: bytes) -> None:
    with (folder / FILE).open("r+b") as file:
        file.seek(start)
        file.write(text)


def a_ledger(folder: Path) -> None:
    Ledger.open(folder).close()
    (folder / "rollcall.db").rename(folder / FILE)


@pytest.mark.promise(
    "State", "A registry that is corrupt, newer or something else is refused at the start, and left as it is"
)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda at: (at / FILE).write_bytes(b""), "expected a registry, got an empty file; ", id="empty"),
        pytest.param(
            lambda at: (at / FILE).write_text("state: lost" * 1000),
            "expected a registry, got a file that is corrupt or something else (file is not a database); ",
            id="text",
        ),
        pytest.param(
            lambda at: overwritten(at, 4096, b"\xff" * 4096),
            "expected a sound registry, got a corrupt one (",
            id="a-page-of-garbage",
        ),
        pytest.param(a_ledger, "expected a registry, got another program's database; ", id="a-ledger"),
        pytest.param(
            lambda at: altered(at, "PRAGMA user_version = 2"),
            "expected a registry of version 1, got 2, of a newer Rollcall; run that one, or move ",
            id="newer",
        ),
        pytest.param(
            lambda at: altered(at, "DROP TABLE total"),
            "expected a registry, got a file that is corrupt or something else (no such table: total); ",
            id="a-table-is-missing",
        ),
    ],
)
def test_a_file_that_is_no_sound_registry_is_refused_and_left_as_it_is(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    store = opened(tmp_path)
    take(store, beat("w"))
    store.close()
    damage(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(UnsoundRegistryError) as refused:
        opened(tmp_path)
    text = str(refused.value)
    assert text.startswith(f"{tmp_path / FILE}: {said}")
    assert "\n" not in text
    assert text.endswith(f"move {tmp_path / FILE}* away to start with no workers")
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.promise(
    "State", "A registry that cannot be written is not opened at the start, left alone, and that is said"
)
def test_a_file_that_can_only_be_read_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    store = opened(tmp_path)
    take(store, beat("w"))
    store.close()
    before = (tmp_path / FILE).read_bytes()
    disk = Disk()
    disk.read_only = True
    with pytest.raises(RegistryError) as refused:
        opened(tmp_path, connect=disk)
    text = str(refused.value)
    assert text.startswith(f"{tmp_path / FILE}: expected a writable file, got: ")
    assert text.endswith(f"; make it writable for user {os.geteuid()}, or set --state.dir")
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("place", ["a-file", "below-a-file", "no-such-system"])
def test_without_a_directory_it_is_refused(tmp_path: Path, place: str) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    folder = {"a-file": file, "below-a-file": file / "state", "no-such-system": Path("/proc/nowhere/state")}[place]
    with pytest.raises(RegistryError) as refused:
        opened(folder)
    assert str(refused.value).startswith(f"{folder / FILE}: expected a writable file, got: ")


def test_what_does_not_fit_on_the_disk_is_not_there_and_what_was_there_is(tmp_path: Path) -> None:
    disk = Disk()
    store = opened(tmp_path, connect=disk)
    take(store, beat("a"))
    writing = disk.connections[1]
    writing.execute("PRAGMA max_page_count = 1")
    large = b'"' + b"x" * 60_000 + b'"'
    for _ in range(3):
        with pytest.raises(RegistryError) as refused:
            take(store, beat("a", b"1"), beat("b", large))
        assert str(refused.value) == f"{store.path}: expected space to write, got a full disk; free some"
    assert (names(store), store.find("a")) == (["a"], Registered("a", last_heartbeat=NOW))
    assert take(store, beat("a", b"2")) == [Registered("a", stats=b"2", last_heartbeat=NOW)]
    writing.execute("PRAGMA max_page_count = 1000000")
    take(store, beat("b", large))
    assert names(store) == ["a", "b"]
    store.close()


def test_text_that_no_file_can_hold_is_refused_and_costs_nobody_else_anything(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(RegistryError, match="expected text that has a UTF-8 form, got a lone surrogate"):
        take(store, beat("a"), beat("\ud800"))
    assert names(store) == []
    assert isinstance(take(store, beat("a\0b"))[0], Registered)
    assert names(store) == ["a\0b"]
    store.close()


def test_one_file_is_made_of_many_that_begin_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: opened(tmp_path / "state"), range(8)))
    for number, store in enumerate(stores):
        take(store, beat(f"w{number}"))
    assert [names(store) for store in stores] == [[f"w{number}" for number in range(8)]] * 8
    for store in stores:
        store.close()
    assert [path.name for path in (tmp_path / "state").iterdir()] == [FILE]


def test_a_new_file_is_opened_while_another_process_reads_it(tmp_path: Path) -> None:
    others = []

    def connect(name: str) -> sqlite3.Connection:
        if name == str(tmp_path / FILE) and not others:
            others.append(sqlite3.connect(name, isolation_level=None))
            others[0].execute("BEGIN")
            others[0].execute("SELECT * FROM worker").fetchall()
        return sqlite.connect(name)

    store = opened(tmp_path, connect=connect)
    take(store, beat("w"))
    assert (names(store), len(others)) == (["w"], 1)
    others[0].close()
    store.close()


def test_who_waits_too_long_for_another_process_is_told(tmp_path: Path) -> None:
    store = opened(tmp_path, tries=2)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryError, match="got one in use by another Rollcall"):
        take(store, beat("w"))
    assert store.count() == 0
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(take(store, beat("w"))[0], Registered)
    store.close()
