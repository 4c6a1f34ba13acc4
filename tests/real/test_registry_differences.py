"""Where the registry answers otherwise than a LightningStore 0.3.0, on purpose: the list in docs/REGISTRY.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.real.lightning import Lightning
from tests.real.rollcall import Rollcall
from tests.real.twins import WORKERS, Side

CONFIGURATION = "host: {enabled: false}\ngpu: {enabled: false}\nregistry: {enabled: true, fleet: local}\n"
DOCS = Path(__file__).parents[2] / "docs/REGISTRY.md"


class Differing(NamedTuple):
    """A request, the status that each gives, and the words of the list that say so."""

    method: str
    target: str
    body: bytes | None
    store: int
    registry: int
    words: str
    kind: str | None = "application/json"


def stats(text: bytes) -> bytes:
    return b'{"heartbeat_stats":' + text + b"}"


DEEP = b'{"a":' * 16 + b"{}" + b"}" * 16
DIFFERENCES = {
    "a large snapshot": Differing("POST", "/a", stats(b'{"a":"%b"}' % (b"x" * 70_000)), 200, 413, "64 KiB"),
    "a deep snapshot": Differing("POST", "/a", stats(DEEP), 200, 400, "16 levels"),
    "half a pair": Differing("POST", "/a", stats(rb'{"a":"\ud800"}'), 500, 400, "half a surrogate pair"),
    "half a pair as a name": Differing("POST", "/a", stats(rb'{"\ud800":1}'), 200, 400, "half a surrogate pair"),
    "a form": Differing("POST", "/a", b"{}", 422, 415, "content type", "text/plain"),
    "no type": Differing("POST", "/a", b"{}", 422, 415, "content type", None),
    "a long name": Differing("POST", "/" + "x" * 513, b"{}", 200, 422, "512 characters"),
    "goodbye": Differing("DELETE", "/a", None, 405, 200, "`DELETE`"),
    "dequeue": Differing("POST", "/a/dequeue", b'{"claimed":false}', 405, 200, "`dequeue`"),
    "attempt": Differing("POST", "/a/attempt", b"{}", 405, 422, "`attempt`"),
    "many heartbeats": Differing("POST", "/heartbeats", b'{"heartbeats":{}}', 200, 200, "`heartbeats`"),
    "no order": Differing("GET", "?sort_by=heartbeat_stats", None, 500, 400, "`sort_by=heartbeat_stats`"),
    "not a number": Differing("POST", "/search", b'{"limit":NaN}', 500, 422, "`NaN`"),
    "half a pair to sort by": Differing("POST", "/search", rb'{"sort_by":"\ud800"}', 500, 400, "half a surrogate pair"),
    "a bare NaN": Differing("POST", "/a", b"NaN", 500, 422, "`NaN`"),
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with Rollcall(tmp_path_factory.mktemp("differences"), CONFIGURATION) as started:
        side = Side(int(started.url.rpartition(":")[2]))
        for worker in "abc":
            assert side.ask("POST", f"{WORKERS}/{worker}", stats(b"{}")).status == 200
        yield side
        side.close()


@pytest.fixture(scope="module")
def lightning(store: Lightning) -> Iterator[Side]:
    side = Side(store.port)
    for worker in "abc":
        assert side.ask("POST", f"{WORKERS}/{worker}", stats(b"{}")).status == 200
    yield side
    side.close()


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_differs_on_purpose(name: str, lightning: Side, registry: Side) -> None:
    differing = DIFFERENCES[name]
    asked = (differing.method, WORKERS + differing.target, differing.body, differing.kind)
    assert (lightning.ask(*asked).status, registry.ask(*asked).status) == (differing.store, differing.registry)
    differences = DOCS.read_text().partition("## What differs from LightningStore")[2]
    assert differing.words in differences


def test_what_comes_late_raises_nobody(lightning: Side, registry: Side) -> None:
    """A `running` behind a `succeeded` makes a store's worker busy, until its next dequeue."""
    lightning.tell("/v1/agl/queues/rollouts/enqueue", {"rollouts": [{"input": 1}]})
    (handed,) = lightning.tell("/v1/agl/queues/rollouts/dequeue", {"worker_id": "late", "limit": 1})
    rollout, attempt = handed["rollout_id"], handed["attempt"]["attempt_id"]
    for status in ("succeeded", "running"):
        lightning.tell(f"/v1/agl/rollouts/{rollout}/attempts/{attempt}", {"status": status})
        told = {"rollout_id": rollout, "attempt_id": attempt, "status": status}
        registry.tell(f"{WORKERS}/late/attempt", told)
    seen = [side.ask("GET", f"{WORKERS}/late").value() for side in (lightning, registry)]
    assert [worker["status"] for worker in seen] == ["busy", "idle"]


def test_counts_are_of_workers_only(lightning: Side, registry: Side) -> None:
    counts: list[dict[str, Any]] = [side.ask("GET", "/v1/agl/statistics").value() for side in (lightning, registry)]
    assert set(counts[1]) < set(counts[0])
    assert counts[1]["name"] == "Rollcall"


def test_numbers_are_the_same_numbers(lightning: Side, registry: Side) -> None:
    body = stats(b'{"a":1E20,"b":1e-7,"c":-0.0,"d":1e400,"e":123456789012345678901234567890}')
    said = [side.ask("POST", f"{WORKERS}/a", body).value()["heartbeat_stats"] for side in (lightning, registry)]
    assert json.dumps(said[0]) == json.dumps(said[1])
