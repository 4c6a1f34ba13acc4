"""The examples of several Prometheuses are accepted by Prometheus' own tools, and share targets as they say."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.boards import BOARDS, queries
from tests.unit.prometheus_tools import VERSIONS, run
from tests.unit.shipped_rules import BY_FILE, PROMETHEUS, RULES

EXAMPLES = PROMETHEUS / "examples"
AGENT = EXAMPLES / "agent/prometheus.yml"
SHARDS = sorted((EXAMPLES / "hashmod").glob("*.yml"))
PAIR = sorted((EXAMPLES / "ha-pair").glob("*.yml"))
EACH_VERSION = pytest.mark.parametrize("version", VERSIONS)

ALONE = [f"alone-{number}:10470" for number in range(200)]
TOGETHER = {f"fleet-{group}": [f"host-{group}-{number}:10470" for number in range(5)] for group in range(20)}


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@EACH_VERSION
@pytest.mark.parametrize("path", [AGENT, *SHARDS, *PAIR], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_promtool_accepts_it(path: Path, version: str) -> None:
    flags = ["--agent"] if path == AGENT else []
    result = run("promtool", "check", "config", *flags, path, version=version)
    assert result.returncode == 0, result.stdout + result.stderr
    assert path == AGENT or f"{len(RULES)} rule files found" in result.stdout


@EACH_VERSION
def test_promtool_finds_what_is_wrong(version: str, tmp_path: Path) -> None:
    wrong = tmp_path / "prometheus.yml"
    wrong.write_text(AGENT.read_text().replace("max_shards", "most_shards"))
    result = run("promtool", "check", "config", "--agent", wrong, version=version)
    assert result.returncode != 0
    assert "most_shards" in result.stdout + result.stderr


@pytest.mark.parametrize("path", [AGENT, *SHARDS, *PAIR], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_targets_and_rules_are_those_that_are_shipped(path: Path) -> None:
    told = loaded(path)
    shipped = loaded(PROMETHEUS / "prometheus.yml")
    files = [*told.get("rule_files", ())]
    for each in (*told["scrape_configs"], *told.get("alerting", {}).get("alertmanagers", ())):
        files += [file for found in each.get("file_sd_configs", ()) for file in found["files"]]
    assert files
    assert all(list(path.parent.glob(file)) for file in files)
    assert [job["job_name"] for job in told["scrape_configs"]] == [job["job_name"] for job in shipped["scrape_configs"]]


def test_each_is_in_the_read_me() -> None:
    told = (EXAMPLES / "README.md").read_text()
    linked = set(re.findall(r"\]\(([a-z-]+/[a-z0-9-]+\.yml)\)", told))
    assert {Path(link).parent.name for link in linked} == {path.parent.name for path in EXAMPLES.glob("*/*.yml")}
    assert all((EXAMPLES / link).exists() for link in linked)


def test_a_pair_differs_in_the_replica_and_says_it_to_nobody() -> None:
    first, second = map(loaded, PAIR)
    replicas = [each["global"]["external_labels"].pop("replica") for each in (first, second)]
    assert len(set(replicas)) == 2
    assert first == second
    drop = [{"regex": "replica", "action": "labeldrop"}]
    assert first["alerting"]["alert_relabel_configs"] == drop
    assert [each["write_relabel_configs"] for each in first["remote_write"]] == [drop]


def test_shards_differ_in_their_number() -> None:
    texts = {
        path.read_text().replace(f"shard-{n}", "shard-N").replace(f'"{n}"', '"N"') for n, path in enumerate(SHARDS)
    }
    assert len(texts) == 1


@EACH_VERSION
def test_each_target_is_kept_by_one_shard(version: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    (tmp_path / "targets").mkdir()
    groups = [{"targets": names, "labels": {"__together": name}} for name, names in TOGETHER.items()]
    (tmp_path / "targets/rollcall.yml").write_text(yaml.safe_dump([{"targets": ALONE}, *groups]))
    (tmp_path / "targets/alertmanager.yml").write_text("[]")
    with ThreadPoolExecutor(len(SHARDS)) as pool:
        paths = [tmp_path / path.relative_to(PROMETHEUS) for path in SHARDS]
        kept = [*pool.map(_kept, paths, repeat(version))]
    assert Counter(target for each in kept for target in each) == Counter([*ALONE, *chain(*TOGETHER.values())])
    for names in TOGETHER.values():
        assert sorted(len(each & set(names)) for each in kept) == [0, len(names)]
    assert all(60 < len(each & set(ALONE)) < 140 for each in kept)


def _kept(path: Path, version: str) -> set[str]:
    """The targets that a Prometheus would scrape. promtool always waits as long as it may."""
    result = run("promtool", "check", "service-discovery", "--timeout=3s", path, "rollcall", version=version)
    assert result.returncode == 0, result.stderr
    found = [each["labels"] for each in json.loads(result.stdout) if each.get("labels")]
    return {labels["instance"] for labels in found}


def test_nothing_is_left_out_that_is_asked_for() -> None:
    dropped = [each["regex"] for told in loaded(AGENT)["remote_write"] for each in told["write_relabel_configs"]]
    asked = [query.expr for board in BOARDS.values() for query in queries(board)]
    asked += [rule["expr"] for rules in BY_FILE.values() for rule in rules]
    names = {name for expr in asked for name in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.sub(r'"[^"]*"', "", expr))}
    assert {"process_cpu_seconds_total", "rollcall_build_info", "up"} <= names
    assert [name for name in names for regex in dropped if re.fullmatch(regex, name)] == []
