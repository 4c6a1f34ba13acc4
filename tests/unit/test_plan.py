"""What a configuration makes of polling: which sources stay the same, and what holds for their fleets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporter.config import Config, parse
from exporter.plan import Sources, planned, scopes, terms
from exporter.state.fleet import Limits, WorkerRules

PEMS = Path(__file__).parent / "tls"

MESH = "meshes: [{fleet: eu, urls: ['http://a', 'http://b']}]\n"
STORE = "stores: [{fleet: t, url: 'https://trainer', key: k, ca_file: ca.pem}]\n"
FILES = "inventories: [{fleet: eu, file: w.yaml}, {fleet: eu, url: 'http://c/list'}]\n"


def read(text: str, folder: Path) -> Config:
    return parse(text, str(folder / "r.yaml"), {}, lambda path: path.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(PEMS / "ca.pem", tmp_path / "ca.pem")
    return tmp_path


CHANGED = {
    "interval": (MESH, MESH.replace("fleet: eu", "fleet: eu, interval: 1s"), 0),
    "timeout": (MESH, MESH.replace("fleet: eu", "fleet: eu, timeout: 1s"), 0),
    "stale_after": (MESH, MESH.replace("fleet: eu", "fleet: eu, stale_after: 1m"), 0),
    "fleet": (MESH, MESH.replace("eu", "us"), 0),
    "password": (MESH, MESH.replace("//a", "//x:y@a").replace("//b", "//x:y@b"), 0),
    "one url": (MESH, MESH.replace("//b", "//d"), 1),
    "one url more": (MESH, MESH.replace("'http://a'", "'http://a', 'http://d'"), 2),
    "one url less": (MESH, MESH.replace("'http://a', ", ""), 1),
    "store's url": (STORE, STORE.replace("trainer", "other"), 0),
    "key": (STORE, STORE.replace("key: k", "key: l"), 0),
    "no scheme of its own": (STORE, STORE.replace("https", "http").replace(", ca_file: ca.pem", ""), 0),
    "heartbeat_timeout": (STORE, STORE.replace("key: k", "key: k, heartbeat_timeout: 1m"), 1),
    "inventory's file": (FILES, FILES.replace("w.yaml", "v.yaml"), 1),
    "inventory's url": (FILES, FILES.replace("c/list", "c/other"), 1),
    "limits": (MESH + STORE + FILES, MESH + STORE + FILES + "limits: {objects: 5}\ntombstone: 5s\n", 5),
    "nothing but the order": (MESH, MESH.replace("'http://a', 'http://b'", "'http://b', 'http://a'"), 2),
}


@pytest.mark.parametrize(("before", "after", "same"), CHANGED.values(), ids=CHANGED)
def test_a_source_is_the_same_where_all_that_is_said_of_it_is(before: str, after: str, same: int, folder: Path) -> None:
    sources = Sources()
    old, new = sources.of(read(before, folder)), sources.of(read(after, folder))
    assert len(set(old) & set(new)) == same
    assert sources.of(read(after, folder)) == new


def test_another_certificate_in_the_same_file_makes_another_source(folder: Path) -> None:
    sources, config = Sources(), read(STORE, folder)
    old = sources.of(config)
    assert sources.of(config) == old
    shutil.copy(PEMS / "other-ca.pem", folder / "ca.pem")
    new = sources.of(config)
    assert new != old
    (folder / "ca.pem").unlink()
    assert sources.of(config) != new


def test_what_holds_for_a_fleet(folder: Path) -> None:
    text = MESH + STORE.replace("key: k", "key: k, heartbeat_timeout: 1m, forget_after: 2h") + FILES
    config = read(text.replace("fleet: t", "fleet: eu") + "limits: {objects: 5, assignments: 6}\n", folder)
    plan = planned(config, Sources().of(config))
    [eu] = plan.terms.values()
    assert (eu.rules, eu.limits) == (WorkerRules(60.0, 7200.0), Limits(5, 6))
    assert eu.listing == {"a:3131", "b:3131", "w.yaml", "c:80/list"}
    assert eu.polled == plan.scopes["eu"].sources == eu.listing | {"trainer:443"}
    assert plan.scopes["eu"].kinds == {"node", "worker", "wakeable"}
    assert (plan.retention, plan.exposition) == ((3600.0, 5), None)


def test_what_nobody_configured_is_not_missed(folder: Path) -> None:
    from exporter.config import default_config

    made = Sources().of(default_config())
    assert [each.listing for each in terms(default_config(), made).values()] == [frozenset()]
    assert scopes(made)["local"].kinds == {"node", "worker", "wakeable"}
