"""Where there is a registry, where there is none and why, and its place on the server."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.asgi import ASGIApp
from exporter.collection import Collection
from exporter.config import Address, Config, RegistryConfig
from exporter.endpoint import Secret
from exporter.enlist import EnlistError, Registry, enlist
from exporter.explain.lookup import answered
from exporter.exposition import Exposition
from exporter.families import LIVE, POLLED
from exporter.overview import Overview
from exporter.pages.site import Site
from exporter.plan import terms
from exporter.records.evidence import Unexplained
from exporter.scrape import Scrape
from exporter.server import application
from exporter.sources.source import Deadline
from tests.unit.asgi import ask

EVERYWHERE = Address("0.0.0.0", 10470)


def config(**said: object) -> Config:
    return Config(listen=EVERYWHERE, registry=RegistryConfig(**said))  # type: ignore[arg-type]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    started = enlist(config(), tmp_path, "127.0.0.1")
    assert started is not None
    started.start()
    yield started
    started.stop()


def served(registry: Registry | None, *, local: bool = True) -> ASGIApp:
    """The whole server's application."""
    snapshot = Exposition(POLLED, 10**6).publish({})
    collection = Collection((), 1.0, lambda name, message: None)
    scrape = Scrape(lambda: snapshot, collection, LIVE, registry.tables if registry else dict)
    mounts = registry.mounts if registry else {}
    explain = dict.fromkeys(("nodes", "workers"), lambda name, fleet: answered(404, Unexplained(error="nobody")))
    return application(
        scrape, lambda: True, Site(lambda: Overview(at=0.0, version="1"), explain), explain, mounts=mounts, local=local
    )


ON = {
    "loopback": ({}, "127.0.0.1"),
    "loopback of IPv6": ({}, "::1"),
    "loopback, said": ({"enabled": True}, "127.0.0.1"),
    "public with a token": ({"token": Secret("hush")}, "0.0.0.0"),
    "public with a token, said": ({"enabled": True, "token": Secret("hush")}, "10.0.0.1"),
}


@pytest.mark.parametrize(("said", "bound"), ON.values(), ids=ON)
def test_where_it_is_on(said: dict[str, object], bound: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    started = enlist(config(**said), tmp_path, bound)
    assert started is not None
    started.stop()
    assert (tmp_path / "registry.db").exists()
    assert not caplog.records


def test_where_nobody_wants_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert enlist(config(enabled=False), tmp_path, "127.0.0.1") is None
    assert not list(tmp_path.iterdir())
    assert not caplog.records


def test_where_it_would_be_unsafe(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert enlist(config(), tmp_path, "0.0.0.0") is None
    assert caplog.messages == [
        "the registry is off: 0.0.0.0:10470 is a public address, and there is no registry.token_file"
    ]
    with pytest.raises(EnlistError, match=r"^registry\.token_file: expected a token .* got none \(r\.yaml:2\)$"):
        enlist(config(enabled=True, place="r.yaml:2"), tmp_path, "0.0.0.0")
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    unwritable = tmp_path / "file" / "state"
    for folder, why in ((None, "there is no state directory; set --state.dir"), (unwritable, str(unwritable))):
        caplog.clear()
        assert enlist(config(), folder, "127.0.0.1") is None
        (line,) = caplog.messages
        assert line.startswith(f"the registry is off: {why}")
        with pytest.raises(EnlistError, match=r"set --state\.dir$"):
            enlist(config(enabled=True), folder, "127.0.0.1")


@pytest.mark.parametrize("enabled", [None, True])
def test_a_file_that_is_none_is_never_passed_over(enabled: bool | None, tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"no database at all, and longer than its header" * 10)
    with pytest.raises(EnlistError, match=r"expected a registry, .*; restore it from a backup, or move "):
        enlist(config(enabled=enabled), tmp_path, "127.0.0.1")


def test_its_source_and_its_rules(tmp_path: Path) -> None:
    said = config(fleet="eu", heartbeat_timeout=20.0, retention=60.0)
    started = enlist(said, tmp_path, "127.0.0.1")
    assert started is not None
    assert (started.source.fleet, started.source.kind, started.rules) == ("eu", "registry", (20.0, float("inf")))
    assert started.source.read(Deadline(10.0)).workers == ()
    planned = terms(said, [started.source], started)
    assert {fleet: (each.rules, each.polled) for fleet, each in planned.items()} == {
        "eu": (started.rules, {"registry"})
    }
    assert terms(said, []) == {}
    started.stop()


def test_it_is_served_beside_the_metrics(registry: Registry) -> None:
    app = served(registry)
    beat = ask(
        app, "/v1/agl/workers/a", "POST", b"{}", host="localhost", content_type="application/json", content_length="2"
    )
    assert (beat.status, json.loads(beat.body)["worker_id"]) == (200, "a")
    assert ask(app, "/v1/agl/workers/a", host="evil.example").status == 403
    body = ask(app, "/metrics", host="evil.example").body.decode()
    assert 'rollcall_registry_rejected_total{reason="host"} 1\n' in body
    assert body.count("rollcall_registry_rejected_total{") == 9
    assert [worker.worker for worker in registry.source.read(Deadline(10.0)).workers] == ["a"]


def test_without_one_nothing_can_be_written() -> None:
    app = served(None)
    assert ask(app, "/v1/agl/workers").status == 404
    assert ask(app, "/v1/agl/workers/a", "POST").status == 405
    assert b"rollcall_registry" not in ask(app, "/metrics").body


@pytest.mark.promise("Access", "On loopback, {path} is for who calls the server localhost, or by a loopback address")
@pytest.mark.parametrize(
    "path", ["/", "/nodes/a", "/workers/a", "/static/status.js", "/api/v1/status", "/api/v1/nodes/a"]
)
def test_pages_of_a_local_server_are_for_this_machine(path: str) -> None:
    local, public = served(None), served(None, local=False)
    for host in ({"host": "evil.example"}, {"host": "evil.example:10470"}, {}):
        assert ask(local, path, **host).status == 403
        assert ask(public, path, **host).status != 403
    assert ask(local, path, host="localhost:10470").status != 403


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready"])
def test_whoever_asks_gets_metrics_and_health(path: str) -> None:
    assert ask(served(None), path, host="evil.example").status == ask(served(None), path).status == 200
