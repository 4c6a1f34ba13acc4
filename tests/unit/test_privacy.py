"""Names of nodes, hosts and consoles that are hidden: what stands for them, that it stays, and that they still join."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from exporter.privacy.concealed import Concealed
from exporter.privacy.names import ALIAS_FILE, KEY_FILE, Aliases, Names, PrivacyError, of_mode, open_names
from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading
from exporter.sources import inventory, mesh_llm
from exporter.sources.source import Deadline, Pace, Reading, SourceError

CAPTURED = sorted((Path(__file__).parents[1] / "golden/mesh-llm-0.66.0").glob("status-*.json"))
MODES = ("hash", "alias")


class Given:
    """A source that gives what it is told to."""

    fleet, pace = "eu", Pace(5, 3, 15)

    def __init__(self, kind: str, given: Reading | SourceError, name: str = "gamma-01:3131") -> None:
        self.kind, self.name, self.given = kind, name, given

    def read(self, deadline: Deadline) -> Reading:
        if isinstance(self.given, SourceError):
            raise self.given
        return self.given


@pytest.fixture(params=MODES)
def names(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Names]:
    opened = named(request.param, tmp_path)
    yield opened
    closed(opened)


def named(mode: str, folder: Path) -> Names:
    opened = open_names(mode, folder)
    assert opened is not None
    return opened


def closed(names: Names) -> None:
    if isinstance(names, Aliases):
        names.close()


def mesh(names: Names, reading: Reading) -> Reading:
    return Concealed(Given("mesh-llm", reading), names).read(Deadline(5))


def canaries(payload: bytes) -> tuple[bytes, set[str]]:
    """A payload whose names were made so that nothing else is like them, and these names."""
    said = json.loads(payload)
    text = json.dumps({**said, "token": None, "owner": None})
    called = {each["id"] for each in said["peers"]} | {said["node_id"]}
    hosts = {each["hostname"] for each in said["peers"] if each.get("hostname")} | {said["my_hostname"]} - {None}
    for host in hosts:
        text = text.replace(f'hostname": "{host}"', f'hostname": "canary-{host}.example"')
    for node in called:
        text = text.replace(node, f"canary-{node}")
    return text.encode(), {f"canary-{node}" for node in called} | {f"canary-{host}.example" for host in hosts}


@pytest.mark.promise(
    "Secrets", "No record of a captured mesh-llm payload names a node or a host, unless privacy is raw"
)
@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.stem)
def test_no_record_of_a_captured_payload_bears_a_name(path: Path, names: Names) -> None:
    payload, said = canaries(path.read_bytes())
    reading = mesh_llm.parse(payload, "eu")
    before, after = msgspec.json.encode(reading).decode(), msgspec.json.encode(mesh(names, reading)).decode()
    assert all(name in before for name in said)
    assert "canary" not in after
    assert re.sub(r'"[^"]*"', "", before) == re.sub(r'"[^"]*"', "", after), "nothing but names differs"


def test_equal_names_stay_equal_in_all_records(names: Names) -> None:
    payload, _ = canaries(CAPTURED[0].read_bytes())
    hidden = mesh(names, mesh_llm.parse(payload, "eu"))
    assert isinstance(hidden, MeshReading)
    nodes = {sighting.view.node for sighting in hidden.sightings}
    assert hidden.sightings[0].view.node == hidden.observer
    assert {link.peer for link in hidden.links} | {hidden.observer} == nodes
    assert {model.node for each in hidden.sightings for model in each.models} <= nodes
    assert {gpu.node for each in hidden.sightings for gpu in each.gpus} <= nodes


def test_an_inventory_still_says_which_node_its_entries_become(names: Names) -> None:
    host, node = names.name("host", "gamma-01"), names.name("node", "ab12")
    text = (
        "- {logical_id: gamma-01, models: [m], becomes: {hostname: gamma-01}}\n- {logical_id: b, becomes: {node: ab12}}"
    )
    read = Concealed(Given("inventory", inventory.parse_yaml(text, "eu", "w.yaml"), "w.yaml"), names).read(Deadline(5))
    assert isinstance(read, InventoryReading)
    first, second = (each.logical_id for each in read.wakeables)
    assert (read.becomes[first].hostname, read.becomes[second].node) == (host, node)
    assert (first, read.wakeable_models[0].logical_id) == (host, host), "an entry that is called as its host stays so"
    assert read.wakeables[0].inventory == "w.yaml"


def test_consoles_and_addresses_have_no_name(names: Names) -> None:
    one = mesh_llm.parse(canaries(CAPTURED[0].read_bytes())[0], "eu")
    several = ConsolesReading({"10.9.8.7:3131": one}, ("10.9.8.7:3131", "10.9.8.8:3131"), {"addresses": 1})
    console = Concealed(Given("mesh-llm", several), names)
    hidden = console.read(Deadline(5))
    assert isinstance(hidden, ConsolesReading)
    assert set(hidden.readings) < set(hidden.addresses)
    assert "10.9.8" not in repr(hidden)
    assert "gamma" not in console.name
    assert console.name == Concealed(Given("mesh-llm", several), names).name


def test_what_an_error_says_is_withheld(names: Names) -> None:
    error = SourceError("http", "gamma-01 said no", 401)
    with pytest.raises(SourceError) as caught:
        Concealed(Given("mesh-llm", error), names).read(Deadline(5))
    assert str(caught.value) == "http, HTTP status 401; privacy withholds what was said"
    assert (caught.value.result, caught.value.status) == ("http", 401)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_reading_that_is_the_same_object_stays_one(names: Names) -> None:
    source = Concealed(Given("inventory", InventoryReading(wakeables=())), names)
    assert source.read(Deadline(5)) is source.read(Deadline(5))


@pytest.mark.promise("Secrets", "What stands for a name is the same after a restart, and another one elsewhere")
@pytest.mark.parametrize("mode", MODES)
def test_names_stay_over_a_restart(mode: str, tmp_path: Path) -> None:
    said = [("node", "ab12"), ("host", "gamma-01"), ("node", "cd34"), ("host", "beta")]
    lives = []
    for _ in range(2):
        opened = named(mode, tmp_path / "here")
        lives.append([opened.name(*each) for each in said])
        opened.keep()
        closed(opened)
        said.reverse() if not lives[1:] else None
    assert lives[0] == lives[1][::-1]
    assert len(set(lives[0])) == len(said)
    if mode == "alias":
        assert lives[0] == ["node-1", "host-1", "node-2", "host-2"]
    else:
        assert all(re.fullmatch("[0-9a-f]{16}", each) for each in lives[0])
        assert named(mode, tmp_path / "elsewhere").name(*said[0]) not in lives[0]
    for path in (tmp_path / "here").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert not any(name in path.read_text() for _, name in said)
    assert (tmp_path / "here").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("torn", [b"node 01", b"host 0123456789abcdef", b"\0" * 9])
def test_aliases_that_were_being_written_at_the_end_are_given_anew(torn: bytes, tmp_path: Path) -> None:
    first = named("alias", tmp_path)
    first.name("node", "ab12")
    first.keep()
    closed(first)
    file = tmp_path / ALIAS_FILE
    file.write_bytes(file.read_bytes() + torn)
    second = named("alias", tmp_path)
    assert [second.name("node", each) for each in ("cd34", "ab12")] == ["node-2", "node-1"]
    second.keep()
    closed(second)
    assert len(file.read_bytes().splitlines()) == 2
    assert torn not in file.read_bytes()


class FullDisk:
    """A file that takes nothing until it is told to."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self.full = True
        self.read, self.seek, self.truncate = self._file.read, self._file.seek, self._file.truncate
        self.fileno, self.close = self._file.fileno, self._file.close

    def write(self, data: bytes) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)


