"""The configuration's `inventories`: what it becomes, and what it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import Config, ConfigError, InventoryConfig, parse
from exporter.endpoint import Endpoint, Secret, parse_url
from exporter.plan import Sources, terms
from exporter.sources.inventory import InventoryFile, InventoryServer

FULL = """
meshes:
- {fleet: eu, urls: [http://a]}
inventories:
- fleet: eu
  file: wakeable.yaml
- fleet: eu
  url: https://capacity.example/eu/wakeable.json
  interval: 1m
  timeout: 2s
  stale_after: 5m
  key_file: key
- {fleet: us, file: /srv/us.yaml, interval: 2s}
- {fleet: ap, url: "http://u:p@[::1]"}
"""


def read(text: str) -> Config:
    return parse(text, "/etc/rollcall/r.yaml", {}, lambda path: {"/etc/rollcall/key": "k3y\n"}[str(path)])


def test_everything_given() -> None:
    file, url, absolute, basic = read(FULL).inventories
    assert file == InventoryConfig(fleet="eu", file=Path("/etc/rollcall/wakeable.yaml"))
    assert (file.interval, file.timeout, file.stale_after) == (10.0, 5.0, 30.0)
    assert url == InventoryConfig(
        fleet="eu",
        endpoint=Endpoint(
            scheme="https", host="capacity.example", port=443, path="/eu/wakeable.json", key=Secret("k3y")
        ),
        interval=60.0,
        timeout=2.0,
        stale_after=300.0,
    )
    assert (absolute.file, absolute.interval, absolute.timeout) == (Path("/srv/us.yaml"), 2.0, 2.0)
    assert basic.endpoint == parse_url("http://u:p@[::1]:80", 1)


def test_names() -> None:
    assert [each.name for each in read(FULL).inventories] == [
        "wakeable.yaml",
        "capacity.example:443/eu/wakeable.json",
        "us.yaml",
        "[::1]:80",
    ]


def test_none_by_default() -> None:
    assert read("").inventories == read("inventories: []").inventories == ()


def test_each_is_a_source_and_a_fleet_has_all_of_its_sources() -> None:
    config = read(FULL)
    found = [each for each in Sources().of(config) if each.kind == "inventory"]
    assert [type(each) for each in found] == [InventoryFile, InventoryServer, InventoryFile, InventoryServer]
    assert [each.name for each in found] == [each.name for each in config.inventories]
    assert [each.pace for each in found[:2]] == [(10.0, 5.0, 30.0, False), (60.0, 2.0, 300.0, False)]
    assert {fleet: each.listing for fleet, each in terms(config, found).items()} == {
        "eu": {found[0].name, found[1].name},
        "us": {found[2].name},
        "ap": {found[3].name},
    }


AT = "inventories:\n- fleet: eu\n  "
NAMES = "[0]: expected inventories of different names in a fleet, got 'w.yaml', first given on line 2"
PROBLEMS = {
    "neither": ("x: y", "[0].file: expected file or url, got neither (r.yaml:2)"),
    "both": ("file: w.yaml\n  url: http://a", "[0].url: expected file or url, got both (r.yaml:4)"),
    "no fleet": ("file: w.yaml\n- file: v.yaml", "[1].fleet: expected a string, got nothing (r.yaml:4)"),
    "no path": ("file: ''", "[0].file: expected a path, got '' (r.yaml:3)"),
    "no URL": ("url: capacity.example", "[0].url: expected an http(s) URL, got 'capacity.example' (r.yaml:3)"),
    "a key for a file": ("file: w.yaml\n  key: k", "[0].key: expected a url beside it, got a file (r.yaml:4)"),
    "a password for a file": (
        "file: w\n  password_env: A",
        "[0].password_env: expected a url beside it, got a file (r.yaml:4)",
    ),
    "one name twice": (
        "file: w.yaml\n- {fleet: eu, file: other/w.yaml}",
        NAMES.replace("[0]", "[1]", 1) + " (r.yaml:4)",
    ),
    "too often": ("file: w.yaml\n  interval: 10ms", "[0].interval: expected a duration of at least 100ms, got '10ms'"),
    "stale before it is read": (
        "file: w.yaml\n  stale_after: 5s",
        "[0].stale_after: expected a duration of at least 10s (the interval), got '5s' (r.yaml:4)",
    ),
    "unknown": ("file: w.yaml\n  files: w", "[0].files: unknown key, expected one of fleet, file, url, key,"),
    "a mapping": ("file: w.yaml\n- w.yaml", "[1]: expected a mapping, got 'w.yaml' (r.yaml:4)"),
}


@pytest.mark.parametrize(("text", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(AT + text, "r.yaml", {"A": "x"}, lambda path: "")
    assert any(line.startswith("inventories" + message) for line in caught.value.lines), caught.value.lines


def test_two_fleets_may_have_inventories_of_one_name() -> None:
    config = read("inventories: [{fleet: a, file: a/w.yaml}, {fleet: b, file: b/w.yaml}]")
    assert [each.name for each in config.inventories] == ["w.yaml", "w.yaml"]
