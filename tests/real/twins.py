"""A real LightningStore and Rollcall's registry, told the same and asked the same."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, NamedTuple
from urllib.parse import quote

WORKERS = "/v1/agl/workers"
ENDED = ("succeeded", "failed")


class Said(NamedTuple):
    """An answer: its status and what its body says."""

    status: int
    body: bytes

    def value(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Side:
    """One of the two, over a connection that is kept as long as its server keeps it for sure."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._used = time.monotonic()

    def ask(self, method: str, target: str, body: bytes | None = None, kind: str | None = "application/json") -> Said:
        """Send a request; `kind` is the content type of its body."""
        if time.monotonic() - self._used > 2.0:
            self._connection.close()
        headers = {"Content-Type": kind} if body is not None and kind is not None else {}
        self._connection.request(method, target, body, headers)
        with self._connection.getresponse() as response:
            said = Said(response.status, response.read())
        # A store may close the connection behind an answer that it failed to give.
        self._used = time.monotonic() if said.status < 500 else 0.0
        return said

    def tell(self, target: str, value: object) -> Any:
        """POST a value; gives the decoded answer, which must be one of success."""
        said = self.ask("POST", target, json.dumps(value).encode())
        assert 200 <= said.status < 300, said
        return said.value()

    def close(self) -> None:
        self._connection.close()


class Twins:
    """Both; their workers have the same history. Rollouts and attempts are the store's, the registry is told of them.

    A worker of each sequence has a name of its own: `prefix` and what the sequence calls it.
    """

    def __init__(self, store: Side, registry: Side) -> None:
        self.store = store
        self.registry = registry
        self.prefix = ""
        self._sequences = 0
        self._held: dict[str, list[tuple[str, str]]] = {}
        self._ended: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """Begin a sequence: nobody of those before is told of again."""
        self._sequences += 1
        self.prefix = f"s{self._sequences}."
        self._held.clear()

    def path(self, worker: str) -> str:
        """Where a worker is."""
        return f"{WORKERS}/{quote(self.prefix + worker, safe='')}"

    def both(self, method: str, target: str, body: bytes | None = None) -> tuple[Said, Said]:
        """Ask both."""
        return self.store.ask(method, target, body), self.registry.ask(method, target, body)

    def idle(self, worker: str) -> None:
        """The worker asks for work, and there is none."""
        request = {"worker_id": self.prefix + worker, "limit": 1}
        assert self.store.tell("/v1/agl/queues/rollouts/dequeue", request) == []
        self.registry.tell(self.path(worker) + "/dequeue", {"claimed": False})

    def claim(self, worker: str) -> None:
        """The worker asks for work, and gets it."""
        self.store.tell("/v1/agl/queues/rollouts/enqueue", {"rollouts": [{"input": 1}]})
        request = {"worker_id": self.prefix + worker, "limit": 1}
        (handed,) = self.store.tell("/v1/agl/queues/rollouts/dequeue", request)
        rollout, attempt = handed["rollout_id"], handed["attempt"]["attempt_id"]
        self._held.setdefault(worker, []).append((rollout, attempt))
        self.registry.tell(
            self.path(worker) + "/dequeue", {"claimed": True, "rollout_id": rollout, "attempt_id": attempt}
        )

    def report(self, worker: str, back: int, status: str) -> None:
        """The worker tells how an attempt goes: its last, or one `back`. What differs on purpose is left out."""
        held = self._held.get(worker, [])
        if not held:
            return
        rollout, attempt = held[-1 - back % len(held)]
        if (rollout, attempt) in self._ended and status in ("preparing", "running"):
            return
        self._ended |= {(rollout, attempt)} if status in ENDED else set()
        self.store.tell(f"/v1/agl/rollouts/{rollout}/attempts/{attempt}", {"status": status})
        told = {"rollout_id": rollout, "attempt_id": attempt, "status": status}
        self.registry.tell(self.path(worker) + "/attempt", told)


def compare(asked: object, store: Said, registry: Said) -> None:
    """Both said the same; where the store broke down, the registry refused."""
    if store.status >= 500:
        assert 400 <= registry.status < 500, (asked, store, registry)
        return
    assert registry.status == store.status, (asked, store, registry)
    assert plain(registry.value()) == plain(store.value()), (asked, store, registry)


def plain(value: Any) -> str:
    """JSON as it is, in its order, but each time of a worker is its place among all the times in it."""
    workers = value.get("items", [value]) if isinstance(value, dict) else []
    times = [
        (worker, field) for worker in workers if "worker_id" in worker for field in worker if field.endswith("_time")
    ]
    order = sorted({worker[field] for worker, field in times if worker[field] is not None})
    for worker, field in times:
        if worker[field] is not None:
            worker[field] = f"time {order.index(worker[field])}"
    return json.dumps(value)