def test_a_full_disk_is_said_once_and_written_to_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / ALIAS_FILE
    file = FullDisk(path)
    names = Aliases(lambda said: f"{int(said):016x}", file, path)  # type: ignore[arg-type]
    for number in range(3):
        assert names.name("node", str(number)) == f"node-{number + 1}"
        names.keep()
    assert caplog.messages == [f"new aliases are kept in memory only: {path}: No space left on device"]
    file.full = False
    names.keep()
    names.close()
    assert len(path.read_bytes().splitlines()) == 3


REFUSED = {
    "no directory": ("hash", None, 1, "privacy: expected a state directory for 'hash', got none; set --state.dir"),
    "shards of aliases": (
        "alias",
        "",
        2,
        "privacy: expected hash or raw for shards, which share no aliases, got alias",
    ),
    "shards without a key": (
        "hash",
        "",
        2,
        "{}/privacy.key: expected a copy of one key for all shards, got none; make it with one shard",
    ),
    "a file for a directory": (
        "hash",
        "file",
        1,
        "privacy: expected a state directory that can be written, got {}/file: File exists",
    ),
}


@pytest.mark.parametrize(("mode", "place", "shards", "message"), REFUSED.values(), ids=REFUSED)
def test_who_cannot_hide_names_does_not_start(
    mode: str, place: str | None, shards: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PrivacyError) as caught:
        open_names(mode, None if place is None else tmp_path / place, shards)
    assert str(caught.value) == message.format(tmp_path)


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("canary\n")
    with pytest.raises(PrivacyError, match="expected 64 hexadecimal digits, got something else; restore or remove it"):
        open_names("hash", tmp_path)
    (tmp_path / KEY_FILE).write_text("0" * 64)
    (tmp_path / ALIAS_FILE).write_text("node 0123456789abcdef\ncanary\n")
    with pytest.raises(
        PrivacyError, match=r"privacy\.aliases:2: expected a kind and a hash, got something else; remove"
    ):
        open_names("alias", tmp_path)


def test_two_exporters_do_not_share_aliases(tmp_path: Path) -> None:
    first = named("alias", tmp_path)
    with pytest.raises(PrivacyError, match="expected aliases of its own, got some in use"):
        open_names("alias", tmp_path)
    closed(first)


def test_raw_names_are_not_replaced_and_each_mode_has_its_own_ledger(tmp_path: Path) -> None:
    assert open_names("raw", None) is None
    assert [of_mode(tmp_path, mode) for mode in ("raw", "hash")] == [tmp_path, tmp_path / "hash"]
    assert of_mode(None, "hash") is None
