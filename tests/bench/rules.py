"""CPU of a real Prometheus that evaluates all rules over a fleet of many workers, beside one that only scrapes it.

Both scrape the same exposition, which does not change, and run at the same time, so that a busy machine slows both; the
difference is what the rules cost. CPU is that of the processes. Most workers are well; as many as are asked for are
silent, half of them with work. Below the sum, what each rule took the last time, by Prometheus' own wall clock.

`python -m tests.bench.rules [--workers 10000] [--silent 100] [--interval 15] [--rounds 10] [--rules FOLDER]
[--json FILE]`
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from exporter.exposition import Exposition, Format, gzip_member
from exporter.families import POLLED
from exporter.records import RolloutCount, WorkerMemory, WorkerReport
from exporter.records.reading import StoreReading
from exporter.records.worker import Store
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.real.monitoring import SHIPPED, Prometheus
from tests.real.web import Answer, Asked, WebServer, ask

HEALTH = """\
rollcall_source_up{fleet="bench",source="trainer:4747",kind="agent-lightning"} 1
rollcall_build_info{version="bench"} 1
"""
WARM = 3
"""Rounds before the measured ones: series are made, and the first evaluations of a Prometheus are its dearest."""


class Options(NamedTuple):
    """What is measured; the interval is in seconds."""

    workers: int
    silent: int
    interval: int
    rounds: int
    rules: Path


def report(number: int, silent: int, now: float) -> WorkerReport:
    """One worker with telemetry and no GPU; the first `silent` have not been heard of for ten minutes."""
    at = now - (600 if number < silent else number % 100 / 10)
    busy = number % 2 == 1
    return WorkerReport(
        fleet="bench",
        worker=f"trainer-{number // 8}-runner-{number % 8}",
        word="busy" if busy else "idle",
        host=f"node-{number // 8}",
        os="Linux-6.1-x86_64",
        last_heartbeat=at,
        last_dequeue=at - 1,
        last_busy=at - 2,
        last_idle=at - 3,
        rollout=f"ro-{number:012x}" if busy else None,
        attempt=f"at-{number:08x}" if busy else None,
        cpu_usage_ratio=number * 7 % 1000 / 1000,
        memory_used_bytes=20e9 + number,
        memory_total_bytes=135e9,
        disk_used_bytes=300e9 + number,
        disk_total_bytes=1e12,
        network_sent_bytes=8e9 + number,
        network_received_bytes=11e9 + number,
        snapshot_at=at - 0.1,
    )


def exposition(workers: int, silent: int, now: float) -> bytes:
    """What an exporter of such a fleet answers, as one gzip member."""
    fleet = Fleet("bench", WorkerRules(), Limits())
    reading = StoreReading(
        store=Store("bench", now - 86400),
        workers=tuple(report(number, silent, now) for number in range(workers)),
        read_at=now,
        rollouts=(RolloutCount("bench", "queuing", workers), RolloutCount("bench", "running", workers // 2)),
    )
    fleet.receive("trainer:4747", reading, float("inf"))
    tables, left_out = fleet.tables(0.0, ("agent-lightning",))
    remembered = tuple(WorkerMemory("bench", each.worker, 1, now - 3600) for each in reading.workers)
    shown = Exposition(POLLED, 10**9)
    snapshot = shown.publish({"bench": {**tables, WorkerMemory: remembered}}, {"bench": left_out})
    return b"".join(gzip_member(snapshot.chain(Format.TEXT), HEALTH.encode()))


def prometheus(folder: Path, target: str, rules: Path | None, interval: int) -> Prometheus:
    """A Prometheus that scrapes a target, with the rules of a folder or with none."""
    folder.mkdir()
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": f"{interval}s", "evaluation_interval": f"{interval}s"},
        "scrape_configs": [{"job_name": "rollcall", "static_configs": [{"targets": [target]}]}],
    }
    if rules is not None:
        configuration["rule_files"] = [str(rules.resolve() / "*.yml")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    return Prometheus(folder)


def cpu(process: Prometheus) -> float:
    """CPU seconds that a Prometheus has used, as it says itself."""
    [used] = re.findall(r"^process_cpu_seconds_total (\S+)$", ask(process.url + "/metrics").body.decode(), re.MULTILINE)
    return float(used)


def measure(options: Options) -> dict[str, Any]:
    """Let both run for the asked number of rounds; CPU seconds a round, and what each rule took."""
    body = exposition(options.workers, options.silent, time.time())
    headers = {"content-type": "text/plain; version=0.0.4", "content-encoding": "gzip"}

    def answer(_: Asked) -> Answer:
        return Answer(200, body, headers)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(WebServer(answer)).url.removeprefix("http://")
        both = [
            stack.enter_context(prometheus(folder / name, target, rules, options.interval))
            for name, rules in (("without", None), ("with", options.rules))
        ]
        time.sleep(WARM * options.interval)
        before = [cpu(each) for each in both]
        time.sleep(options.rounds * options.interval)
        without, beside = ((cpu(each) - used) / options.rounds for each, used in zip(both, before, strict=True))
        groups = both[1].api("rules")["groups"]
        series = int(both[0].query("scrape_samples_scraped")[0]["value"][1])
    taken = [(rule["name"], rule["evaluationTime"]) for group in groups for rule in group["rules"]]
    return {
        **options._asdict(),
        "rules": len(taken),
        "series": series,
        "scrape_cpu_seconds": without,
        "rules_cpu_seconds": beside - without,
        "rule_seconds": dict(sorted(taken, key=lambda each: -each[1])),
    }


def main() -> None:
    """Print the figure and the dearest rules, and keep all as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--silent", type=int, default=100, help="of them (default: %(default)s)")
    parser.add_argument("--interval", type=int, default=15, help="seconds (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="intervals that are measured (default: %(default)s)")
    parser.add_argument(
        "--rules", type=Path, default=SHIPPED / "rules", help="folder (default: those that are shipped)"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    found = measure(Options(asked.workers, asked.silent, asked.interval, asked.rounds, asked.rules))
    print(f"{found['workers']} workers, {found['silent']} of them silent: {found['series']} series")
    print(f"CPU seconds in an interval of {found['interval']} s, means of {found['rounds']}")
    print(f"{found['scrape_cpu_seconds']:8.3f}  scrape and store")
    print(f"{found['rules_cpu_seconds']:8.3f}  {found['rules']} rules\n\nmilliseconds of the dearest rules")
    for name, seconds in list(found["rule_seconds"].items())[:15]:
        print(f"{1000 * seconds:8.1f}  {name}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
