"""What the registry keeps of workers is what its file has: whoever else writes it, and whatever fails."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.records.registry import Registered
from exporter.registry.kept import EACH, Kept
from exporter.registry.store import RegistryError, Request
from tests.unit.registry_files import NOW, ask, beat, leave, opened, report, take

WORKERS = st.sampled_from(["a", "b", "c"])
REQUESTS = st.one_of(
    st.builds(beat, WORKERS, st.sampled_from([None, b"{}", b'{"host":"x"}'])),
    st.builds(ask, WORKERS, st.just("r"), st.sampled_from(["1", "2"])),
    st.builds(report, WORKERS, st.just("1"), st.sampled_from(["running", "failed", "succeeded"])),
    st.builds(leave, WORKERS),
)
TURNS = st.lists(st.tuples(st.integers(0, 2), st.lists(REQUESTS, min_size=1, max_size=4)), max_size=12)


@settings(max_examples=40)
@given(turns=TURNS)
def test_stores_that_share_a_file_answer_as_one_that_keeps_nothing(turns: list[tuple[int, list[Request]]]) -> None:
    with tempfile.TemporaryDirectory() as shared, tempfile.TemporaryDirectory() as own:
        stores = [opened(Path(shared)) for _ in range(2)]
        bare = opened(Path(own), kept=Kept(room=-1))
        for number, (whose, requests) in enumerate(turns):
            now = NOW + 100 * number
            if whose == 2:
                dropped = [each.drop_silent(now, 150, 0.0) for each in (stores[0], bare)]
                assert dropped[0] == dropped[1]
            else:
                assert take(stores[whose], *requests, now=now) == take(bare, *requests, now=now)
            assert [stores[0].find(name) for name in "abc"] == [bare.find(name) for name in "abc"]
        for each in (*stores, bare):
            each.close()


def test_what_could_not_be_written_is_not_kept(tmp_path: Path) -> None:
    store = opened(tmp_path, tries=1)
    take(store, beat("w"), now=NOW)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryError):
        take(store, beat("w"), now=NOW + 1)
    other.close()
    (asked,) = take(store, ask("w"), now=NOW + 2)
    assert asked == store.find("w") == Registered("w", "idle", None, NOW, NOW + 2, last_idle=NOW + 2)
    store.close()


def test_no_more_is_kept_than_there_is_room_for(tmp_path: Path) -> None:
    kept = Kept(room=3 * EACH)
    store = opened(tmp_path, kept=kept)
    found = []
    for number in range(8):
        take(store, beat(f"w{number}"), now=NOW)
        found.append(len(kept))
    take(store, leave("w7"), now=NOW)
    assert [*found, len(kept)] == [1, 2, 3, 0, 1, 2, 3, 0, 0]
    store.close()
