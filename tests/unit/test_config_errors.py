"""Values that a configuration does not take: where, what was expected, what was found."""

from pathlib import Path

import pytest

from exporter.config import ConfigError, parse

ROOT = "web, state_dir, meshes, stores, inventories, registry, host, gpu, limits, families, tombstone, privacy"
AUTH = "key, key_file, key_env, username, password, password_file, password_env, ca_file, tls_config"
MESH = f"fleet, urls, interval, timeout, stale_after, {AUTH}"
STORE = f"fleet, url, interval, timeout, stale_after, heartbeat_timeout, forget_after, {AUTH}"
DURATION = "expected a duration such as 500ms, 5s or 1m30s, got"
NAME = "expected a name of 1 to 128 characters, none of them a control character, got"
COUNT = "expected an integer greater than 0, got"
URL = "expected an http(s) URL, got"
EU = "meshes:\n- fleet: eu\n  urls: [http://a]\n  "
TR = "stores:\n- fleet: tr\n  url: http://a\n  "


def no_file(path: Path) -> str:
    raise AssertionError(f"nothing names {path}")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "r.yaml", {}, no_file)
    assert str(caught.value) == "\n".join(caught.value.lines)
    return list(caught.value.lines)


TABLE = {
    "root-unknown": ("webb: {}", f"webb: unknown key, expected one of {ROOT}; did you mean web? (r.yaml:1)"),
    "tombstone-zero": ("tombstone: 0", "tombstone: expected a duration greater than 0, got 0 (r.yaml:1)"),
    "privacy-word": ("privacy: hide", "privacy: expected raw, hash or alias, got 'hide' (r.yaml:1)"),
    "privacy-truth": ("privacy: true", "privacy: expected a string, got true (r.yaml:1)"),
    "shard-is-a-flag": ("shard: 0/2", f"shard: unknown key, expected one of {ROOT} (r.yaml:1)"),
    "web-file": ("web: {config_file: ''}", "web.config_file: expected a path, got '' (r.yaml:1)"),
    "merge": ("web: {<<: {}}", "web.<<: unknown key, expected one of listen_address, config_file (r.yaml:1)"),
    "empty-key": ("{? : 1}", f"'': unknown key, expected one of {ROOT} (r.yaml:1)"),
    "strange-key": ('"a\\nb": 1', f"'a\\nb': unknown key, expected one of {ROOT} (r.yaml:1)"),
    "url-as-key": ("http://u:pw@host?x: ", f"http://host?..: unknown key, expected one of {ROOT} (r.yaml:1)"),
    "long-key": ("a" * 99 + ": 1", f"{'a' * 60}..: unknown key, expected one of {ROOT} (r.yaml:1)"),
    "mesh-unknown": (
        EU + "intervall: 5s",
        f"meshes[0].intervall: unknown key, expected one of {MESH}; did you mean interval? (r.yaml:4)",
    ),
    "mesh-url": (EU + "url: x", f"meshes[0].url: unknown key, expected one of {MESH}; did you mean urls? (r.yaml:4)"),
    "store-unknown": (TR + "x: y", f"stores[0].x: unknown key, expected one of {STORE} (r.yaml:4)"),
    "host-unknown": ("host: {a: b}", "host.a: unknown key, expected one of enabled, procfs, rootfs (r.yaml:1)"),
    "gpu-unknown": ("gpu: {index: 0}", "gpu.index: unknown key, expected one of enabled (r.yaml:1)"),
    "limits-unknown": (
        "limits: {x: 0}",
        "limits.x: unknown key, expected one of series, objects, assignments (r.yaml:1)",
    ),
    "families-unknown": ("families: {only: []}", "families.only: unknown key, expected one of allow, deny (r.yaml:1)"),
    "duplicate-section": ("web: {}\nhost: {}\nweb: {}", "web: duplicate key, first given on line 1 (r.yaml:3)"),
    "duplicate-key": (EU + "fleet: us", "meshes[0].fleet: duplicate key, first given on line 2 (r.yaml:4)"),
    "duplicate-quoted": ("gpu: {}\n'gpu': {}", "gpu: duplicate key, first given on line 1 (r.yaml:2)"),
    "web-list": ("web: []", "web: expected a mapping, got [] (r.yaml:1)"),
    "web-nothing": ("web:\n", "web: expected a mapping, got null (r.yaml:1)"),
    "host-no": ("host: no", "host: expected a mapping, got 'no' (r.yaml:1)"),
    "gpu-boolean": ("gpu: true", "gpu: expected a mapping, got true (r.yaml:1)"),
    "meshes-mapping": ("meshes: {fleet: eu}", "meshes: expected a list, got {..} (r.yaml:1)"),
    "meshes-nothing": ("meshes:\n", "meshes: expected a list, got null (r.yaml:1)"),
    "meshes-text": ("meshes: http://u:pw@a", "meshes: expected a list, got 'http://a' (r.yaml:1)"),
    "mesh-text": ("meshes:\n- x", "meshes[0]: expected a mapping, got 'x' (r.yaml:2)"),
    "stores-mapping": ("stores: {}", "stores: expected a list, got {} (r.yaml:1)"),
    "store-list": ("stores: [[a]]", "stores[0]: expected a mapping, got [..] (r.yaml:1)"),
    "no-fleet": ("meshes:\n- urls: [http://a]", "meshes[0].fleet: expected a string, got nothing (r.yaml:2)"),
    "fleet-integer": ("meshes: [{fleet: 5, urls: [http://a]}]", "meshes[0].fleet: expected a string, got 5 (r.yaml:1)"),
    "fleet-null": ("stores: [{fleet: , url: http://a}]", "stores[0].fleet: expected a string, got null (r.yaml:1)"),
    "fleet-true": ("stores: [{fleet: true, url: http://a}]", "stores[0].fleet: expected a string, got true (r.yaml:1)"),
    "fleet-empty": ("stores: [{fleet: '', url: http://a}]", f"stores[0].fleet: {NAME} '' (r.yaml:1)"),
    "fleet-blank": ("stores: [{fleet: ' ', url: http://a}]", f"stores[0].fleet: {NAME} ' ' (r.yaml:1)"),
    "fleet-bell": ('stores: [{fleet: "a\\a", url: http://a}]', f"stores[0].fleet: {NAME} 'a\\x07' (r.yaml:1)"),
    "fleet-long": (
        f"stores: [{{fleet: {'x' * 129}, url: http://a}}]",
        f"stores[0].fleet: {NAME} '{'x' * 60}..' (r.yaml:1)",
    ),
    "mesh-again": (
        EU + "\n- fleet: us\n  urls: [http://a]\n- urls: [http://b]\n  fleet: eu",
        "meshes[2].fleet: expected a name of its own, got 'eu', taken on line 2 (r.yaml:8)",
    ),
    "store-again": (
        TR + "\n- fleet: tr\n  url: http://b",
        "stores[1].fleet: expected a name of its own, got 'tr', taken on line 2 (r.yaml:5)",
    ),
    "no-urls": ("meshes:\n- fleet: eu", "meshes[0].urls: expected a list that is not empty, got nothing (r.yaml:2)"),
    "urls-empty": (
        "meshes:\n- fleet: eu\n  urls: []",
        "meshes[0].urls: expected a list that is not empty, got [] (r.yaml:3)",
    ),
    "urls-text": (
        "meshes:\n- fleet: eu\n  urls: http://a",
        "meshes[0].urls: expected a list that is not empty, got 'http://a' (r.yaml:3)",
    ),
    "url-number": ("meshes: [{fleet: eu, urls: [3131]}]", "meshes[0].urls[0]: expected a string, got 3131 (r.yaml:1)"),
    "url-scheme": (
        "meshes:\n- fleet: eu\n  urls:\n  - http://a\n  - gpu-a:3131",
        f"meshes[0].urls[1]: {URL} 'gpu-a:3131' (r.yaml:5)",
    ),
    "url-twice": (
        "meshes:\n- fleet: eu\n  urls:\n  - http://a\n  - http://A:3131/",
        "meshes[0].urls[1]: expected each server once, got 'a:3131', first given on line 4 (r.yaml:5)",
    ),
    "no-url": ("stores:\n- fleet: tr", "stores[0].url: expected a string, got nothing (r.yaml:2)"),
    "url-ftp": ("stores: [{fleet: tr, url: ftp://a}]", f"stores[0].url: {URL} 'ftp://a' (r.yaml:1)"),
    "url-port": ("stores: [{fleet: tr, url: http://a:99999}]", f"stores[0].url: {URL} 'http://a:99999' (r.yaml:1)"),
    "url-space": ("stores: [{fleet: tr, url: http://a b}]", f"stores[0].url: {URL} 'http://a b' (r.yaml:1)"),
    "url-idn": (
        "stores: [{fleet: tr, url: http://bücher}]",
        "stores[0].url: expected an http(s) URL of ASCII characters, got 'http://bücher' (r.yaml:1)",
    ),
    "url-query": (
        "stores: [{fleet: tr, url: 'http://a/x?key=pw'}]",
        "stores[0].url: expected an http(s) URL without query or fragment, got 'http://a/x?..' (r.yaml:1)",
    ),
    "interval-number": (EU + "interval: 5", f"meshes[0].interval: {DURATION} 5 (r.yaml:4)"),
    "interval-text": (EU + "interval: '5'", f"meshes[0].interval: {DURATION} '5' (r.yaml:4)"),
    "interval-sexagesimal": (EU + "interval: 1:30", f"meshes[0].interval: {DURATION} '1:30' (r.yaml:4)"),
    "interval-float": (EU + "interval: 1.5", f"meshes[0].interval: {DURATION} 1.5 (r.yaml:4)"),
    "interval-order": (EU + "interval: 30s1m", f"meshes[0].interval: {DURATION} '30s1m' (r.yaml:4)"),
    "interval-short": (
        EU + "interval: 99ms",
        "meshes[0].interval: expected a duration of at least 100ms, got '99ms' (r.yaml:4)",
    ),
    "interval-zero": (
        TR + "interval: 0",
        "stores[0].interval: expected a duration of at least 100ms, got 0 (r.yaml:4)",
    ),
    "timeout-zero": (EU + "timeout: 0", "meshes[0].timeout: expected a duration greater than 0, got 0 (r.yaml:4)"),
    "timeout-list": (TR + "timeout: [5s]", f"stores[0].timeout: {DURATION} [..] (r.yaml:4)"),
    "timeout-null": (TR + "timeout:", f"stores[0].timeout: {DURATION} null (r.yaml:4)"),
    "stale-default": (
        EU + "stale_after: 4s",
        "meshes[0].stale_after: expected a duration of at least 5s (the interval), got '4s' (r.yaml:4)",
    ),
    "stale-interval": (
        TR + "stale_after: 1m\n  interval: 1m30s",
        "stores[0].stale_after: expected a duration of at least 1m30s (the interval), got '1m' (r.yaml:4)",
    ),
    "heartbeat-zero": (
        TR + "heartbeat_timeout: 0s",
        "stores[0].heartbeat_timeout: expected a duration greater than 0, got '0s' (r.yaml:4)",
    ),
    "forget-never": (TR + "forget_after: never", f"stores[0].forget_after: {DURATION} 'never' (r.yaml:4)"),
    "address-port": ("web: {listen_address: 10470}", "web.listen_address: expected HOST:PORT, got 10470 (r.yaml:1)"),
    "address-six": (
        "web:\n  listen_address: ::1:80",
        "web.listen_address: expected HOST:PORT, got '::1:80' (r.yaml:2)",
    ),
    "state-dir": ("state_dir: ''", "state_dir: expected a path, got '' (r.yaml:1)"),
    "state-dir-nul": ('state_dir: "a\\0"', "state_dir: expected a path, got 'a\\x00' (r.yaml:1)"),
    "state-dir-list": ("state_dir: [a]", "state_dir: expected a string, got [..] (r.yaml:1)"),
    "host-yes": ("host: {enabled: yes}", "host.enabled: expected true or false, got 'yes' (r.yaml:1)"),
    "host-quoted": ("host: {enabled: 'true'}", "host.enabled: expected true or false, got 'true' (r.yaml:1)"),
    "host-auto": ("host: {enabled: auto}", "host.enabled: expected true or false, got 'auto' (r.yaml:1)"),
    "procfs": ("host: {procfs: 7}", "host.procfs: expected a string, got 7 (r.yaml:1)"),
    "gpu-no": ("gpu: {enabled: no}", "gpu.enabled: expected auto, true or false, got 'no' (r.yaml:1)"),
    "limit-zero": ("limits: {series: 0}", f"limits.series: {COUNT} 0 (r.yaml:1)"),
    "limit-negative": ("limits: {objects: -1}", f"limits.objects: {COUNT} -1 (r.yaml:1)"),
    "limit-float": ("limits: {objects: 1.0}", f"limits.objects: {COUNT} 1.0 (r.yaml:1)"),
    "limit-octal": ("limits: {objects: 0o17}", f"limits.objects: {COUNT} '0o17' (r.yaml:1)"),
    "limit-underscore": ("limits: {objects: 1_000}", f"limits.objects: {COUNT} '1_000' (r.yaml:1)"),
    "limit-quoted": ("limits: {objects: '5'}", f"limits.objects: {COUNT} '5' (r.yaml:1)"),
    "limit-huge": (f"limits: {{series: {'9' * 5000}}}", f"limits.series: {COUNT} {'9' * 60}.. (r.yaml:1)"),
    "families-both": (
        "families:\n  deny: [a]\n  allow: [b]",
        "families.deny: expected allow or deny, got both (r.yaml:2)",
    ),
    "allow-nothing": (
        "families: {allow: []}",
        "families.allow: expected a list that is not empty, got [] (r.yaml:1)",
    ),
    "deny-text": ("families: {deny: a.*}", "families.deny: expected a list, got 'a.*' (r.yaml:1)"),
    "deny-pattern": (
        "families: {deny: [a, '(']}",
        "families.deny[1]: expected a regular expression, got '(': missing ), unterminated subpattern (r.yaml:1)",
    ),
    "deny-warning": (
        "families: {deny: ['[[a]']}",
        "families.deny[0]: expected a regular expression, got '[[a]': Possible nested set at position 1 (r.yaml:1)",
    ),
    "deny-repeats": (
        "families: {deny: ['a{99999999999}']}",
        "families.deny[0]: expected a regular expression, got 'a{99999999999}': "
        "the repetition number is too large (r.yaml:1)",
    ),
    "deny-long": (
        f"families: {{deny: [{'a' * 257}]}}",
        f"families.deny[0]: expected a regular expression of 1 to 256 characters, got '{'a' * 60}..' (r.yaml:1)",
    ),
}


@pytest.mark.parametrize(("text", "message"), TABLE.values(), ids=TABLE)
def test_one_problem(text: str, message: str) -> None:
    assert problems(text) == [message]


def test_all_problems_in_the_order_of_the_file() -> None:
    text = "limits: {series: x}\nmeshes:\n- urls: [http://a, b, c]\n  interval: 1\n  stale_after: 1s\nwebb:\n"
    assert problems(text) == [
        f"limits.series: {COUNT} 'x' (r.yaml:1)",
        "meshes[0].fleet: expected a string, got nothing (r.yaml:3)",
        f"meshes[0].urls[1]: {URL} 'b' (r.yaml:3)",
        f"meshes[0].urls[2]: {URL} 'c' (r.yaml:3)",
        f"meshes[0].interval: {DURATION} 1 (r.yaml:4)",
        f"webb: unknown key, expected one of {ROOT}; did you mean web? (r.yaml:6)",
    ]
