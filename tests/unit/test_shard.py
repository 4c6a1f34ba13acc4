"""Shards: the sum of the parts is the whole, what did not change is kept, few keys move with the number of shards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

import pytest

from exporter.config import Shard
from exporter.exposition import Exposition, Format, Snapshot
from exporter.families import POLLED
from exporter.records import (
    ModelTarget,
    NodeCount,
    NodeMemory,
    Record,
    RolloutCount,
    SourceReading,
    Worker,
    WorkerCount,
    WorkerGpu,
    WorkerMemory,
)
from exporter.records.table import Tables
from exporter.shard import SPARE, Part, ShardExposition, shard_of
from tests.unit.random_fleets import changed, fleets

ROUNDS = 3
SEEDS = range(1000 if os.environ.get("ROLLCALL_FULL") == "1" else 20)
NO_LIMIT = 10**9
OWN = ("rollcall_source_", "rollcall_ledger_available")
"""What every process says of itself."""

FIXED = {
    # fleet, name, shards: shard
    ("eu", "", 3): 0,
    ("eu", "gpu-01", 2): 0,
    ("eu", "gpu-01", 10): 0,
    ("us", "gpu-01", 10): 6,
    ("training", "Worker-0", 1): 0,
    ("training", "größer", 1000): 342,
}


def lines(snapshot: Snapshot) -> list[str]:
    text = b"".join(snapshot.chunks(Format.TEXT)).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def whole_and_parts(seed: int) -> Iterable[tuple[Snapshot, list[Snapshot]]]:
    rng = Random(seed)
    count = rng.choice((2, 2, 3, 4, 7))
    whole = Exposition(POLLED, NO_LIMIT)
    parts = [ShardExposition(POLLED, NO_LIMIT, Shard(index, count)) for index in range(count)]
    shown = slices = fleets(rng)
    for _ in range(ROUNDS):
        left_out = {name: {record: rng.randrange(3) for record in tables or ()} for name, tables in slices.items()}
        yield whole.publish(slices, left_out), [part.publish(slices, left_out) for part in parts]
        slices = changed(rng, shown)
        shown = {name: tables for name, tables in {**shown, **slices}.items() if tables is not None}


def test_the_sum_of_the_shards_is_the_whole() -> None:
    seen: set[str] = set()
    for seed in SEEDS:
        for whole, parts in whole_and_parts(seed):
            samples = lines(whole)
            seen.update(line.partition("{")[0].partition(" ")[0] for line in samples)
            own = Counter(line for line in samples if line.startswith(OWN))
            found = [Counter(lines(part)) for part in parts]
            assert all(own <= part for part in found), seed
            assert sum((part - own for part in found), Counter()) == Counter(samples) - own, seed
            assert said(parts) == said([whole]), seed
    assert seen == {family.name for family in POLLED}


def said(parts: Iterable[Snapshot]) -> Counter[tuple[str, str]]:
    """What `rollcall_series` and `rollcall_series_dropped` add up to, of what is split."""
    found: Counter[tuple[str, str]] = Counter()
    for each in (each for part in parts for each in part.series if not each.family.startswith(OWN)):
        found[each.family, "series"] += each.series
        found[each.family, "dropped"] += each.dropped or 0
    return found


@pytest.mark.parametrize("count", range(1, 11))
def test_one_shard_more_takes_its_share_of_every_other_one_and_nothing_else_moves(count: int) -> None:
    names = [f"worker-{number}" for number in range(20_000)]
    before = [shard_of("eu", name, count) for name in names]
    after = [shard_of("eu", name, count + 1) for name in names]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(moved) / len(names) <= 1 / (count + 1) + 0.05
    assert set(moved) == {count}
    sizes = Counter(after)
    assert sizes.keys() == set(range(count + 1))
    assert max(sizes.values()) <= 1.1 * len(names) / (count + 1)


@pytest.mark.parametrize(("key", "shard"), FIXED.items())
def test_a_key_stays_where_it_is_over_versions(key: tuple[str, str, int], shard: int) -> None:
    assert shard_of(*key) == shard


def worker(name: str, status: str = "idle", fleet: str = "eu") -> Worker:
    said = dict.fromkeys(Worker.__struct_fields__)
    return Worker(**{**said, "fleet": fleet, "worker": name, "status": status})  # type: ignore[arg-type]


def owned(index: int, most: int = 40) -> list[str]:
    names = [f"w{number}" for number in range(most)]
    return [name for name in names if shard_of("eu", name, 2) == index]


def test_all_tables_of_a_worker_are_on_its_shard() -> None:
    names = owned(0) + owned(1)
    tables: Tables = {
        Worker: tuple(map(worker, names)),
        WorkerGpu: tuple(WorkerGpu("eu", name, gpu, 0.5, 1, 2, 3) for name in names for gpu in "01"),
        WorkerMemory: tuple(WorkerMemory("eu", name, 1, 5.0) for name in names),
    }
    for index in (0, 1):
        shown = Part(Shard(index, 2)).of(tables)
        assert {record: {getattr(each, "worker", "") for each in rows} for record, rows in shown.items()} == {
            record: set(owned(index)) for record in tables
        }


def test_a_table_of_which_only_another_shard_s_rows_changed_is_the_same_object() -> None:
    part = Part(Shard(0, 2))
    rows = {name: worker(name) for name in (*owned(0), *owned(1))}
    first = part.of({Worker: tuple(rows.values())})[Worker]
    rows |= {name: worker(name, "busy") for name in owned(1)}
    assert part.of({Worker: tuple(rows.values())})[Worker] is first
    mine = owned(0)[0]
    rows[mine] = worker(mine, "busy")
    then = part.of({Worker: tuple(rows.values())})[Worker]
    assert [a is b for a, b in zip(first, then, strict=True)] == [False] + [True] * (len(first) - 1)


def test_a_table_that_is_the_same_object_is_not_looked_at() -> None:
    class Once(tuple[Record, ...]):
        looks = 0

        def __iter__(self) -> Iterator[Record]:
            self.looks += 1
            return super().__iter__()

    part, rows = Part(Shard(0, 2)), Once(map(worker, owned(0)))
    first = part.of({Worker: rows})[Worker]
    looks = rows.looks
    assert looks > 0
    assert part.of({Worker: rows})[Worker] is first
    assert rows.looks == looks


def test_models_of_a_fleet_are_on_several_shards() -> None:
    targets = {ModelTarget: tuple(ModelTarget("eu", f"m{number}", 1, 1, 1) for number in range(40))}
    assert all(5 < len(Part(Shard(index, 2)).of(targets)[ModelTarget]) < 35 for index in (0, 1))


def test_a_slice_that_is_gone_is_forgotten() -> None:
    exposition = ShardExposition(POLLED, NO_LIMIT, Shard(0, 2))
    exposition.publish({"fleet eu": {Worker: tuple(map(worker, owned(0)))}})
    assert exposition._parts.keys() == {"fleet eu"}
    assert lines(exposition.publish({"fleet eu": None})) == []
    assert exposition._parts == {}


def test_keys_that_are_gone_are_forgotten() -> None:
    part = Part(Shard(0, 2))
    for start in range(0, 20 * SPARE, SPARE):
        part.of({Worker: tuple(worker(f"w{number}") for number in range(start, start + SPARE))})
        [known] = part._mine.values()
        assert len(known) <= 3 * SPARE


def test_workers_that_only_one_process_reads_are_all_on_its_shard() -> None:
    fleet = next(name for name in ("a", "b", "c", "d", "e") if shard_of(name, "", 2) == 1)
    tables: Tables = {
        Worker: tuple(worker(name, fleet=fleet) for name in (*owned(0), *owned(1))),
        WorkerCount: (WorkerCount(fleet, "idle", 40),),
        NodeCount: (NodeCount(fleet, "serving", "confirmed", 1),),
    }
    part = Part(Shard(0, 2), {fleet})
    assert part.of(tables) == {**tables, NodeCount: ()}
    assert part.left_out(tables, {Worker: 5, NodeCount: 2}) == {Worker: 5}


def test_places_in_drawings_are_with_the_totals_and_never_given_twice() -> None:
    names = [f"n{number}" for number in range(20)]
    memories: tuple[Record, ...] = tuple(NodeMemory("eu", name, 1, 5.0, at) for at, name in enumerate(names))
    tables: Tables = {NodeMemory: (*memories, NodeMemory("eu", "left", 0))}
    parts = [Part(Shard(index, 3)) for index in range(3)]
    shown = [[row for row in part.of(tables)[NodeMemory] if isinstance(row, NodeMemory)] for part in parts]
    home = shard_of("eu", "", 3)
    for index, rows in enumerate(shown):
        assert [row.ordinal for row in rows if row.ordinal is not None] == (list(range(20)) if index == home else [])
    assert sorted(row.node for rows in shown for row in rows if row.present is not None) == sorted([*names, "left"])
    again = [part.of({NodeMemory: (*tables[NodeMemory],)})[NodeMemory] for part in parts]
    assert all(a is b for a, b in zip(again, [part.of(tables)[NodeMemory] for part in parts], strict=True))


def test_totals_of_a_fleet_are_together() -> None:
    for fleet in ("eu", "us", "training", "local"):
        tables: Tables = {
            WorkerCount: (WorkerCount(fleet, "idle", 1),),
            RolloutCount: (RolloutCount(fleet, "running", 1),),
        }
        shown = [Part(Shard(index, 3)).of(tables) for index in range(3)]
        assert [bool(each[WorkerCount]) for each in shown] == [bool(each[RolloutCount]) for each in shown]
        assert sum(bool(each[WorkerCount]) for each in shown) == 1


def test_every_shard_says_how_it_reads() -> None:
    row = SourceReading(fleet="eu", source="s", kind="mesh-llm", up=1, last_success=1.0, read_duration_seconds=0.1)
    assert all(Part(Shard(index, 3)).of({SourceReading: (row,)}) == {SourceReading: (row,)} for index in range(3))
