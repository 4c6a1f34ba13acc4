"""Inventories as sources: a file that changes, a server that answers, and what each fails with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.endpoint import Endpoint, Secret, parse_url
from exporter.health import SourceHealth
from exporter.isolate import Attempted
from exporter.records import SourceDrift
from exporter.sources.fetch import Resolver
from exporter.sources.inventory import MOST_BYTES, InventoryFile, InventoryServer
from exporter.sources.source import Deadline, Pace, SourceError
from tests.unit.loopback import Loopback, answer, sends


def source_of(path: Path) -> InventoryFile:
    return InventoryFile("eu", path, Pace(10, 5, 30))


def ids(source: InventoryFile | InventoryServer) -> list[str]:
    return [node.logical_id for node in source.read(Deadline(5)).wakeables]


def fails(source: InventoryFile | InventoryServer) -> tuple[str, str]:
    with pytest.raises(SourceError) as caught:
        source.read(Deadline(5))
    return caught.value.result, str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wakeable.yaml"
    path.write_text("- {logical_id: a, state: hibernating}\n")
    return path


def test_a_file_is_named_by_its_name(file: Path) -> None:
    source = source_of(file)
    assert (source.kind, source.name, source.pace.optional) == ("inventory", "wakeable.yaml", False)
    assert source.read(Deadline(5)).wakeables[0].inventory == "wakeable.yaml"


def test_an_unchanged_file_is_not_read_again(file: Path) -> None:
    source = source_of(file)
    reading = source.read(Deadline(5))
    assert source.read(Deadline(5)) is reading


def _grown(path: Path) -> None:
    path.write_text("- {logical_id: b}\n- {logical_id: c}\n")


def _touched(path: Path) -> None:
    status = path.stat()
    path.write_text(path.read_text().replace("id: a", "id: b"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def _replaced(path: Path) -> None:
    status = path.stat()
    other = path.with_name("other")
    other.write_text(path.read_text().replace("id: a", "id: b"))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


CHANGES = {"grown": (_grown, ["b", "c"]), "as large": (_touched, ["b"]), "another file": (_replaced, ["b"])}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_changed_file_is_read_again(file: Path, change: Callable[[Path], None], expected: list[str]) -> None:
    source = source_of(file)
    assert ids(source) == ["a"]
    change(file)
    assert ids(source) == expected


def test_a_file_behind_a_link_that_moves_is_read_again(file: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link.yaml", tmp_path / "other.yaml"
    other.write_text("- {logical_id: b}\n")
    link.symlink_to(file)
    source = source_of(link)
    assert ids(source) == ["a"]
    link.unlink()
    link.symlink_to(other)
    assert ids(source) == ["b"]


def test_a_broken_file_is_down_until_it_is_mended(file: Path) -> None:
    source = source_of(file)
    assert ids(source) == ["a"]
    file.write_text("- {logical_id: a\n")
    assert fails(source)[0] == fails(source)[0] == "malformed"
    file.write_text("- {logical_id: z}\n")
    assert ids(source) == ["z"]


def test_a_file_that_is_not_there_is_refused_until_it_is(tmp_path: Path) -> None:
    source = source_of(tmp_path / "later.yaml")
    assert fails(source) == ("refused", "later.yaml: expected a readable file, got: No such file or directory")
    (tmp_path / "later.yaml").write_text("[]")
    assert ids(source) == []


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert fails(source_of(path)) == (
            "refused",
            f"{path.name}: expected a regular file, got something else",
        )


def test_a_file_of_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"- {logical_id: \xff}")
    assert fails(source_of(path)) == ("malformed", "f: expected UTF-8 text, got other bytes")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with path.open("wb") as large:
        large.truncate(MOST_BYTES + 1)
    assert fails(source_of(path)) == ("too_large", f"f: expected at most {MOST_BYTES} bytes, got more")


def test_drift_is_counted_at_every_read(file: Path) -> None:
    source = source_of(file)
    health = SourceHealth(source)
    for _ in range(2):
        health.take(Attempted(source.read(Deadline(5)), "ok", "", 0.0), 1.0)
    assert SourceDrift("eu", "wakeable.yaml", "inventory", "wakeable_state", 2) in list(health.records())


def server(port: int, path: str = "/fleet/wakeable.json", **credentials: Secret) -> InventoryServer:
    said = parse_url(f"http://127.0.0.1:{port}{path}", 80)
    endpoint = Endpoint(scheme=said.scheme, host=said.host, port=said.port, path=said.path, **credentials)  # type: ignore[arg-type]
    return InventoryServer("eu", endpoint, Resolver(), Pace(10, 5, 30))


def test_a_server_is_asked_for_its_path_with_its_key() -> None:
    with Loopback(sends(answer(b'[{"logical_id": "a"}]'))) as peer:
        source = server(peer.port, key=Secret("k3y"))
        assert source.name == f"127.0.0.1:{peer.port}/fleet/wakeable.json"
        assert ids(source) == ["a"]
        assert ids(source) == ["a"]
    assert [head.splitlines()[0] for head in peer.heads] == ["GET /fleet/wakeable.json HTTP/1.1"] * 2
    assert "Authorization: Bearer k3y" in peer.heads[0].splitlines()


def test_a_server_without_a_path_is_asked_for_its_root() -> None:
    with Loopback(sends(answer(b"[]"))) as peer:
        source = server(peer.port, path="")
        assert ids(source) == []
        assert source.name == f"127.0.0.1:{peer.port}"
    assert peer.heads[0].startswith("GET / HTTP/1.1\r\n")


ANSWERS = {
    "no list": (answer(b"{}"), "malformed", "expected a list, got another shape: Expected `array`, got `object`"),
    "no JSON": (answer(b"- logical_id: a"), "malformed", "expected a list, got no JSON"),
    "an error": (answer(status="503 Service Unavailable"), "http", "GET /i: expected status 200, got 503"),
    "elsewhere": (
        answer(b"", "Location: /i/", status="301 Moved Permanently"),
        "redirect",
        "GET /i: expected status 200, got 301 to '/i/'",
    ),
}


@pytest.mark.parametrize(("said", "result", "message"), ANSWERS.values(), ids=ANSWERS)
def test_answers_that_are_no_inventory(said: bytes, result: str, message: str) -> None:
    with Loopback(sends(said)) as peer:
        assert fails(server(peer.port, "/i")) == (result, message)
