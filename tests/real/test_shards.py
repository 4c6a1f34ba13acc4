"""Two shards of one fleet under a real Prometheus with the shipped rules: it is told what one exporter tells another.

The fleet's time stands still, so that every exporter reads the same.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from math import isclose
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from exporter.shard import shard_of
from tests.real.dashboards import Answer, Asker
from tests.real.excuses import Excuse, excused
from tests.real.monitoring import Prometheus, adapt
from tests.real.process import PATIENCE, STEP, wait_until
from tests.real.rollcall import Labels, Rollcall
from tests.real.web import ask
from tests.unit.boards import BOARDS

FIRST, SECOND = "gpu-01:10470", "gpu-01:10471"
"""How Prometheus calls the exporter, or the first shard, and the second one."""

SCRAPES = 8
SILENT = "trainer-0-runner-1"
CHOICES = {"node": "gpu-01", "observer": "gpu-01", "worker": SILENT}

OWN = (
    *("rollcall_source_", "rollcall_ledger_", "rollcall_build_info", "rollcall_shards", "rollcall_config_"),
    *("rollcall_series", "rollcall_exposition_bytes"),
)
"""What every process says of itself."""

SEEN = {
    "job_instance:rollcall_exporter_seen_timestamp_seconds:max",
    "fleet_kind_job_instance:rollcall_source_seen_timestamp_seconds:max",
}
"""What rules record of each exporter."""

TIMED = re.compile(r"_(timestamp|age|left)_seconds|rollcall_host_|_source_read_")
"""What rules record that is another at each moment."""

OF_TIME = tuple(
    Excuse(place, "a measurement, or another at each moment")
    for place in (
        *("*: $*", "rollcall-hosts: *", "rollcall-self: *", "rollcall-fleet: Sources: C"),
        *("rollcall-node: CPU: *", "rollcall-node: Memory: *", "rollcall-node: Disks: *", "rollcall-node: Network: *"),
        *(
            "rollcall-runner: In this status: A",
            "rollcall-runner: Last heartbeat: A",
            "rollcall-runner: What it held: [A-C]",
            "rollcall-runners: Runners: [CE]",
        ),
        *("rollcall-wakeable: What sleeps, and what wakes: [DE]", "rollcall-wakeable: Elapsed against promised: A"),
    )
)
OF_EXPORTERS = tuple(
    Excuse(f"rollcall-self: {place}", "it is about each exporter")
    for place in (
        *("Exporters: *", "Series per scrape: A", "Scrape duration: A", "Exposed text: A", "CPU: A", "Memory: A"),
        "$instance",
    )
)

Series = dict[str, float]


class Key(NamedTuple):
    """What a sample is called."""

    name: str
    labels: Labels


class Watched(NamedTuple):
    """The exporter that shows everything and the shards, and the Prometheus of the one and of the others."""

    whole: Rollcall
    shards: tuple[Rollcall, Rollcall]
    alone: Prometheus
    together: Prometheus


class Still:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    clock = Still()
    options = DemoOptions(nodes=9, mesh_port=0, store_port=0, seed=6, calm=True, steady=True, split=3)
    with Demo(options, monotonic=clock) as demo, ExitStack() as stack:
        _misfortune(demo, clock)
        configuration = yaml.safe_load(demo.configuration(interval="500ms"))
        configuration |= {"gpu": {"enabled": False}, "registry": {"fleet": "own", "heartbeat_timeout": "1h"}}
        folders = [tmp_path_factory.mktemp(name) for name in ("whole", "first", "second")]
        flags = ((), ("--shard", "0/2"), ("--shard", "1/2"))
        exporters = [
            stack.enter_context(Rollcall(folder, yaml.safe_dump(configuration), *each))
            for folder, each in zip(folders, flags, strict=True)
        ]
        whole, *shards = exporters
        _registered(exporters[:2])
        for exporter in exporters:
            wait_until(partial(_is_ready, exporter), "every source to be read")
        alone = stack.enter_context(_prometheus(tmp_path_factory.mktemp("alone"), {FIRST: whole}))
        together = stack.enter_context(
            _prometheus(tmp_path_factory.mktemp("together"), dict(zip((FIRST, SECOND), shards, strict=True)))
        )
        for prometheus, count in ((alone, 1), (together, 2)):
            enough = f"sum(count_over_time(up[10m])) >= {SCRAPES * count}"
            wait_until(partial(prometheus.query, enough), enough)
        yield Watched(whole, (shards[0], shards[1]), alone, together)


def _is_ready(exporter: Rollcall) -> bool:
    return exporter.get("/-/ready").status == 200


def _misfortune(demo: Demo, clock: Still) -> None:
    ids = {name: node for node, name in demo.nodes().items()}
    demo.kill_node(ids["gpu-03"])
    demo.kill_worker(SILENT, busy=True)
    demo.wake("cloud-a100-1", succeeds=False)
    demo.wake("rack-b-gpu-21", overrun=3600)
    clock.now += 60.0


def _prometheus(folder: Path, exporters: dict[str, Rollcall]) -> Prometheus:
    adapt(folder, [], None, hold=2, keep=60)
    named = [
        {"targets": [exporter.url.removeprefix("http://")], "labels": {"instance": name}}
        for name, exporter in exporters.items()
    ]
    (folder / "targets/rollcall.yml").write_text(yaml.safe_dump(named))
    return Prometheus(folder)


def _registered(exporters: Iterable[Rollcall]) -> None:
    for exporter in exporters:
        for number in range(6):
            path = f"{exporter.url}/v1/agl/workers/own-{number}"
            answer = ask(path, method="POST", headers={"Content-Type": "application/json"}, body=b"{}")
            assert answer.status == 200, answer.body


def alike(look: Callable[[], list[str]]) -> None:
    """Look until nothing differs: what one exporter has read a moment ago another one has in a moment."""
    end = time.monotonic() + PATIENCE
    while (found := look()) and time.monotonic() < end:
        time.sleep(10 * STEP)
    assert found == []


def differences(one: Series, other: Series, *, timed: bool = False) -> list[str]:
    """What only one has, and what has another value; of what is `timed`, values are no matter."""
    found = [f"only one has {key}" for key in one.keys() ^ other.keys()]
    both = [] if timed else one.keys() & other.keys()
    return found + [
        f"{key}: {one[key]} and {other[key]}" for key in both if not isclose(one[key], other[key], rel_tol=1e-6)
    ]


def exposed(exporter: Rollcall) -> Counter[Key]:
    return Counter(Key(each.name, each.labels) for each in exporter.scrape().all if each.name.startswith("rollcall_"))


def test_each_sample_is_on_one_shard_but_those_of_the_process_itself(watched: Watched) -> None:
    def look() -> list[str]:
        whole, first, second = map(exposed, (watched.whole, *watched.shards))
        own = Counter({key: 1 for key in whole if key.name.startswith(OWN)})
        split = (first - own) + (second - own)
        split = Counter({key: count for key, count in split.items() if not key.name.startswith(OWN)})
        return [str(key) for key in ((whole - own) - split) + (split - (whole - own))]

    alike(look)
    for exporter in watched.shards:
        assert len(set(exposed(exporter)) & {key for key in exposed(watched.whole) if "node" in dict(key.labels)}) > 20


def test_the_first_shard_has_this_host_and_the_registry(watched: Watched) -> None:
    first, second = (exporter.scrape() for exporter in watched.shards)
    assert len(list(first.find("rollcall_worker_info", fleet="own"))) == 6
    assert sum(value for _, value in first.find("rollcall_workers", fleet="own")) == 6
    assert list(first.find("rollcall_host_load1")) != []
    assert [list(second.find(name)) for name in ("rollcall_host_load1", "rollcall_collector_success")] == [[], []]
    assert list(second.find("rollcall_source_up", kind="registry")) == []
    assert [exporter.get("/v1/agl/workers").status for exporter in watched.shards] == [200, 404]
    shards = [list(samples.find("rollcall_shards")) for samples in (watched.whole.scrape(), first, second)]
    assert shards == [[], [({"shard": "0"}, 2.0)], [({"shard": "1"}, 2.0)]]
    assert watched.together.query("max(rollcall_shards) == count(count by (shard) (rollcall_shards))") != []


def test_every_shard_explains_everything(watched: Watched) -> None:
    workers = {labels["worker"] for labels, _ in watched.whole.scrape().find("rollcall_worker_info", fleet="demo")}
    assert {shard_of("demo", worker, 2) for worker in workers} == {0, 1}
    for worker in workers:
        for exporter in watched.shards:
            explained = exporter.get(f"/api/v1/workers/{worker}").json()
            assert (explained["worker"], explained["present"]) == (worker, True)


def test_rules_record_the_same(watched: Watched) -> None:
    def look() -> list[str]:
        one, other = recorded(watched.alone), recorded(watched.together)
        second = {key for key in other if f'"instance": "{SECOND}"' in key}
        assert {json.loads(key)["__name__"] for key in second} <= SEEN
        other = {key: value for key, value in other.items() if key not in second}
        found = []
        for timed in (False, True):
            of = [{key: each[key] for key in each if bool(TIMED.search(key)) is timed} for each in (one, other)]
            found += differences(*of, timed=timed)
        return found

    alike(look)
    assert len(recorded(watched.alone)) > 250


def recorded(prometheus: Prometheus) -> Series:
    """What rules record and which alerts are pending or firing, now."""
    found = prometheus.query('{__name__=~".+:.+"} or ALERTS')
    return {json.dumps(each["metric"], sort_keys=True): float(each["value"][1]) for each in found}


def test_dashboards_are_told_the_same(watched: Watched) -> None:
    def look() -> list[str]:
        askers = [Asker(each, CHOICES) for each in (watched.alone, watched.together)]
        askers[1].now = askers[0].now
        one, other = (asker.told() for asker in askers)
        found = []
        for uid in BOARDS:
            for first, second in zip(one.boards[uid], other.boards[uid], strict=True):
                place = first.query.place
                if not excused(place, OF_EXPORTERS):
                    unlike = differences(shown(first), shown(second), timed=excused(place, OF_TIME))
                    found += [f"{place}: {each}" for each in unlike]
        return found

    alike(look)


def shown(answer: Answer) -> Series:
    """The series of an answer, with their last values."""
    assert answer.error is None
    return {
        json.dumps(each["metric"], sort_keys=True): float((each.get("value") or each["values"][-1])[1])
        for each in answer.result
    }
